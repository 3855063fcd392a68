"""What tests of invertible networks share."""

from __future__ import annotations

from collections.abc import Callable

import torch


def rand(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """The same normal numbers for the same shape and seed."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def perturbed(module: torch.nn.Module, deviation: float = 0.02) -> torch.nn.Module:
    """All weights moved, also those that start as zero."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(deviation * torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype))
    return module


def log_det_by_autograd(function: Callable[[torch.Tensor], torch.Tensor], x: torch.Tensor) -> torch.Tensor:
    """``log |det df/dx|`` of a function of one small image, from its whole Jacobian."""
    jacobian = torch.autograd.functional.jacobian(lambda v: function(v.view_as(x)).flatten(), x.flatten())
    return torch.linalg.slogdet(jacobian).logabsdet
