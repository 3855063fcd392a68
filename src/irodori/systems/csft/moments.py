"""Positional normalization and the dynamic moment shortcut (Li et al. 2019; Cui et al. 2022, section 3.2, figure 5)."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

EPSILON = 1e-5


class Moments(NamedTuple):
    """mean, deviation: ``(B, 1, H, W)``, of each position over its channels."""

    mean: Tensor
    deviation: Tensor


def normalize_positions(x: Tensor, epsilon: float = EPSILON) -> Tensor:
    """PONO: ``(B, C, H, W)`` with mean 0 and deviation 1 at each position, which is a layer norm without weights."""
    return F.layer_norm(x.permute(0, 2, 3, 1), (x.shape[1],), eps=epsilon).permute(0, 3, 1, 2)


def moments_of(x: Tensor, epsilon: float = EPSILON) -> Moments:
    """The moments that `normalize_positions` takes away."""
    mean = x.mean(1, keepdim=True)
    return Moments(mean, ((x - mean).square().mean(1, keepdim=True) + epsilon).sqrt())


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
