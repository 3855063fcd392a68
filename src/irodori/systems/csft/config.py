"""Architecture and objective of CSFT (Cui et al. 2022)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from irodori.errors import ConfigError

FEATURE_LAYERS: Mapping[str, tuple[str, ...]] = {
    "vgg19_2": ("relu2_2", "relu3_2", "relu4_2", "relu5_2"),
    "mobilenet_v2": ("block01", "block03", "block06", "block13"),
}
"""Layers of equation 12 in each network that is understood; equations 10 and 11 take the last.

The paper's are VGG19's; those of MobileNetV2 have the same strides: 2, 4, 8, 16.
"""


@dataclass(frozen=True, kw_only=True)
class LossWeights:
    """Factors of the loss terms; 0 switches a term, and what only it needs, off.

    The paper prints none: these are those of CoCosNet (Zhang et al. 2020), whose losses it takes over.
    """

    perceptual: float = 0.001  # equation 10
    style: float = 1.0  # equation 11
    contextual: float = 1.0  # equation 12
    pseudo: float = 10.0  # equation 13
    align: float = 10.0  # equation 14
    adversarial: float = 10.0  # equation 15, of each discriminator
    coarse: float = 0.0  # L1 of the coarse image; not in the paper

    def __post_init__(self) -> None:
        terms = (self.perceptual, self.style, self.contextual, self.pseudo, self.align, self.adversarial, self.coarse)
        if min(terms) < 0:
            raise ConfigError("csft.weights must not be negative")


@dataclass(frozen=True, kw_only=True)
class CSFTConfig:
    """Two pyramids into one domain, a warp by correlation, a coarse-to-fine generator, two discriminators.

    The paper prints neither layers nor widths; the pyramids are those of SCFT, whose attention it takes over.
    """

    image_size: int = 256  # side of training images, pixels
    fold: int = 1  # squares of so many pixels a side become channels, before pyramids and generator; 1 = no folding
    channels: tuple[int, ...] = (16, 32, 64, 128, 256)  # of the pyramids' stages, two convolutions each
    alignment_stride: int = 4  # pixels of the image for one position of the correlation, along each side (64 at 256)
    transfer: Literal["csft", "residual"] = "csft"  # ablation of table 2: residual convolutions
    transfer_channels: int = 0  # width of the transfer; 0 = d_v, the sum of the pyramid's widths (992)
    domain_channels: int = 256  # of x_c and y_c
    temperature: float = 100.0  # alpha of equation 4
    generator_channels: tuple[int, ...] = (64, 128, 256)  # of the generator's stages, fine to coarse
    num_residual_blocks: int = 4  # at the generator's coarsest size
    structural: bool = True  # structural condition, with its discriminator (ablation "sc" of table 2)
    colorific: bool = True  # colorific condition, with its discriminator (ablation "cc" of table 2)
    discriminator_channels: int = 64  # PatchGAN of Isola et al. 2017
    discriminator_layers: int = 3
    discriminator_scales: int = 2
    weights: LossWeights = field(default_factory=LossWeights)
    features: str = "vgg19_2"  # frozen network of the perceptual, style and contextual losses
    context_side: int = 64  # the contextual loss compares at most so many positions a side, of coarser maps if needed

    def __post_init__(self) -> None:
        for name, widths in (("channels", self.channels), ("generator_channels", self.generator_channels)):
            if len(widths) < 2 or min(widths) < 1:
                raise ConfigError(f"csft.{name}: at least two positive widths, got {widths}")
        for name, factor in (("fold", self.fold), ("alignment_stride", self.alignment_stride)):
            if factor not in (1, 2, 4, 8, 16):
                raise ConfigError(f"csft.{name} must be 1, 2, 4, 8 or 16, got {factor}")
        if self.image_size % self.size_multiple or self.image_size < self.size_multiple:
            raise ConfigError(f"csft.image_size must be a multiple of {self.size_multiple}, got {self.image_size}")
        widths = (self.domain_channels, self.discriminator_channels)
        if min(*widths, self.discriminator_scales, self.context_side) < 1:
            raise ConfigError("csft: widths, sides and numbers of discriminators must be at least 1")
        if self.features not in FEATURE_LAYERS:
            known = ", ".join(FEATURE_LAYERS)
            raise ConfigError(f"csft.features: the losses know layers of {known}, got {self.features}")
        if min(self.transfer_channels, self.num_residual_blocks, self.discriminator_layers) < 0:
            raise ConfigError("csft: transfer_channels and numbers of layers must not be negative")
        if self.temperature <= 0:
            raise ConfigError(f"csft.temperature must be positive, got {self.temperature}")

    @property
    def size_multiple(self) -> int:
        """Sides of network images are multiples of this: the strides of pyramids, alignment and generator."""
        stages = max(len(self.channels), len(self.generator_channels))
        return max(self.fold * 2 ** (stages - 1), self.alignment_stride)

    @property
    def summed_channels(self) -> int:
        """d_v of equation 5: all activations of a pyramid, concatenated."""
        return 2 * sum(self.channels)

    @property
    def is_structural(self) -> bool:
        """True if training uses the structure discriminator."""
        return self.structural and self.weights.adversarial > 0

    @property
    def is_colorific(self) -> bool:
        """True if training uses the color discriminator."""
        return self.colorific and self.weights.adversarial > 0

    @property
    def needs_features(self) -> bool:
        """True if training needs the frozen feature network."""
        return max(self.weights.perceptual, self.weights.style, self.weights.contextual) > 0
