"""The networks of SCFT: two encoders, the spatially corresponding feature transfer, and a U-Net decoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from irodori.nn.attention import Attended, scaled_dot_attention
from irodori.nn.blocks import ResidualBlock, UpBlock
from irodori.nn.pyramid import Encoder, Pyramid


class FeatureTransfer(nn.Module):
    """SCFT (section 3.3): each sketch position takes what it needs from all reference positions, equations 2 to 4."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.query = nn.Linear(channels, channels, bias=False)  # W_q
        self.key = nn.Linear(channels, channels, bias=False)  # W_k
        self.value = nn.Linear(channels, channels, bias=False)  # W_v

    def forward(self, sketch: Tensor, reference: Tensor) -> tuple[Tensor, Attended]:
        """sketch: ``(B, d_v, h, w)``.  reference: ``(B, K, d_v)``, the positions of all references.

        Returns c of equation 4, ``(B, d_v, h, w)``, and the attention.
        """
        positions = sketch.flatten(2).mT
        attended = scaled_dot_attention(self.query(positions), self.key(reference), self.value(reference))
        return sketch + attended.context.mT.reshape(sketch.shape), attended


def add_features(sketch: Tensor, reference: Tensor) -> Tensor:
    """Ablation A.1 (a): the reference's features are added, without alignment; those of several references averaged.

    sketch: ``(B, d_v, h, w)``.  reference: ``(B, n * h * w, d_v)`` with references of the sketch's size, otherwise the
    mean over all positions is added everywhere.
    """
    batch, channels, height, width = sketch.shape
    if reference.shape[1] % (height * width):
        return sketch + reference.mean(1)[..., None, None]
    maps = reference.mT.reshape(batch, channels, -1, height, width)
    return sketch + maps.mean(2)


def adain_features(sketch: Tensor, reference: Tensor, epsilon: float = 1e-5) -> Tensor:
    """Ablation A.1 (b): the sketch's channels get the reference's mean and deviation (Huang, Belongie 2017)."""
    mean, deviation = sketch.mean((2, 3), keepdim=True), sketch.std((2, 3), keepdim=True)
    wanted_mean, wanted_deviation = reference.mean(1)[..., None, None], reference.std(1)[..., None, None]
    return (sketch - mean) / (deviation + epsilon) * wanted_deviation + wanted_mean


class Decoder(nn.Module):
    """Residual blocks at the deepest size, then a U-Net decoder with the sketch encoder's skips; tanh at the end."""

    def __init__(self, in_channels: int, channels: Sequence[int], bottleneck_channels: int, num_blocks: int) -> None:
        super().__init__()
        width = bottleneck_channels or in_channels
        self.narrow = nn.Conv2d(in_channels, width, 1) if bottleneck_channels else nn.Identity()
        self.blocks = nn.Sequential(*(ResidualBlock(width) for _ in range(num_blocks)))
        self.ups = nn.ModuleList()
        for skip in reversed(channels[:-1]):
            self.ups.append(UpBlock(width, skip, skip))
            width = skip
        self.to_image = nn.Conv2d(width, 3, 3, padding=1)

    def forward(self, features: Tensor, skips: Sequence[Tensor]) -> Tensor:
        x = self.blocks(self.narrow(features))
        for up, skip in zip(self.ups, reversed(skips), strict=True):
            x = up(x, skip)
        return torch.tanh(self.to_image(x))


class Generator(nn.Module):
    """G of the paper: ``(sketch, reference) -> image``."""

    def __init__(
        self,
        channels: Sequence[int],
        aggregation: Literal["scft", "adain", "add"],
        bottleneck_channels: int,
        num_residual_blocks: int,
    ) -> None:
        super().__init__()
        feature_channels = 2 * sum(channels)
        self.aggregation = aggregation
        self.sketch_encoder = Encoder(1, channels)
        self.reference_encoder = Encoder(3, channels)
        self.transfer = FeatureTransfer(feature_channels) if aggregation == "scft" else None
        self.decoder = Decoder(feature_channels, channels, bottleneck_channels, num_residual_blocks)

    def encode_references(self, references: Sequence[Tensor]) -> Tensor:
        """The positions of all references, one after the other: ``(B, K, d_v)``."""
        return torch.cat([self.reference_encoder(r).features.flatten(2).mT for r in references], dim=1)

    def aggregate(self, sketch: Tensor, reference: Tensor) -> tuple[Tensor, Attended | None]:
        """Joins sketch features ``(B, d_v, h, w)`` and reference positions ``(B, K, d_v)``."""
        if self.transfer is not None:
            return self.transfer(sketch, reference)
        return (adain_features if self.aggregation == "adain" else add_features)(sketch, reference), None

    def decode(self, sketch: Pyramid, reference: Tensor) -> tuple[Tensor, Attended | None]:
        """From encodings to ``(image (B, 3, H, W), attention)``."""
        joined, attended = self.aggregate(sketch.features, reference)
        return self.decoder(joined, sketch.skips), attended

    def forward(self, sketch: Tensor, references: Sequence[Tensor]) -> tuple[Tensor, Attended | None]:
        return self.decode(self.sketch_encoder(sketch), self.encode_references(references))
