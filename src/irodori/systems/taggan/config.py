"""Architecture and objectives of TagGAN (Yan et al. 2023; Yan 2025, chapter 4); defaults are the paper's."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Literal

from irodori.data.vocabulary import default_tags
from irodori.errors import ConfigError

Step = Literal["tagger", "colors", "tags"]


@dataclass(frozen=True, kw_only=True)
class LossWeights:
    """Factors of the loss terms; 0 switches a term, and what only it needs, off."""

    entropy: float = 1.0  # tagger: cross-entropy (thesis, equation 4.1)
    focal: float = 1.0  # tagger: focal loss (4.2)
    places: float = 10.0  # tagger with head = places: cross-entropy of part and color at positions
    adversarial: float = 1.0  # step 1, equation 2
    reconstruction: float = 100.0  # step 1, equation 3
    variation: float = 1e-4  # step 1, equation 4, from `variation_from` on
    attention: float = 0.0  # step 1, not in the paper: cross-entropy of the parts that the attention finds
    pixel: float = 1.0  # step 2, first half of equation 12
    feature: float = 1.0  # step 2, second half of equation 12
    inversion: float = 1.0  # step 2, equation 13; Attention alone

    def __post_init__(self) -> None:
        if min(getattr(self, f.name) for f in fields(self)) < 0:
            raise ConfigError("taggan.weights must not be negative")


@dataclass(frozen=True, kw_only=True)
class TaggerConfig:
    """The residual network of basic blocks that names tags, and whose features the generator sees."""

    channels: tuple[int, ...] = (64, 128, 256, 512)  # of the stages; every one but the first halves the size
    blocks: tuple[int, ...] = (3, 4, 6, 3)  # of each stage (ResNet-34)
    stem: Literal["imagenet", "small"] = "imagenet"  # 7x7 to 1/2 and pooling to 1/4, or 3x3 to 1/2
    head: Literal["average", "places"] = "average"  # what tags are read from; places: for small networks
    focus: float = 2.0  # gamma of the focal loss (thesis, equation 4.2)

    def __post_init__(self) -> None:
        if not self.channels or len(self.channels) != len(self.blocks) or min(*self.channels, *self.blocks) < 1:
            raise ConfigError(
                f"taggan.tagger: one width and one depth for each stage, got {self.channels, self.blocks}"
            )

    @property
    def stride(self) -> int:
        """Pixels of the image for one position of the features, along each side."""
        return int(2 ** (len(self.channels) - 1)) * (4 if self.stem == "imagenet" else 2)


@dataclass(frozen=True, kw_only=True)
class EditOptions:
    """Anchors and targets of step 2: the tags of the anchor are changed, the target shows what should come of it.

    asked: share of pairs whose target is the anchor with one part in the color of a tag, as strongly as the tag is set;
        the rest are two references of the batch (the paper: all).
    no_anchor: share of the rest whose anchor is no reference at all.
    """

    asked: float = 0.0
    no_anchor: float = 0.0

    def __post_init__(self) -> None:
        if not (0 <= self.asked <= 1 and 0 <= self.no_anchor <= 1):
            raise ConfigError("taggan.edits: shares must lie in 0…1")


@dataclass(frozen=True, kw_only=True)
class TagGANConfig:
    """Tagger, generator and mapping network, and which of them are trained."""

    image_size: int = 256  # side of training images, pixels (paper: 384)
    steps: tuple[Step, ...] = ("colors",)  # what is trained: the tagger, step 1 (colors), step 2 (tags)
    tags: tuple[str, ...] = field(default_factory=default_tags)  # what the tagger knows, in the order of its outputs
    tagger: TaggerConfig = field(default_factory=TaggerConfig)
    joint: bool = False  # ablation of table 1: the reference encoder is trained with the generator
    channels: tuple[int, ...] = (64, 128, 256, 512, 512)  # of the sketch encoder's pairs (thesis, table 4.1)
    receiving: Literal["attention", "add"] = "attention"  # equation 5
    num_heads: int = 1  # of the receiving and the self-attention
    rbca: bool = True  # ablation of table 1
    critic_channels: int = 64
    initialization: Literal["normal", "kaiming"] = "normal"  # N(0, 0.02)
    mapping: Literal["adaptive", "plain"] = "adaptive"  # ablation of figure 7: an ordinary perceptron
    mapping_channels: int = 512
    num_mapping_layers: int = 4
    empty_ratio: Literal[0, 1] = 1  # of a channel that the anchor lacks altogether: paper 1, thesis 0
    variation_from: int = 384  # side from which the total variation counts, pixels (section 3.1)
    weights: LossWeights = field(default_factory=LossWeights)
    edits: EditOptions = field(default_factory=EditOptions)

    def __post_init__(self) -> None:
        if len(self.channels) < 2 or min(self.channels) < 1:
            raise ConfigError(f"taggan.channels: at least two positive widths, got {self.channels}")
        if self.image_size % self.stride or self.image_size < self.stride:
            raise ConfigError(f"taggan.image_size must be a multiple of {self.stride}, got {self.image_size}")
        if self.num_heads < 1 or self.channels[-1] % self.num_heads or self.channels[-2] % self.num_heads:
            raise ConfigError(f"taggan.num_heads must divide the last two of channels {self.channels}")
        if min(self.critic_channels, self.mapping_channels, self.num_mapping_layers) < 1:
            raise ConfigError("taggan: widths and numbers of layers must be at least 1")
        if len(set(self.tags)) < len(self.tags) or not self.tags:
            raise ConfigError("taggan.tags: at least one tag, and none of them twice")
        if not self.steps or len(set(self.steps)) < len(self.steps):
            raise ConfigError("taggan.steps: at least one of tagger, colors, tags, and none of them twice")
        if self.joint and "tags" in self.steps:
            raise ConfigError("taggan.joint is for step 1: the tags of step 2 need a tagger that stays as it is")

    @property
    def stride(self) -> int:
        """Sides of network images are multiples of this: of the sketch's and of the references' coarsest cells."""
        return max(int(2 ** len(self.channels)), self.tagger.stride)
