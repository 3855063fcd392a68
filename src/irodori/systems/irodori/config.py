"""Architecture and objective of the color transport."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from irodori.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class LossWeights:
    """Factors of the loss terms; 0 switches a term off."""

    reconstruction: float = 4.0  # L1 of the finished color layer
    transport: float = 2.0  # L1 of the transported colors, before refinement
    attention: float = 0.5  # cross-entropy of the part that the attention brings
    parts: float = 0.25  # cross-entropy of the part names that both encoders read
    guess: float = 0.0  # share of the two above for parts that no source tells, towards the drawing's own colors
    residual: float = 0.2  # mean size of what refinement adds to transported colors
    small_parts: float = 0.5  # a pixel counts as (mean area of parts / area of its part) to this power
    largest: float = 4.0  # and at most so much

    def __post_init__(self) -> None:
        if min(self.reconstruction, self.transport, self.attention, self.parts, self.guess, self.residual) < 0:
            raise ConfigError("irodori.weights must not be negative")
        if not (0 <= self.small_parts <= 1 and self.largest >= 1):
            raise ConfigError("irodori.weights: small_parts must lie in 0…1 and largest be at least 1")


@dataclass(frozen=True, kw_only=True)
class GuidanceOptions:
    """Which guidance training pairs come with, so that any subset of sources works afterwards.

    hints, palette: share of pairs that have some.  largest: of that number a random one is given.
    conflicts: share of pairs with hints in which one hint changes the color of its part against the reference.
    """

    hints: float = 0.25
    palette: float = 0.15
    largest: int = 8
    conflicts: float = 0.5

    def __post_init__(self) -> None:
        if not all(0 <= share <= 1 for share in (self.hints, self.palette, self.conflicts)) or self.largest < 1:
            raise ConfigError("irodori.guidance: shares must lie in 0…1 and largest be at least 1")


@dataclass(frozen=True, kw_only=True)
class IrodoriConfig:
    """Two encoders into one domain, one attention over all sources of color, a light refinement."""

    image_size: int = 128  # longest side of training images, pixels
    reference_shrink: int = 1  # references are averaged over squares of so many pixels before they are encoded
    channels: tuple[int, int, int] = (16, 64, 128)  # at 1/2, 1/4 and 1/8 of the image
    num_shared_blocks: int = 3  # transformer blocks at 1/8 that sketch and references share
    num_cross_blocks: int = 1  # blocks in which the sketch looks at the references
    num_heads: int = 4  # of the transport; ablation: 1
    key_channels: int = 32  # of each head of the transport
    value_channels: int = 8  # learned values that each head brings beside the color
    values: Literal["colors", "features"] = "colors"  # ablation: learned features only, colors made by the decoder
    refine: bool = True  # ablation: transported colors are only enlarged
    refine_channels: int = 96
    weights: LossWeights = field(default_factory=LossWeights)
    guidance: GuidanceOptions = field(default_factory=GuidanceOptions)

    def __post_init__(self) -> None:
        if len(self.channels) != 3 or min(self.channels) < 1 or self.channels[2] % 32:
            raise ConfigError(f"irodori.channels: three widths, the last a multiple of 32, got {self.channels}")
        if self.image_size % 8 or self.image_size < 8:
            raise ConfigError(f"irodori.image_size must be a multiple of 8, got {self.image_size}")
        if self.reference_shrink not in (1, 2, 4):
            raise ConfigError(f"irodori.reference_shrink must be 1, 2 or 4, got {self.reference_shrink}")
        if min(self.num_heads, self.key_channels, self.refine_channels) < 1:
            raise ConfigError("irodori: num_heads, key_channels and refine_channels must be at least 1")
        if min(self.num_shared_blocks, self.num_cross_blocks, self.value_channels) < 0:
            raise ConfigError("irodori: numbers of blocks and value_channels must not be negative")
        if self.values == "features" and (not self.refine or self.value_channels < 1):
            raise ConfigError("irodori: values = features needs refine and value_channels")
