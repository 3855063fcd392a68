"""How a model is held in memory: precision, and whether the whole of it is on the device at once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from irodori.checkpoint import Header, read_header
from irodori.config import from_dict
from irodori.errors import ConfigError, InputError, WeightsError
from irodori.systems import system_type


@dataclass(frozen=True, kw_only=True)
class Holding:
    """half: 16-bit numbers.  offload: parts are on the device only while they work.  Both are for large systems."""

    half: bool = False
    offload: bool = False

    def dtype(self, device: torch.device) -> torch.dtype:
        """Of the weights; CPUs have no fast float16."""
        return (torch.bfloat16 if device.type == "cpu" else torch.float16) if self.half else torch.float32


def check_holding(path: Path, holding: Holding, device: torch.device, image_size: int | None = None) -> str:
    """What a weight file will need on a device, as a sentence, empty where it is little; nothing is loaded.

    image_size: longest side of pictures, the model's own if None.
    Raises InputError when the system cannot be held so, or the device has less memory than is needed.
    """
    header = read_header(path)
    if (holding.half or holding.offload) and not system_type(header.system).is_large:
        option = "--half" if holding.half else "--offload"
        raise InputError(f"the system {header.system} is small: leave out {option}")
    needed = memory_needed(path, header, holding, device, image_size) if device.type == "cuda" else None
    if needed is None:
        return ""
    free, total = torch.cuda.mem_get_info(device)
    about = f"{path.stem} needs about {needed / 1e9:.1f} GB of GPU memory, of which {free / 1e9:.1f} GB are free"
    if needed > total:
        more = " and ".join(name for name in ("half", "offload") if not getattr(holding, name))
        remedy = (
            f"try {more.replace('half', '--half').replace('offload', '--offload')}" if more else "lower --image-size"
        )
        raise InputError(f"{about}: {remedy}, or use --device cpu")
    return about


def memory_needed(
    path: Path, header: Header, holding: Holding, device: torch.device, image_size: int | None = None
) -> int | None:
    """Bytes of GPU memory that a weight file's system says it will need; None: little."""
    kind = system_type(header.system)
    try:
        config: Any = from_dict(kind.config_type, header.config, header.system)
    except ConfigError as error:
        raise WeightsError(f"{path}: made by another version or system ({error}); update irodori") from error
    side = image_size or config.image_size
    return kind.memory(config, (side, side), holding.dtype(device), offload=holding.offload)
