"""A drawn figure whose parts, lines and colors are known by construction, and faults that can be planted in it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from irodori.image import from_uint8

BACKGROUND, HAIR, FACE, SHIRT = range(4)
COLORS = {BACKGROUND: (235, 230, 210), HAIR: (120, 40, 160), FACE: (240, 190, 150), SHIRT: (40, 130, 80)}
OTHER_COLORS = {BACKGROUND: (60, 70, 110), HAIR: (230, 200, 60), FACE: (130, 80, 50), SHIRT: (200, 60, 60)}


@dataclass(frozen=True)
class Figure:
    """sketch: ``(1, H, W)``.  flats: ``(3, H, W)`` without lines.  truth: with them.  parts: ``(H, W)``, -1 on lines.

    reference, other: two further figures in the same and in other colors, elsewhere in the picture, with lines.
    """

    sketch: Tensor
    flats: Tensor
    truth: Tensor
    parts: Tensor
    reference: Tensor
    other: Tensor


def draw(size: int = 192) -> Figure:
    """A head with hair on shoulders, and two strokes for the mouth and a lock of hair."""
    labels, lines = _shapes(size, 0.5, 0.42, 0.2)
    sketch = torch.from_numpy(np.where(lines, -1.0, 1.0)).float()[None]
    flats = paint(labels, COLORS)
    parts = torch.from_numpy(labels).long().masked_fill(torch.from_numpy(lines), -1)
    return Figure(
        sketch=sketch,
        flats=flats,
        truth=over(flats, sketch),
        parts=parts,
        reference=_inked(size, 0.34, 0.5, 0.14, COLORS),
        other=_inked(size, 0.66, 0.36, 0.25, OTHER_COLORS),
    )


def paint(labels: np.ndarray, colors: dict[int, tuple[int, int, int]]) -> Tensor:
    """Part numbers ``(H, W)`` to flat colors ``(3, H, W)``."""
    table = np.array([colors[number] for number in range(len(colors))], np.uint8)
    return from_uint8(torch.from_numpy(table[labels])).permute(2, 0, 1)


def over(flats: Tensor, sketch: Tensor) -> Tensor:
    """The lines of a sketch on colors."""
    return torch.minimum(flats, sketch.expand(3, -1, -1))


def shifted(image: Tensor, pixels: int) -> Tensor:
    """Moved to the right, the left border repeated."""
    moved = torch.roll(image, pixels, dims=-1)
    moved[..., :pixels] = image[..., :1]
    return moved


def blurred(image: Tensor, sigma: float) -> Tensor:
    pixels = cv2.GaussianBlur(image.permute(1, 2, 0).numpy(), (0, 0), sigma)
    return torch.from_numpy(pixels).permute(2, 0, 1).clamp(-1, 1)


def hue_turned(image: Tensor, degrees: float) -> Tensor:
    """Every hue moved on, lightness and saturation of HSV kept."""
    unit = ((image.permute(1, 2, 0).numpy() + 1) / 2).astype(np.float32)
    hsv = cv2.cvtColor(unit, cv2.COLOR_RGB2HSV)
    hsv[..., 0] = (hsv[..., 0] + degrees) % 360
    return torch.from_numpy(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB) * 2 - 1).permute(2, 0, 1).clamp(-1, 1)


def recolored(figure: Figure, colors: dict[int, tuple[int, int, int]]) -> Tensor:
    """The figure's parts in other colors, under its lines."""
    labels = figure.parts.numpy().copy()
    nearest = cv2.distanceTransformWithLabels(
        (labels < 0).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )[1]
    of_label = np.zeros(nearest.max() + 1, np.int64)
    of_label[nearest[labels >= 0]] = labels[labels >= 0]
    return over(paint(of_label[nearest], colors), figure.sketch)


def _inked(size: int, x: float, y: float, radius: float, colors: dict[int, tuple[int, int, int]]) -> Tensor:
    labels, lines = _shapes(size, x, y, radius)
    return over(paint(labels, colors), torch.from_numpy(np.where(lines, -1.0, 1.0)).float()[None])


def _shapes(size: int, x: float, y: float, radius: float) -> tuple[np.ndarray, np.ndarray]:
    """Part numbers and drawn lines of a figure whose face has its center and radius at these shares of the side."""
    labels = np.zeros((size, size), np.uint8)
    center = (round(x * size), round(y * size))
    long = round(radius * size)
    cv2.ellipse(labels, (center[0], round(size * 1.02)), (long * 2, round(size * 0.3)), 0, 0, 360, SHIRT, -1)
    cv2.circle(labels, (center[0], center[1] - long // 3), round(long * 1.25), HAIR, -1)
    cv2.ellipse(labels, (center[0], center[1] + long // 4), (round(long * 0.9), long), 0, 0, 360, FACE, -1)
    lines = np.zeros_like(labels)
    lines[:, 1:] |= labels[:, 1:] != labels[:, :-1]
    lines[1:] |= labels[1:] != labels[:-1]
    lines = cv2.dilate(lines, np.ones((2, 2), np.uint8))
    cv2.line(
        lines, (center[0] - long // 3, center[1] + long // 2), (center[0] + long // 3, center[1] + long // 2), 1, 2
    )
    cv2.line(lines, (center[0], center[1] - round(long * 1.3)), (center[0] + long // 2, center[1] - long), 1, 2)
    return labels, lines > 0
