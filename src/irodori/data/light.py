"""Light on a reference: soft or cel shading that is multiplied on, while the truth stays flat."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from irodori.data.batched import Batched


@dataclass(frozen=True)
class Light(Batched):
    """A darker side of each image, bounded by a line or a circle; lengths in shares of the image side.

    center: ``(B, 2)`` a point ``(x, y)`` on the boundary.  towards: ``(B, 2)`` unit vector into the shade.
    curvature: ``(B,)`` of the boundary; 0 = a straight line, positive = the shade lies around a circle of light.
    softness: ``(B,)`` width of the passage from light to shade.
    depth: ``(B,)`` how much darker the shade is, 0…1; 0 = no light field.
    """

    center: Tensor
    towards: Tensor
    curvature: Tensor
    softness: Tensor
    depth: Tensor

    def field(self, size: int) -> Tensor:
        """``(B, 1, size, size)``: what the colors are multiplied by, 1 in the light."""
        axis = torch.arange(size, device=self.depth.device) / max(size - 1, 1)
        x, y = axis - self.center[:, :1], axis - self.center[:, 1:]  # each (B, size)
        bent = self.curvature[:, None] / 2
        across = self.towards[:, :1] * x + bent * x.square()
        down = self.towards[:, 1:] * y + bent * y.square()
        into = across[:, None, :] + down[:, :, None]
        shade = (0.5 + into / self.softness[:, None, None]).clamp(0, 1)
        return (1 - self.depth[:, None, None] * shade)[:, None]


def no_light() -> Light:
    """Even light: a batch of one."""
    return Light(torch.zeros(1, 2), torch.ones(1, 2), torch.zeros(1), torch.ones(1), torch.zeros(1))


def random_light(size: int, generator: np.random.Generator) -> Light:
    """Draws a soft gradient or blob, or a hard-edged cel shade (factor 0.55…0.9), for a ``size x size`` image."""
    angle = generator.uniform(0, 2 * np.pi)
    is_cel = generator.random() < 0.5
    softness = 1 / size if is_cel else generator.uniform(0.3, 1.2)
    depth = generator.uniform(0.1, 0.45)
    values = (
        generator.uniform(0.25, 0.75, 2), (np.cos(angle), np.sin(angle)), generator.uniform(-5, 5), softness, depth,
    )  # fmt: skip
    return Light(*(torch.from_numpy(np.asarray(value, np.float32)[None]) for value in values))
