"""How the reference enters a conditional coupling block: the Feature Aggregation Module and what it is compared with.

All take the half of the features that the coupling keeps, ``(B, c, H, W)``, and the features of each reference at the
same depth, ``(B, 2c, h, w)``, and return what the sub-networks see, ``(B, c, H, W)``.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from irodori.nn.attention import blockwise_attention
from irodori.systems.cnf.config import CNFConfig
from irodori.systems.cnf.layers import Conv, Linear

EPSILON = 1e-5


def make_aggregation(config: CNFConfig, channels: int) -> nn.Module | None:
    """The module for blocks of `channels` channels; None for "none", where no reference enters (table 4.3)."""
    if config.aggregation == "fam":
        return FeatureAggregation(
            channels, config.mlp_expansion, is_scaled=config.scaled_attention, is_gate=config.joining == "gate"
        )
    if config.aggregation == "concatenation":
        return Concatenation(channels)
    return AdaptiveInstanceNorm(channels) if config.aggregation == "adain" else None


class FeatureAggregation(nn.Module):
    """FAM (equations 3.11 to 3.16): spatial and channel attention gate the kept half, or are added to it.

    The equations print no factor on the scores; `is_scaled` divides them by the root of their width (3.11) and by the
    number of positions (3.12), so that the softmax is as sharp at any image size.  References are more positions for
    the spatial attention.  The channel attention multiplies position by position: references are brought to the
    features' size, the results of several averaged.
    """

    def __init__(self, channels: int, expansion: int, *, is_scaled: bool, is_gate: bool = True) -> None:
        super().__init__()
        half = channels // 2
        self.is_scaled, self.is_gate = is_scaled, is_gate
        self.query = Perceptron(half, half, expansion)  # mlp_s[1]
        self.key = Perceptron(channels, half, expansion)  # mlp_c[1]
        self.spatial_value = Perceptron(half, half, expansion)  # mlp_c[2]
        self.channel_value = Perceptron(half, half, expansion)  # mlp_c[3]

    def forward(self, kept: Tensor, references: Sequence[Tensor]) -> Tensor:
        query = self.query(_positions(kept))
        keys = [self.key(_positions(reference)) for reference in references]
        joined = torch.cat(keys, dim=1)
        fuse = blockwise_attention(query, joined, self.spatial_value(joined), self._scale(query))  # 3.11, 3.13
        aligned = [_brought(key, reference, kept) for key, reference in zip(keys, references, strict=True)]
        fuse = fuse + torch.stack([self._channels(query, key) for key in aligned]).mean(0)
        found = _maps(fuse, kept)
        return kept * (torch.sigmoid(found) + 1) if self.is_gate else kept + found  # 3.16

    def rows(self, kept: Tensor, references: Sequence[Tensor], queries: Tensor) -> Tensor:
        """Rows of A_s (3.11): ``(B, n, K)``, K positions of all references, for the positions `queries` ``(n,)``."""
        query = self.query(_positions(kept)[:, queries])
        keys = torch.cat([self.key(_positions(reference)) for reference in references], dim=1)
        return torch.softmax(self._scale(query) * query @ keys.mT, dim=-1)

    def _channels(self, query: Tensor, key: Tensor) -> Tensor:
        """fuse_c of 3.14 with A_c of 3.12: ``(B, Q, c)``, query and key at the same positions."""
        scores = query.mT @ key
        weights = torch.softmax(scores / query.shape[1] if self.is_scaled else scores, dim=-1)
        return self.channel_value(key) @ weights.mT

    def _scale(self, query: Tensor) -> float:
        return float(query.shape[-1] ** -0.5) if self.is_scaled else 1.0


class Concatenation(nn.Module):
    """Ablation (section 4.5.1): the kept half beside the reference's features, joined by a 1x1 convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.join = Conv(channels // 2 + channels, channels // 2, 1)

    def forward(self, kept: Tensor, references: Sequence[Tensor]) -> Tensor:
        aligned = torch.stack([_resized(reference, kept) for reference in references]).mean(0)
        return self.join(torch.cat([kept, aligned], dim=1))


class AdaptiveInstanceNorm(nn.Module):
    """Ablation (section 4.5.1): the kept half gets mean and deviation of the reference's features (equation 2.1)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.to_half = Conv(channels, channels // 2, 1)

    def forward(self, kept: Tensor, references: Sequence[Tensor]) -> Tensor:
        style = torch.cat([self.to_half(reference).flatten(2) for reference in references], dim=2)
        variance, mean = torch.var_mean(style, dim=2, correction=0)
        plain = F.instance_norm(kept, eps=EPSILON)
        return plain * (variance + EPSILON).sqrt()[..., None, None] + mean[..., None, None]


class Perceptron(nn.Sequential):
    """A multi-layer perceptron with one hidden layer, at each position: ``(B, N, in)`` to ``(B, N, out)``."""

    def __init__(self, in_channels: int, out_channels: int, expansion: int) -> None:
        hidden = in_channels * expansion
        super().__init__(Linear(in_channels, hidden), nn.ReLU(), Linear(hidden, out_channels))


def _positions(maps: Tensor) -> Tensor:
    """**R** of the equations: ``(B, C, H, W)`` to ``(B, H * W, C)``."""
    return maps.flatten(2).mT


def _maps(positions: Tensor, like: Tensor) -> Tensor:
    """R⁻¹: back to ``(B, C, H, W)``."""
    return positions.mT.unflatten(2, like.shape[-2:])


def _brought(positions: Tensor, reference: Tensor, like: Tensor) -> Tensor:
    """Positions of a reference's grid on the grid of `like`; the same ones where the grids are equal."""
    if reference.shape[-2:] == like.shape[-2:]:
        return positions
    return _positions(_resized(_maps(positions, reference), like))


def _resized(maps: Tensor, like: Tensor) -> Tensor:
    if maps.shape[-2:] == like.shape[-2:]:
        return maps
    return F.interpolate(maps, size=like.shape[-2:], mode="bilinear", align_corners=False)
