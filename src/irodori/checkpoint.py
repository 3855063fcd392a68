"""Weight files that explain themselves: safetensors with the configuration and provenance in the header.

A model loads from the file alone.  Loading is strict, and files that carry code (pickles) are never opened.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from irodori.errors import WeightsError

FORMAT = "irodori-1"


@dataclass(frozen=True)
class Header:
    """What a weight file says about itself: which system, its configuration, and where the weights come from."""

    system: str
    config: dict[str, Any]
    provenance: dict[str, Any]


def save(path: Path, header: Header, tensors: Mapping[str, Tensor], dtype: torch.dtype | None = None) -> None:
    """Writes a weight file atomically; floating-point tensors are stored as `dtype` if one is given (float16)."""
    stored = {
        name: (_as(tensor, dtype) if dtype else tensor).detach().cpu().contiguous() for name, tensor in tensors.items()
    }
    text = json.dumps({"system": header.system, "config": header.config, "provenance": header.provenance})
    write_atomically(path, stored, {"format": FORMAT, "irodori": text})


def write_atomically(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """`safetensors.save_file` that leaves either the whole new file or the old one; WeightsError when it cannot."""
    temporary = ""
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        os.close(handle)
        save_file(dict(tensors), temporary, metadata=dict(metadata))
        os.chmod(temporary, 0o666 & ~_umask())  # temporary files are private, results are not
        os.replace(temporary, path)
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"{path}: cannot be written ({error}); choose another folder") from error
    finally:
        if temporary and os.path.exists(temporary):
            os.unlink(temporary)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def read_header(path: Path) -> Header:
    """The header alone, quickly; WeightsError when the file is not one of ours."""
    return _parse(path, read_metadata(path))


def read_metadata(path: Path) -> dict[str, str]:
    """The raw safetensors metadata of a file; WeightsError when it is missing, damaged or of a refused kind."""
    with _opened(path) as file:
        return dict(file.metadata() or {})


def load(path: Path, dtype: torch.dtype = torch.float32) -> tuple[Header, dict[str, Tensor]]:
    """Header and tensors, floating-point ones as `dtype`; WeightsError when damaged, foreign or not finite."""
    header = read_header(path)
    tensors = {name: _as(tensor, dtype) for name, tensor in iterate_tensors(path)}
    broken = [name for name, tensor in tensors.items() if tensor.is_floating_point() and not tensor.isfinite().all()]
    if broken:
        raise WeightsError(
            f"{path}: {len(broken)} tensors hold NaN or infinity ({broken[0]}); use an earlier checkpoint"
        )
    return header, tensors


def _as(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    return tensor.to(dtype) if tensor.is_floating_point() else tensor


def read_tensors(path: Path) -> dict[str, Tensor]:
    """All tensors of a safetensors file as stored."""
    with _opened(path) as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def iterate_tensors(path: Path) -> Iterator[tuple[str, Tensor]]:
    """The tensors of a safetensors file as stored, one after the other: a large file is never in memory as a whole."""
    with _opened(path) as file:
        for name in file.keys():  # noqa: SIM118
            yield name, file.get_tensor(name)


def read_shapes(path: Path) -> dict[str, torch.Size]:
    """Names and shapes of a safetensors file, from its header alone."""
    with _opened(path) as file:
        return {name: torch.Size(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118


def check_keys(path: Path, expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> None:
    """WeightsError unless both have the same tensor names and shapes."""
    missing = sorted(expected.keys() - found.keys())
    unexpected = sorted(found.keys() - expected.keys())
    wrong = sorted(k for k in expected.keys() & found.keys() if expected[k].shape != found[k].shape)
    if missing or unexpected or wrong:
        raise WeightsError(
            f"{path}: the weights do not fit their configuration: {len(missing)} missing {missing[:3]}, "
            f"{len(unexpected)} unexpected {unexpected[:3]}, {len(wrong)} of another shape {wrong[:3]}"
        )


def _parse(path: Path, metadata: Mapping[str, str]) -> Header:
    if metadata.get("format") != FORMAT:
        raise WeightsError(
            f"{path}: not a weight file of irodori (no '{FORMAT}' header); convert foreign weights first"
        )
    try:
        values = json.loads(metadata["irodori"])
        header = Header(values["system"], values["config"], values["provenance"])
        if [type(value) for value in (header.system, header.config, header.provenance)] != [str, dict, dict]:
            raise TypeError("wrong types")
        return header
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsError(f"{path}: the header is damaged ({error}); download the file again") from error


def _opened(path: Path) -> Any:
    if not path.is_file():
        raise WeightsError(f"{path}: no such weight file")
    if path.suffix.lower() in {".pt", ".pth", ".pkl", ".ckpt", ".bin"}:
        raise WeightsError(f"{path}: pickled weights can run code and are refused; convert them to safetensors first")
    try:
        return safe_open(path, framework="pt")
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path}: not a readable safetensors file ({error}); download it again") from error
