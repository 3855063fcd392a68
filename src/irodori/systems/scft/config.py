"""Architecture and objective of SCFT (Lee et al. 2020); defaults are the paper's."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from irodori.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class LossWeights:
    """Factors of equation 10 (section 3.5); 0 switches a term, and what only it needs, off."""

    reconstruction: float = 30.0
    adversarial: float = 1.0
    perceptual: float = 0.01
    style: float = 50.0
    triplet: float = 1.0

    def __post_init__(self) -> None:
        if min(self.reconstruction, self.adversarial, self.perceptual, self.style, self.triplet) < 0:
            raise ConfigError("scft.weights must not be negative")


@dataclass(frozen=True, kw_only=True)
class SCFTConfig:
    """Architecture of SCFT (sections 3.2, 3.3, A.3)."""

    image_size: int = 256  # side of training images, pixels
    channels: tuple[int, ...] = (16, 32, 64, 128, 256)  # of the encoder's stages, two convolutions each (table 5)
    aggregation: Literal["scft", "adain", "add"] = "scft"  # ablation A.1
    bottleneck_channels: int = 0  # width of the residual blocks; 0 = d_v, the paper's 992
    num_residual_blocks: int = 4  # A.3: 4
    discriminator_channels: int = 64  # PatchGAN of Isola et al. 2017
    initialization: Literal["normal", "kaiming"] = "normal"  # A.3: N(0, 0.02)
    weights: LossWeights = field(default_factory=LossWeights)
    margin: float = 12.0  # gamma of equation 5
    positives: Literal["field", "field+parts"] = "field"  # what the triplet loss knows; parts: see docs/systems/scft.md
    features: str = "vgg19"  # frozen network of the perceptual and style losses

    def __post_init__(self) -> None:
        if len(self.channels) < 2 or min(self.channels) < 1:
            raise ConfigError(f"scft.channels: at least two positive widths, got {self.channels}")
        if self.image_size % self.stride or self.image_size < self.stride:
            raise ConfigError(f"scft.image_size must be a multiple of {self.stride}, got {self.image_size}")
        if min(self.bottleneck_channels, self.num_residual_blocks) < 0 or self.discriminator_channels < 1:
            raise ConfigError("scft: widths and numbers of blocks must not be negative")

    @property
    def stride(self) -> int:
        """Pixels of the image for one attention position, along each side."""
        return int(2 ** (len(self.channels) - 1))

    @property
    def feature_channels(self) -> int:
        """d_v of equation 1: all activations of an encoder, concatenated (table 5: 992)."""
        return 2 * sum(self.channels)

    @property
    def needs_features(self) -> bool:
        """True if training needs the frozen feature network."""
        return self.weights.perceptual > 0 or self.weights.style > 0
