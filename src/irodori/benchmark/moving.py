"""Warps in whole numbers, so that a benchmark has the same bytes on every machine.

`irodori.data.warp` reads pictures in float32, whose last bit depends on the processor, and a pixel that lies between
two levels then falls to either side.  Here a warp becomes points in 1/256 pixel, by float64 operations that are rounded
alike everywhere, and pictures are read at them with integers.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from irodori.data.warp import Warp, spline_values, spline_weights
from irodori.image import Pixels

UNIT = 256
"""Points are whole multiples of 1 / UNIT pixel."""

Points = NDArray[np.int64]
"""``(H, W, 2)``: for each new pixel the ``(x, y)`` of the old picture that it shows, in units."""


def points_of(warp: Warp, size: int) -> Points:
    """Where a warp (a batch of one) reads a ``size x size`` picture."""
    axis = np.arange(size, dtype=np.float64)
    x, y = (whole + bent for whole, bent in zip(np.meshgrid(axis, axis), _bend(warp, size), strict=True))
    matrix = warp.affine[0].numpy().astype(np.float64)
    return np.rint(np.stack([a * x + b * y + c for a, b, c in matrix], -1) * UNIT).astype(np.int64)


def _bend(warp: Warp, size: int) -> NDArray[np.float64]:
    """Displacement of each pixel, ``(2, size, size)``, x first."""
    control = warp.control[0].numpy().astype(np.float64)
    # Rounded, because libraries invert matrices differently in the last digits; summed one by one, not by a product of
    # matrices, for the same reason.
    weights = (spline_weights().round(9)[:, :, None] * control).sum(1)
    bend = np.zeros((2, size * size))
    for value, weight in zip(_spline_values(size), weights, strict=True):
        bend += weight[:, None] * value
    return bend.reshape(2, size, size)


@functools.lru_cache(maxsize=1)
def _spline_values(size: int) -> NDArray[np.float64]:
    return np.ascontiguousarray(spline_values(size))


def sampled(pixels: Pixels, points: Points) -> Pixels:
    """A square picture ``(H, H, C)``, read bilinearly at points; the border goes on outside."""
    end = len(pixels) - 1
    inside = points.clip(0, end * UNIT)
    x, y = inside[..., 0] // UNIT, inside[..., 1] // UNIT
    right, low = (inside % UNIT)[..., :1], (inside % UNIT)[..., 1:]
    beside, below = np.minimum(x + 1, end), np.minimum(y + 1, end)
    levels = pixels.astype(np.int64)
    top = levels[y, x] * (UNIT - right) + levels[y, beside] * right
    bottom = levels[below, x] * (UNIT - right) + levels[below, beside] * right
    total = top * (UNIT - low) + bottom * low
    return ((total + UNIT * UNIT // 2) // (UNIT * UNIT)).astype(np.uint8)


def nearest(labels: NDArray[Any], points: Points) -> NDArray[Any]:
    """Labels ``(H, H)`` of the pixels nearest to points; the border goes on outside."""
    x, y = np.moveaxis(((points + UNIT // 2) // UNIT).clip(0, len(labels) - 1), -1, 0)
    return labels[y, x]
