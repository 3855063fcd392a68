"""Positional normalization and the dynamic moment shortcut (Li et al. 2019; Cui et al. 2022, section 3.2, figure 5)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn


class Moments(NamedTuple):
    """mean, deviation: ``(B, 1, H, W)``, of each position over its channels."""

    mean: Tensor
    deviation: Tensor


def normalize_positions(x: Tensor, epsilon: float = 1e-5) -> tuple[Tensor, Moments]:
    """PONO: ``(B, C, H, W)`` with mean 0 and deviation 1 at each position, and the moments that were taken away."""
    mean = x.mean(1, keepdim=True)
    deviation = (x.var(1, keepdim=True, correction=0) + epsilon).sqrt()
    return (x - mean) / deviation, Moments(mean, deviation)


def restore_positions(x: Tensor, moments: Moments) -> Tensor:
    """The moment shortcut, and the inverse of `normalize_positions`."""
    return x * moments.deviation + moments.mean


class DynamicMomentShortcut(nn.Module):
    """The moments of an earlier layer, turned by small convolutions into beta and gamma of a later one.

    What the convolutions say is added to the plain moment shortcut, beta = mean and gamma = deviation, close to which
    it starts.
    """

    def __init__(self, channels: int, hidden: int = 16) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(2, hidden, 3, padding=1), nn.LeakyReLU(0.2))
        self.to_gamma, self.to_beta = (nn.Conv2d(hidden, channels, 3, padding=1) for _ in range(2))

    @torch.no_grad()
    def calm(self) -> None:
        """Makes fresh weights small, so that training starts close to the plain moment shortcut."""
        for layer in (self.to_gamma, self.to_beta):
            layer.weight.mul_(0.1)

    def forward(self, x: Tensor, moments: Moments) -> Tensor:
        """x: ``(B, C, H, W)``, normalized at each position.  moments: at the same size."""
        hidden = self.body(torch.cat(moments, dim=1))
        return x * (moments.deviation + self.to_gamma(hidden)) + moments.mean + self.to_beta(hidden)
