"""Changes of a picture's colors as a whole: brightness, contrast, saturation, hue; batched, on any device."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from irodori.data.batched import Batched
from irodori.data.layers import GRAY
from irodori.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class JitterOptions:
    """Largest changes, drawn evenly in both directions; brightness, contrast and saturation are shares of 1."""

    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue_degrees: float = 0.0

    def __post_init__(self) -> None:
        if not all(0 <= share <= 1 for share in (self.brightness, self.contrast, self.saturation)):
            raise ConfigError("jitter: brightness, contrast and saturation must lie in 0…1")
        if not 0 <= self.hue_degrees <= 180:
            raise ConfigError(f"jitter: hue_degrees must lie in 0…180, got {self.hue_degrees}")


@dataclass(frozen=True)
class Jitter(Batched):
    """``new = matrix (contrast old + (1 - contrast) mean)`` at each pixel, where the mean is the picture's brightness.

    contrast: ``(B,)``.  matrix: ``(B, 3, 3)``: brightness, then saturation, then a turn of the hue.
    """

    contrast: Tensor
    matrix: Tensor

    def apply(self, color: Tensor) -> Tensor:
        """Changed pictures ``(B, 3, H, W)`` in levels; values outside 0…255 are left for the caller to clip."""
        contrast = self.contrast[:, None, None, None]
        mean = color.double().mean((1, 2, 3), keepdim=True).float()  # exact, so that no result depends on its batch
        spread = (contrast * color + (1 - contrast) * mean).flatten(2)
        return torch.bmm(self.matrix, spread).view_as(color)


def no_jitter() -> Jitter:
    """The change that keeps every level as it is: a batch of one."""
    return Jitter(torch.ones(1), torch.eye(3)[None])


def random_jitter(options: JitterOptions, generator: np.random.Generator) -> Jitter:
    """Draws a change: a batch of one."""
    drawn = {f.name: generator.uniform(-1, 1) * getattr(options, f.name) for f in fields(options)}
    matrix = hue_turn(math.radians(drawn["hue_degrees"])) @ saturation(1 + drawn["saturation"])
    matrix = (1 + drawn["brightness"]) * matrix
    return Jitter(torch.tensor([1 + drawn["contrast"]]).float(), torch.from_numpy(matrix.astype(np.float32))[None])


def saturation(factor: float) -> NDArray[np.float64]:
    """``(3, 3)``: away from gray of the same brightness by a factor."""
    return factor * np.eye(3) + (1 - factor) * np.outer(np.ones(3), GRAY)


def hue_turn(angle: float) -> NDArray[np.float64]:
    """``(3, 3)``: a turn about the gray axis, in radians; a third of a full one takes red to green to blue."""
    cross = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / math.sqrt(3)
    return math.cos(angle) * np.eye(3) + (1 - math.cos(angle)) / 3 * np.ones((3, 3)) + math.sin(angle) * cross
