"""The reference encoder phi: a residual network that names tags, and whose last features the generator sees.

Its layers are named as torchvision's ResNet names them, so that published weights of that layout fit.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from irodori.data.index import PART_NAMES
from irodori.data.vocabulary import color_names
from irodori.systems.taggan.config import TaggerConfig

FREQUENCY_DECAY = 0.99
"""Of the average that counts how often each tag occurs, per training step."""

NUM_PLACES = len(PART_NAMES) + len(color_names())
"""What positions can be told apart by: part names, then color names."""

RARE = -3.0
"""Logit of a tag before anything is known."""


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
    """He et al. 2016: stem, stages of basic blocks, and a linear layer ``fc`` on the averaged features."""

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
        self.fc = nn.Linear(width, num_tags)

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


class Tagger(nn.Module):
    """phi with its classifier.  frequency: ``(T,)``, how often each tag was true in training."""

    frequency: Tensor

    def __init__(self, config: TaggerConfig, num_tags: int, has_places: bool) -> None:
        """has_places: whether it also learns where parts and colors are; coloring does without that."""
        super().__init__()
        self.network = ResNet(config, num_tags)
        self.places = nn.Conv2d(config.channels[-1], NUM_PLACES, 1) if has_places else None
        self.register_buffer("frequency", torch.full((num_tags,), 0.05))

    def forward(self, image: Tensor) -> Tensor:
        """phi(r): ``(B, C, h, w)``, none negative."""
        return self.network(image)

    def logits(self, features: Tensor) -> Tensor:
        """Features ``(B, C, h, w)`` to one unbounded score for each tag, ``(B, T)``."""
        return self.network.fc(gap(features))

    def probabilities(self, features: Tensor) -> Tensor:
        """cls of the paper: ``(B, T)`` in 0…1."""
        return torch.sigmoid(self.logits(features))

    def initialize(self) -> None:
        """He et al. 2015 for convolutions; the classifier starts at a tag's usual frequency."""
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d) and not layer.weight.is_meta:
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
        if not self.network.fc.bias.is_meta:
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


def pooled(maps: Sequence[Tensor]) -> Tensor:
    """Global average over the positions of several maps ``(B, C, h, w)``: ``(B, C)``."""
    return torch.cat([features.flatten(2) for features in maps], dim=2).mean(2)
