"""Architecture and objective of CNF (Pi 2023, chapter 3); defaults are the thesis's."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from irodori.errors import ConfigError

Aggregation = Literal["fam", "none", "concatenation", "adain"]
Joining = Literal["gate", "sum"]


@dataclass(frozen=True, kw_only=True)
class LossWeights:
    """Section 3.5: the reconstruction loss counts ten times as much as the perceptual one; 0 switches a term off."""

    reconstruction: float = 10.0
    perceptual: float = 1.0
    attention: float = 0.0  # not in the thesis: the spatial attention of INN_s, if it has one, is told the parts

    def __post_init__(self) -> None:
        if min(self.reconstruction, self.perceptual, self.attention) < 0:
            raise ConfigError("cnf.weights must not be negative")


@dataclass(frozen=True, kw_only=True)
class CNFConfig:
    """Architecture of CNF (sections 3.1 and 3.5)."""

    image_size: int = 256  # side of training images, pixels
    num_downsamplings: int = 3  # NCCB(n, m): n
    num_nccb: int = 1  # NCCB(n, m): m, non-conditional coupling blocks after each downsampling
    num_ccb: int = 8  # conditional coupling blocks at the deepest size
    num_residual_blocks: int = 3  # of each sub-network
    hidden_channels: int = 0  # most channels inside a sub-network; 0 = those of its input, as in 3.5
    least_scale: float = 0.1  # smallest factor of a coupling (thesis: 0, a plain sigmoid), see docs/systems/cnf.md
    aggregation: Aggregation = "fam"  # how the reference enters a conditional block; the others: section 4.5.1
    joining: Joining = "gate"  # how what the module found meets the kept half: a factor (3.16), or added
    mlp_expansion: int = 4  # hidden over input width of the module's perceptrons; not printed, see docs/systems/cnf.md
    scaled_attention: bool = False  # divide the scores of 3.11 and 3.12 by the root of d and by the number of positions
    last_layer: float = 0.0  # deviation of the initial weights of the sub-networks' last layers (3.5: zeros)
    weights: LossWeights = field(default_factory=LossWeights)
    features: str = "vgg16"  # frozen network of the perceptual loss

    def __post_init__(self) -> None:
        if not 1 <= self.num_downsamplings <= 5:
            raise ConfigError(f"cnf.num_downsamplings must lie in 1…5, got {self.num_downsamplings}")
        if self.image_size % self.stride or self.image_size < 2 * self.stride:
            raise ConfigError(f"cnf.image_size must be a multiple of {self.stride}, got {self.image_size}")
        if min(self.num_nccb, self.num_ccb, self.num_residual_blocks, self.mlp_expansion) < 1:
            raise ConfigError("cnf: numbers of blocks and mlp_expansion must be positive")
        if not 0 <= self.least_scale < 1:
            raise ConfigError(f"cnf.least_scale must lie in 0…1 (1 excluded), got {self.least_scale}")
        if min(self.hidden_channels, self.last_layer) < 0:
            raise ConfigError("cnf: hidden_channels and last_layer must not be negative")

    @property
    def stride(self) -> int:
        """Pixels of the image for one position of the deepest features, along each side."""
        return int(2**self.num_downsamplings)

    @property
    def needs_features(self) -> bool:
        """True if training needs the frozen feature network."""
        return self.weights.perceptual > 0
