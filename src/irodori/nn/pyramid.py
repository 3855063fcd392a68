"""A convolutional pyramid whose activations are all kept: the encoder of SCFT (Lee et al. 2020) and of CSFT."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Pyramid(NamedTuple):
    """All activations of an encoder, shallow to deep: two at each of the sizes H, H/2, H/4 …"""

    activations: list[Tensor]

    @property
    def features(self) -> Tensor:
        """V of Lee et al., equation 1: every activation pooled to the deepest size: ``(B, d_v, h, w)``."""
        size = (self.activations[-1].shape[-2], self.activations[-1].shape[-1])
        return self.features_at(size)

    @property
    def skips(self) -> list[Tensor]:
        """The last activation of every stage but the deepest, for a decoder; shallow to deep."""
        return self.activations[1:-1:2]

    def features_at(self, size: tuple[int, int]) -> Tensor:
        """Every activation at one size, concatenated: finer ones average-pooled, coarser ones enlarged."""
        return torch.cat([_at_size(activation, size) for activation in self.activations], dim=1)


class Encoder(nn.Module):
    """Table 5 of Lee et al.: pairs of 3x3 convolutions, LeakyReLU 0.2; stages after the first start with stride 2."""

    def __init__(self, in_channels: int, channels: Sequence[int]) -> None:
        super().__init__()
        self.layers = nn.ModuleList()
        for stage, width in enumerate(channels):
            self.layers.append(nn.Conv2d(in_channels, width, 3, stride=2 if stage else 1, padding=1))
            self.layers.append(nn.Conv2d(width, width, 3, padding=1))
            in_channels = width

    def forward(self, image: Tensor) -> Pyramid:
        activations = []
        for layer in self.layers:
            image = F.leaky_relu(layer(image), 0.2)
            activations.append(image)
        return Pyramid(activations)


def _at_size(activation: Tensor, size: tuple[int, int]) -> Tensor:
    if activation.shape[-1] >= size[1]:
        return F.adaptive_avg_pool2d(activation, size)
    return F.interpolate(activation, size=size, mode="bilinear")
