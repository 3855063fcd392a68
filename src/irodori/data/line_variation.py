"""The variety of line that artists use: width, gaps, softness, grain, gray pencils, toned paper."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from irodori.data.batched import Batched, rows_where
from irodori.data.lines import blurred, gaussian, highest

MOST_GAPS = 6
_TILE = 509  # side of the noise tile; a prime, so that it does not fit the sizes of images


@dataclass(frozen=True)
class Variation(Batched):
    """How the lines of each pair differ from the clean ones; sizes in pixels.

    steps: for each pair, the names of the changes that it gets: "thicker", "thinner", "gaps", "soft", "faint",
        "paper", "noise".
    width: ``(B, 4, 4)`` in 0…1, where along the picture the change of thickness is felt, coarsely.
    gaps: ``(B, 6, 3)`` discs ``(x, y, radius)`` without lines.
    softness: ``(B,)`` sigma of a blur.
    strength: ``(B,)`` darkness of the lines in 0…1.
    paper: ``(B, 2, 2)`` brightness of the paper at the corners, 0…1.
    noise: ``(B,)`` standard deviation in levels.  noise_place: ``(B, 2)`` where in the noise tile the grain is read.
    """

    steps: tuple[frozenset[str], ...]
    width: Tensor
    gaps: Tensor
    softness: Tensor
    strength: Tensor
    paper: Tensor
    noise: Tensor
    noise_place: Tensor

    def vary(self, sketch: Tensor) -> Tensor:
        """Changes sketches ``(B, 1, H, H)`` in levels, lines 0 and paper 255."""
        size, sketch = sketch.shape[-1], sketch.clone()
        for step in ("thicker", "thinner", "gaps", "soft", "faint", "paper", "noise"):
            rows = rows_where([step in steps for steps in self.steps], sketch.device)
            if not len(rows):
                continue
            changed = sketch[rows]
            if step in ("thicker", "thinner"):
                changed = _with_width(changed, step, self.width[rows])
            elif step == "gaps":
                changed = _with_gaps(changed, self.gaps[rows])
            elif step == "soft":
                changed = blurred(changed, gaussian(self.softness[rows], 4))
            elif step == "faint":
                changed = 255 - self.strength[rows].view(-1, 1, 1, 1) * (255 - changed)
            elif step == "paper":
                changed = changed * _spread(self.paper[rows], size)
            else:
                changed = changed + self.noise[rows].view(-1, 1, 1, 1) * _noise(self.noise_place[rows], size)
            sketch[rows] = changed
        return sketch.clamp(0, 255)


def no_variation() -> Variation:
    """Clean lines: a batch of one."""
    one = torch.ones(1)
    return Variation(
        (frozenset(),), torch.ones(1, 4, 4), torch.zeros(1, MOST_GAPS, 3), one, one, torch.ones(1, 2, 2),
        torch.zeros(1), torch.zeros(1, 2, dtype=torch.int64),
    )  # fmt: skip


def random_variation(size: int, generator: np.random.Generator) -> Variation:
    """Draws how the lines of a ``size x size`` sketch differ: a batch of one."""
    chances = {"thick": 0.25, "gaps": 0.25, "soft": 0.3, "noise": 0.2, "faint": 0.15, "paper": 0.1}
    steps = {step for step, chance in chances.items() if generator.random() < chance}
    if "thick" in steps:
        steps = (steps - {"thick"}) | {"thicker" if generator.random() < 0.7 else "thinner"}
    even = generator.random() < 0.5
    width = np.ones((4, 4)) if even else generator.uniform(-0.5, 1.5, (4, 4)).clip(0, 1)
    gaps = generator.uniform((0, 0, 0.01), (1, 1, 0.03), (MOST_GAPS, 3)) * size
    gaps[:, 2] = np.where(np.arange(MOST_GAPS) < generator.integers(1, MOST_GAPS + 1), np.maximum(gaps[:, 2], 1), -1)
    softness, strength, noise = generator.uniform((0.4, 0.3, 2), (0.8, 0.9, 12))
    paper = generator.uniform(0.85, 0.98) + generator.uniform(-0.05, 0.02, (2, 2))
    values = {
        "width": width, "gaps": gaps, "softness": softness, "strength": strength, "paper": paper, "noise": noise,
    }  # fmt: skip
    tensors = {name: torch.from_numpy(np.asarray(value, np.float32)[None]) for name, value in values.items()}
    place = torch.from_numpy(generator.integers(0, _TILE, (1, 2)))
    return Variation(steps=(frozenset(steps),), noise_place=place, **tensors)


def _with_width(sketch: Tensor, step: str, width: Tensor) -> Tensor:
    """Lines one pixel thicker or thinner where `width` is 1."""
    changed = -highest(-sketch, (1, 0)) if step == "thicker" else highest(sketch, (1, 0))
    return sketch + _spread(width, sketch.shape[-1]) * (changed - sketch)


def _with_gaps(sketch: Tensor, gaps: Tensor) -> Tensor:
    """Erases the lines in a few small discs, as a pen that was lifted."""
    axis = torch.arange(sketch.shape[-1], device=sketch.device)
    x, y, radius = (gaps[:, :, i, None] for i in range(3))
    across, down = (axis - x).square(), (axis - y).square()
    inside = (across[:, :, None, :] + down[:, :, :, None] <= (radius.sign() * radius.square())[..., None]).any(1)
    return torch.where(inside[:, None], 255.0, sketch)


def _spread(values: Tensor, size: int) -> Tensor:
    """``(B, n, n)`` values spread smoothly over ``(B, 1, size, size)``."""
    return F.interpolate(values[:, None], (size, size), mode="bilinear", align_corners=True)


def _noise(place: Tensor, size: int) -> Tensor:
    """Grain ``(B, 1, size, size)`` of standard deviation 1: the fixed tile, read from `place` on."""
    axis = torch.arange(size, device=place.device)
    rows, columns = (place[:, :1] + axis) % _TILE, (place[:, 1:] + axis) % _TILE
    return _tile(place.device)[rows[:, :, None], columns[:, None, :]][:, None]


@functools.lru_cache(maxsize=4)
def _tile(device: torch.device) -> Tensor:
    # One tile for all: numbers drawn on the device would differ between devices and batches.
    return torch.randn(_TILE, _TILE, generator=torch.Generator().manual_seed(0)).to(device)
