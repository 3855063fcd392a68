"""Fillings of networks that are the same on every machine, and pictures for them."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


def wavy(shape: tuple[int, ...], phase: float) -> Tensor:
    """A sine over the elements, of the size of He's initialization."""
    count = math.prod(shape)
    fan_in = max(1, count // shape[0]) if len(shape) > 1 else 100
    wave = torch.sin(torch.arange(count, dtype=torch.float64) * 1.7 + phase)
    return (wave * math.sqrt(2 / fan_in)).view(shape).float()


def fill(network: nn.Module) -> nn.Module:
    """Every tensor wavy by the position of its name; factors and variances around 1."""
    tensors = sorted((key, value) for key, value in network.state_dict().items() if value.is_floating_point())
    state = {
        key: (1 if key.endswith(("bn.weight", "running_var")) else 0) + wavy(value.shape, number)
        for number, (key, value) in enumerate(tensors)
    }
    network.load_state_dict(state)
    return network.requires_grad_(False).eval()


def picture(height: int, width: int, phase: float = 0.0) -> Tensor:
    """Waves across and down, ``(1, 3, height, width)`` in [-0.9, 0.9]."""
    y, x = torch.meshgrid(torch.arange(height).double(), torch.arange(width).double(), indexing="ij")
    waves = [torch.sin(x / 9 + channel + phase) * torch.cos(y / (7 + channel)) for channel in range(3)]
    return 0.9 * torch.stack(waves)[None].float()
