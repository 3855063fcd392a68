"""What all frozen networks share: a name, strict loading from a safetensors file, and no training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from irodori.checkpoint import check_keys, read_tensors
from irodori.errors import ConfigError


class Frozen(nn.Module):
    """A network that is never trained; pictures go in as ``(B, 3, H, W)`` in [-1, 1]."""

    name: ClassVar[str]

    def load(self, path: Path) -> Self:
        """Fills the network from a safetensors file and freezes it.

        Every tensor must be there in its shape; what else a file holds (a classifier) is not looked at.
        """
        expected = self.state_dict()
        found = {key: value.float() for key, value in read_tensors(path).items() if key in expected}
        check_keys(path, expected, found)
        self.load_state_dict(found)
        return self.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> Self:
        """Stays in evaluation mode whatever is asked."""
        return super().train(False)


class Features(Frozen):
    """A frozen network for comparing pictures place by place; a call gives the maps of `layers`, shallow to deep."""

    layers: ClassVar[tuple[str, ...]]

    def activations(self, image: Tensor) -> Iterator[tuple[str, Tensor]]:
        """Names and maps ``(B, C, h, w)`` of all layers, shallow to deep, each computed when it is asked for."""
        raise NotImplementedError

    def forward(self, image: Tensor) -> list[Tensor]:
        return self.at(image, self.layers)

    def at(self, image: Tensor, layers: Sequence[str]) -> list[Tensor]:
        """The maps of some layers, in the order of their names; ConfigError when there is no such layer."""
        found: dict[str, Tensor] = {}
        for layer, activation in self.activations(image):
            if layer in layers:
                found[layer] = activation
            if len(found) == len(set(layers)):
                return [found[layer] for layer in layers]
        missing = ", ".join(layer for layer in layers if layer not in found)
        raise ConfigError(f"{self.name} has no layer {missing}; its usual layers are {', '.join(self.layers)}")


class Embedding(Frozen):
    """A frozen network for comparing pictures as wholes: pictures of any size to vectors ``(B, num_features)``.

    image_size: side in pixels to which it resizes by itself.
    """

    num_features: ClassVar[int]
    image_size: ClassVar[int]


def resized(image: Tensor, height: int, width: int) -> Tensor:
    """Bicubic with antialiasing on floats, not rounded, values clipped: the resizing of clean-fid (Parmar et al. 2022).

    Other ways of resizing (nearest, bilinear without antialiasing, rounding to bytes) shift FID by several points.
    """
    if image.shape[-2:] == (height, width):
        return image
    return F.interpolate(image, (height, width), mode="bicubic", antialias=True, align_corners=False).clamp(-1, 1)


class Normalization(nn.Module):
    """[-1, 1] to the zero mean and unit deviation of a network's training pictures, given on [0, 1] by channel."""

    def __init__(self, mean: Sequence[float], deviation: Sequence[float]) -> None:
        super().__init__()
        self.mean: Tensor
        self.deviation: Tensor
        self.register_buffer("mean", torch.tensor(mean).view(3, 1, 1), persistent=False)
        self.register_buffer("deviation", torch.tensor(deviation).view(3, 1, 1), persistent=False)

    def forward(self, image: Tensor) -> Tensor:
        return ((image + 1) / 2 - self.mean) / self.deviation
