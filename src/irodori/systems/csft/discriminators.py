"""The dual discriminators (Cui et al. 2022, section 3.3): one for structure, one for color, each blind to the other."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from irodori.data.lines import soft_xdog
from irodori.nn.patchgan import MultiScaleDiscriminator
from irodori.systems.csft.config import CSFTConfig


class StructureDiscriminator(nn.Module):
    """D_s: do the lines of an image belong to this sketch?  It sees the image through XDoG alone, so no colors."""

    def __init__(self, config: CSFTConfig) -> None:
        super().__init__()
        self.judge = _judge(2, config)

    def forward(self, image: Tensor, sketch: Tensor) -> list[Tensor]:
        """image: ``(B, 3, H, H)``.  sketch: ``(B, 1, H, H)``.  Scores of each scale, high means real."""
        return self.judge(torch.cat([lines_of(image), sketch], dim=1))


class ColorDiscriminator(nn.Module):
    """D_r: has an image the colors of this reference?  Its real pairs show different things in similar colors."""

    def __init__(self, config: CSFTConfig) -> None:
        super().__init__()
        self.judge = _judge(6, config)

    def forward(self, image: Tensor, reference: Tensor) -> list[Tensor]:
        """image, reference: ``(B, 3, H, W)``.  Scores of each scale, high means real."""
        return self.judge(torch.cat([image, reference], dim=1))


def lines_of(image: Tensor) -> Tensor:
    """The structural condition of an image ``(B, 3, H, H)``: its XDoG lines ``(B, 1, H, H)`` in [-1, 1]."""
    return soft_xdog((image + 1) * 127.5) / 127.5 - 1


def _judge(in_channels: int, config: CSFTConfig) -> MultiScaleDiscriminator:
    return MultiScaleDiscriminator(
        in_channels, config.discriminator_channels, config.discriminator_layers, config.discriminator_scales
    )
