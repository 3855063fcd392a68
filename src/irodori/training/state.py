"""The state of a run in one safetensors file, so that a killed run continues as if nothing had happened.

Everything random depends on seed and step alone (`irodori.data.dataset`, `loop.train_step`), so the state is weights,
averaged weights, optimizer moments and the step.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from irodori.checkpoint import read_metadata, read_tensors, write_atomically
from irodori.errors import WeightsError


def save_state(
    path: Path,
    step: int,
    modules: Mapping[str, nn.Module],
    optimizers: Mapping[str, Optimizer],
    sums: Mapping[str, Tensor],
    scaler: Any = None,
) -> None:
    """Writes the state after `step` steps, atomically.  sums: of the loss terms that were not logged yet."""
    tensors = {f"{name}/{key}": value for name, module in modules.items() for key, value in module.state_dict().items()}
    tensors |= {f"sums/{name}": value for name, value in sums.items()}
    for name, optimizer in optimizers.items():
        tensors |= {f"optimizer.{name}/{key}": value for key, value in _moments(optimizer).items()}
    copies = {key: value.detach().cpu().contiguous().clone() for key, value in tensors.items()}
    scale = json.dumps(scaler.state_dict() if scaler is not None else {})
    write_atomically(path, copies, {"step": str(step), "scaler": scale})


def load_state(
    path: Path, modules: Mapping[str, nn.Module], optimizers: Mapping[str, Optimizer], scaler: Any = None
) -> tuple[int, dict[str, Tensor]]:
    """Restores a state; returns the number of steps done and the sums of the unlogged loss terms.

    WeightsError when the state does not belong to this run.
    """
    metadata, tensors = read_metadata(path), read_tensors(path)
    try:
        for name, module in modules.items():
            module.load_state_dict(_below(tensors, name))
        for name, optimizer in optimizers.items():
            _restore_moments(optimizer, _below(tensors, f"optimizer.{name}"))
        if scaler is not None and json.loads(metadata["scaler"]):
            scaler.load_state_dict(json.loads(metadata["scaler"]))
        return int(metadata["step"]), _below(tensors, "sums")
    except (KeyError, RuntimeError, ValueError) as error:
        reason = str(error).split("\n")[0]
        raise WeightsError(f"{path}: not the state of this run ({reason}); choose a new --run folder") from error


def _below(tensors: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    start = f"{name}/"
    return {key[len(start) :]: value for key, value in tensors.items() if key.startswith(start)}


def _moments(optimizer: Optimizer) -> dict[str, Tensor]:
    state = optimizer.state_dict()["state"]
    return {f"{number}.{key}": value for number, values in state.items() for key, value in values.items()}


def _restore_moments(optimizer: Optimizer, tensors: Mapping[str, Tensor]) -> None:
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        number, _, name = key.partition(".")
        state.setdefault(int(number), {})[name] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def averaged(system: nn.Module, decay: float) -> torch.optim.swa_utils.AveragedModel:
    """A copy of the system that follows it as an exponential moving average; buffers are copied."""
    swa = torch.optim.swa_utils
    return swa.AveragedModel(system, multi_avg_fn=swa.get_ema_multi_avg_fn(decay))
