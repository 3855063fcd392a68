"""Line drawings of batches of training pairs, on any device; each kind is made only for the pairs that want it.

Images are float levels 0…255, sketches ``(B, 1, H, W)`` with lines 0 and paper 255.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from irodori.data.batched import rows_where
from irodori.data.layers import GRAY, Layers
from irodori.data.sketch import Operations, difference_of_gaussians, pencil, sharpened, xdog

KINDS = ("ink", "xdog", "dog", "edges", "pencil")
"""Kinds of line that `DataOptions.sketches` may name."""


def draw_lines(
    color: Tensor, drawing: Layers, labels: Tensor, own_sketch: Tensor, kinds: Sequence[str], thickness: Tensor
) -> Tensor:
    """Sketches ``(B, 1, H, W)`` of colored drawings, each of its kind: one of `KINDS`, or "own".

    color: ``(B, 3, H, W)``.  labels: of `drawing`.  own_sketch: ``(B, 1, H, W)`` the artist's line drawing, kind
    "own".  thickness: ``(B,)`` of region borders, 1 or 2 pixels.
    """
    sketch = own_sketch.to(torch.float32, copy=True)
    for kind in sorted(set(kinds) - {"own"}):
        rows = rows_where([each == kind for each in kinds], color.device)
        drawn = ink(drawing, labels, thickness)[rows] if kind == "ink" else extract_lines(color[rows], kind)
        sketch[rows] = drawn
    return sketch


def extract_lines(color: Tensor, kind: str) -> Tensor:
    """Lines ``(B, 1, H, W)`` found in images ``(B, 3, H, H)``; kind: one of `KINDS` but "ink"."""
    return _EXTRACTORS[kind](color)


def ink(drawing: Layers, labels: Tensor, thickness: Tensor) -> Tensor:
    """The art's own ink with the borders of its regions."""
    # Lines are merged into what they lie on, so that ink is not outlined twice.
    is_line = F.pad(drawing.is_line, (0, 1))  # one more, read where no part is
    on_line = is_line.gather(1, (labels % is_line.shape[1]).flatten(1)).view_as(labels)
    areas = torch.where(on_line, -1, labels)
    return torch.minimum(ink_lines(drawing), region_borders(areas, thickness))


def ink_lines(drawing: Layers) -> Tensor:
    """The art's own ink: line parts black, all other parts white; fixed dark colors of the base count as ink."""
    line, covered = drawing.drawn
    white = (drawing.base + (covered - line)).clamp(0, 255)
    return ((brightness(white).round() - 70) * (255 / 130)).clamp(0, 255).floor()


def line_share(drawing: Layers) -> Tensor:
    """How much of each pixel is drawn line, in 0…1: coverage of line parts, and what is dark of the fixed base; 0 in
    pictures."""
    line, covered = drawing.drawn
    fixed = (255 - covered).clamp(min=0)
    # The darkness that `ink_lines` gives to the base's color, which is base / fixed, times its share.
    dark = ((200 / 255 * fixed - brightness(drawing.base)) * (255 / 130)).clamp(min=0)
    is_picture = (covered == 0).all(-1, keepdim=True).all(-2, keepdim=True)
    return ((line + torch.minimum(dark, fixed)) / 255).clamp(max=1).masked_fill(is_picture, 0)


def region_borders(labels: Tensor, thickness: Tensor) -> Tensor:
    """Lines where neighbouring pixels of ``(B, H, W)`` labels differ: the outline of art that has none."""
    edges = torch.zeros_like(labels, dtype=torch.bool)[:, None]
    edges[:, 0, :, 1:] = labels[:, :, 1:] != labels[:, :, :-1]
    edges[:, 0, 1:] |= labels[:, 1:] != labels[:, :-1]
    thick = highest(edges, (1, 0)) & (thickness[:, None, None, None] > 1)
    return 255.0 * ~(edges | thick)


def gradient_edges(color: Tensor, low: float = 40, high: float = 120, steps: int = 8) -> Tensor:
    """One-pixel edges of the strongest channel, in the manner of Canny (1986).

    Edges above `high` are followed through pixels above `low` for `steps` pixels, where Canny follows them to their
    end: a number of steps that depends on the picture would make a device wait.
    """
    across, down = _sobel(_blur(color, 0.8))
    strength, channel = (across.abs() + down.abs()).max(1, keepdim=True)
    across, down = across.gather(1, channel), down.gather(1, channel)
    strength = torch.where(_is_ridge(strength, across, down), strength, 0.0)
    weak, edge = strength > low, strength > high
    for _ in range(steps):
        edge = _dilate(edge) & weak
    return 255.0 * ~edge


def _sobel(image: Tensor) -> tuple[Tensor, Tensor]:
    padded = F.pad(image, (1, 1, 1, 1), mode="replicate")
    rows = padded[..., :-2, :] + 2 * padded[..., 1:-1, :] + padded[..., 2:, :]
    columns = padded[..., :, :-2] + 2 * padded[..., :, 1:-1] + padded[..., :, 2:]
    return rows[..., 2:] - rows[..., :-2], columns[..., 2:, :] - columns[..., :-2, :]


def _is_ridge(strength: Tensor, across: Tensor, down: Tensor) -> Tensor:
    """Where the gradient is the strongest along its own direction, of eight; of two equal neighbours one stays."""
    height, width = strength.shape[-2:]
    padded = F.pad(strength, (1, 1, 1, 1))

    def is_highest(dx: int, dy: int) -> Tensor:
        before, after = (padded[..., 1 + y : 1 + y + height, 1 + x : 1 + x + width] for x, y in ((-dx, -dy), (dx, dy)))
        return (strength > before) & (strength >= after)

    flat, steep = (a.abs() < b.abs() * math.tan(math.pi / 8) for a, b in ((down, across), (across, down)))
    diagonal = torch.where((across > 0) == (down > 0), is_highest(1, 1), is_highest(1, -1))
    return torch.where(flat, is_highest(1, 0), torch.where(steep, is_highest(0, 1), diagonal))


def brightness(color: Tensor) -> Tensor:
    """``(B, 3, H, W)`` to ``(B, 1, H, W)``."""
    return color[:, :1] * GRAY[0] + color[:, 1:2] * GRAY[1] + color[:, 2:] * GRAY[2]


def blurred(image: Tensor, weights: Tensor) -> Tensor:
    """``(B, C, H, H)`` blurred along both axes by symmetric kernels ``(B or 1, 2 r + 1)``, mirrored at the border.

    A blur of a small image is two products with a banded matrix, one call each for a whole batch.
    """
    batch, channels, size, _ = image.shape
    shifts = _shifts(size, weights.shape[1] // 2, image.device)
    matrix = (weights @ shifts.flatten(1)).unflatten(1, shifts.shape[1:])
    matrix = matrix.repeat_interleave(channels, 0) if len(matrix) > 1 else matrix.expand(batch * channels, -1, -1)
    return torch.bmm(torch.bmm(matrix, image.flatten(0, 1)), matrix.transpose(1, 2)).view_as(image)


def gaussian(sigma: Tensor, radius: int) -> Tensor:
    """Gaussian kernels ``(B, 2 radius + 1)`` with the standard deviations ``(B,)``, in pixels; they sum to 1."""
    offsets = torch.arange(-radius, radius + 1, device=sigma.device)
    weights = torch.exp(-0.5 * (offsets / sigma[:, None]) ** 2)
    return weights / weights.sum(1, keepdim=True)


@functools.lru_cache(maxsize=32)
def _shifts(size: int, radius: int, device: torch.device) -> Tensor:
    """Matrices that shift a column of `size` pixels by -radius…radius, ``(2 radius + 1, size, size)``."""
    offsets, rows = torch.arange(-radius, radius + 1)[:, None], torch.arange(size)[None]
    period = max(2 * (size - 1), 1)
    folded = (rows + offsets) % period
    columns = torch.minimum(folded, period - folded)
    return F.one_hot(columns, size).float().to(device)


@functools.lru_cache(maxsize=32)
def _kernel(sigma: float, device: torch.device) -> Tensor:
    return gaussian(torch.tensor([sigma]), round(4 * sigma)).to(device)


def _blur(image: Tensor, sigma: float) -> Tensor:
    return blurred(image, _kernel(sigma, image.device))


def highest(image: Tensor, reach: tuple[int, int]) -> Tensor:
    """The maximum of ``(B, C, H, W)`` over so many pixels before and after each, along both axes."""
    # Not pooling, which keeps positions and is slow on a CPU.
    for axis in (2, 3):
        size, result = image.shape[axis], image.clone()
        for step in range(1, max(reach) + 1):
            low, high = image.narrow(axis, 0, size - step), image.narrow(axis, step, size - step)
            if step <= reach[0]:
                result.narrow(axis, step, size - step).copy_(torch.maximum(result.narrow(axis, step, size - step), low))
            if step <= reach[1]:
                result.narrow(axis, 0, size - step).copy_(torch.maximum(result.narrow(axis, 0, size - step), high))
        image = result
    return image


def _dilate(image: Tensor) -> Tensor:
    return highest(image, (1, 1))


_BATCHED = Operations(
    gray=brightness, blur=_blur, strongest=lambda image: image.amax(1, keepdim=True), dilate=_dilate,
)  # fmt: skip

_EXTRACTORS: dict[str, Callable[[Tensor], Tensor]] = {
    "xdog": lambda color: xdog(color, _BATCHED).float(),
    "dog": lambda color: difference_of_gaussians(color, _BATCHED).float(),
    "edges": gradient_edges,
    "pencil": lambda color: pencil(color, _BATCHED).floor(),
}


def soft_xdog(color: Tensor, threshold: float = 0.75, steepness: float = 10.0) -> Tensor:
    """XDoG lines ``(B, 1, H, W)`` in 0…255 that are not binary, so that a gradient passes through them.

    Above the threshold white, below it a hyperbolic tangent (Winnemöller 2011).
    """
    below = (sharpened(color, _BATCHED) - threshold).clamp(max=0)
    return 255 * (1 + torch.tanh(steepness * below))
