"""The reference encoder phi: a residual network that names tags, and whose last features the generator sees.

Its layers are named as torchvision's ResNet names them, so that published weights of that layout fit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from irodori.data.tags import place_words
from irodori.systems.taggan.config import TaggerConfig

FREQUENCY_DECAY = 0.99
"""Of the average that counts how often each tag occurs, per training step."""

RARE = -3.0
"""Logit of a tag before anything is known."""

SMALLEST_AREA = 1e-3
"""Share of a picture: areas are told apart from about this size on."""


class BasicBlock(nn.Module):
    """Two 3x3 convolutions added to the input (He et al. 2016, figure 5 left)."""

    def __init__(self, in_channels: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.downsample = None
        if stride > 1 or in_channels != channels:
            self.downsample = nn.Sequential(
                nn.Conv2d(in_channels, channels, 1, stride, bias=False), nn.BatchNorm2d(channels)
            )

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet(nn.Module):
    """He et al. 2016: stem, stages of basic blocks, and (unless `num_tags` is 0) a linear layer ``fc`` for averages."""

    def __init__(self, config: TaggerConfig, num_tags: int) -> None:
        super().__init__()
        width = config.channels[0]
        self.is_small = config.stem == "small"
        self.conv1 = nn.Conv2d(3, width, 3 if self.is_small else 7, 2, 1 if self.is_small else 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.num_stages = len(config.channels)
        for number, (channels, depth) in enumerate(zip(config.channels, config.blocks, strict=True), 1):
            self.add_module(f"layer{number}", _stage(width, channels, depth, stride=1 if number == 1 else 2))
            width = channels
        self.num_channels = width
        self.fc = nn.Linear(width, num_tags) if num_tags else None

    def forward(self, image: Tensor) -> Tensor:
        """``(B, 3, H, W)`` in [-1, 1] to features ``(B, C, H / stride, W / stride)``, none negative."""
        x = F.relu(self.bn1(self.conv1(image)))
        if not self.is_small:
            x = F.max_pool2d(x, 3, 2, 1)
        for number in range(1, self.num_stages + 1):
            x = self.get_submodule(f"layer{number}")(x)
        return x


def _stage(in_channels: int, channels: int, depth: int, stride: int) -> nn.Sequential:
    first = BasicBlock(in_channels, channels, stride)
    return nn.Sequential(first, *(BasicBlock(channels, channels, 1) for _ in range(depth - 1)))


class Reading(NamedTuple):
    """What the tagger makes of pictures.

    features: phi(r), ``(B, C, h, w)``, none negative.  logits: ``(B, T)``, unbounded, one score for each tag.
    places: ``(B, parts + 1 + colors, h, w)``, logits of part and of color at each position; None from a tagger that
        only averages.
    """

    features: Tensor
    logits: Tensor
    places: Tensor | None = None

    @property
    def probabilities(self) -> Tensor:
        """cls of the paper: ``(B, T)`` in 0…1."""
        return torch.sigmoid(self.logits)


class PlaceHead(nn.Module):
    """Part and color at each position; their products are tag maps, which are the features.

    Not in the paper.  A ResNet-34 with 512 channels learns by itself, in a day, that red hair and red clothes are two
    things; a small one has it built in: a channel is high where a part is and has a color, and a color tag is read from
    how the colors of its part are spread.
    """

    part: Tensor
    color: Tensor

    def __init__(self, channels: int, tags: Sequence[str]) -> None:
        super().__init__()
        words = place_words(tags)
        self.num_parts, self.num_colors = len(words.parts) + 1, len(words.colors)
        self.classify = nn.Conv2d(channels, self.num_parts + self.num_colors, 1)
        self.read = nn.Linear(channels + self.num_parts, len(tags))
        self.scale = nn.Parameter(torch.ones(len(tags)))
        part, color = words.positions(tags)
        self.register_buffer("part", part, persistent=False)
        self.register_buffer("color", color, persistent=False)

    @property
    def num_maps(self) -> int:
        return self.num_parts * self.num_colors

    def forward(self, features: Tensor) -> Reading:
        """features: ``(B, C, h, w)`` of the network."""
        logits = self.classify(features)
        parts, colors = logits[:, : self.num_parts].softmax(1), logits[:, self.num_parts :].softmax(1)
        seen = torch.cat([gap(features), (gap(parts) + SMALLEST_AREA).log()], dim=1)
        tags = self.read(seen) + self.scale * self.evidence(parts, colors)
        maps = (parts[:, :, None] * colors[:, None]).flatten(1, 2)
        # Maps sum to 1; as they are, the generator would hardly see them beside its own features.
        return Reading(maps * math.sqrt(self.num_maps), tags, logits)

    def evidence(self, parts: Tensor, colors: Tensor) -> Tensor:
        """Logits of color tags from parts ``(B, P, h, w)`` and colors ``(B, K, h, w)``: ``(B, T)``, 0 for attributes.

        A color fits as its share of the part's places is to that of the likeliest color; a part that covers less than
        `SMALLEST_AREA` is rather not there.
        """
        spread = torch.einsum("bphw,bkhw->bpk", parts.square(), colors)  # squared: where a part is likely counts most
        area = gap(parts)
        shown = area / (area + SMALLEST_AREA)
        fit = shown[..., None] * spread / spread.amax(2, keepdim=True).clamp(min=1e-12)
        is_color = self.part >= 0
        return torch.logit(fit[:, self.part * is_color, self.color * is_color], eps=1e-4) * is_color

    def initialize(self) -> None:
        """Color tags start from their evidence alone, attributes at their usual frequency."""
        if not self.read.weight.is_meta:
            nn.init.zeros_(self.read.weight)
            self.read.bias.data = torch.where(self.part >= 0, 0.0, RARE)


class Tagger(nn.Module):
    """phi with its classifier.  frequency: ``(T,)``, how often each tag was true in training."""

    frequency: Tensor

    def __init__(self, config: TaggerConfig, tags: Sequence[str]) -> None:
        super().__init__()
        has_places = config.head == "places"
        self.network = ResNet(config, 0 if has_places else len(tags))
        self.places = PlaceHead(config.channels[-1], tags) if has_places else None
        self.register_buffer("frequency", torch.full((len(tags),), 0.05))

    @property
    def num_features(self) -> int:
        """Channels of phi(r)."""
        return self.network.num_channels if self.places is None else self.places.num_maps

    def forward(self, image: Tensor) -> Reading:
        """``(B, 3, H, W)`` in [-1, 1]; sides are multiples of the stride."""
        features = self.network(image)
        if self.places is not None:
            return self.places(features)
        assert self.network.fc is not None
        return Reading(features, self.network.fc(gap(features)))

    def encoder_parameters(self) -> list[nn.Parameter]:
        """What the features depend on."""
        if self.places is not None:
            return [*self.network.parameters(), *self.places.classify.parameters()]
        return [value for name, value in self.network.named_parameters() if not name.startswith("fc.")]

    def initialize(self) -> None:
        """He et al. 2015 for convolutions; the classifier starts at a tag's usual frequency."""
        for layer in self.network.modules():
            if isinstance(layer, nn.Conv2d) and not layer.weight.is_meta:
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
        if self.places is not None:
            self.places.initialize()
        elif self.network.fc is not None and not self.network.fc.bias.is_meta:
            nn.init.constant_(self.network.fc.bias, RARE)

    @torch.no_grad()
    def count(self, values: Tensor, known: Tensor) -> None:
        """Remembers how often tags are true: ``(B, T)`` each; tags that nobody knows of stay as they are."""
        total = known.sum(0)
        seen = torch.where(total > 0, (values * known).sum(0) / total.clamp(min=1), self.frequency)
        self.frequency.lerp_(seen, 1 - FREQUENCY_DECAY)

    def rarity(self) -> Tensor:
        """alpha of the focal loss, ``(T,)`` in 0…1: inverse to the frequency, 1/2 for a tag of median frequency."""
        median = self.frequency.median()
        return median / (median + self.frequency)


def gap(features: Tensor) -> Tensor:
    """Global average pooling: ``(B, C, h, w)`` to ``(B, C)``."""
    return features.mean((2, 3))
