"""A convolutional pyramid whose activations are all kept: the encoder of SCFT (Lee et al. 2020) and of CSFT."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Size = tuple[int, int]


class Pyramid(NamedTuple):
    """All activations of an encoder, shallow to deep: two at each of the sizes H, H/2, H/4 …"""

    activations: list[Tensor]

    @property
    def features(self) -> Tensor:
        """V of Lee et al., equation 1: every activation pooled to the deepest size: ``(B, d_v, h, w)``."""
        return self.features_at((self.activations[-1].shape[-2], self.activations[-1].shape[-1]))

    @property
    def skips(self) -> list[Tensor]:
        """The last activation of every stage but the deepest, for a decoder; shallow to deep."""
        return self.activations[1:-1:2]

    def features_at(self, size: Size) -> Tensor:
        """Every activation at one size, concatenated: finer ones average-pooled, coarser ones enlarged."""
        return torch.cat([_at_size(activation, size) for activation in self.activations], dim=1)

    def narrowed_at(self, size: Size, layer: nn.Conv2d) -> Tensor:
        """A 1x1 convolution of `features_at`, several times faster.

        Linear maps commute with resizing, so that each stage goes through its part of the layer where it is small.
        """
        stages = [torch.cat(self.activations[i : i + 2], dim=1) for i in range(0, len(self.activations), 2)]
        found = []
        for stage, weight in zip(stages, layer.weight.split([stage.shape[1] for stage in stages], dim=1), strict=True):
            is_finer = stage.shape[-1] > size[1]
            maps = F.conv2d(_at_size(stage, size) if is_finer else stage, weight)
            found.append(_at_size(maps, size))
        total = torch.stack(found).sum(0)
        return total if layer.bias is None else total + layer.bias[:, None, None]


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


def _at_size(maps: Tensor, size: Size) -> Tensor:
    if maps.shape[-2:] == size:
        return maps
    if maps.shape[-1] > size[1]:
        return F.adaptive_avg_pool2d(maps, size)
    return F.interpolate(maps, size=size, mode="bilinear")
