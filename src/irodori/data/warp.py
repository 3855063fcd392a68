"""Moving, scaling, mirroring and bending a reference, with the true correspondence kept.

A warp is a backward map: for each pixel of the new image the point ``(x, y)`` of the old one, ``(H, W, 2)`` float32 in
pixels.  Its inverse, from the old image to the new, is where a sketch pixel's color went.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from irodori.errors import ConfigError
from irodori.image import Pixels

Map = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class WarpOptions:
    """How a reference is moved; everything but `tps` is off by default.

    tps: thin-plate-spline displacement of the control points, share of the image side (standard deviation).
    move: largest shift in both directions, share of the side.  scale: ``(least, most)`` factor of size.
    mirror: probability of a left-right flip.  rotate_degrees: largest rotation, either way.
    """

    tps: float = 0.05
    move: float = 0.0
    scale: tuple[float, float] = (1.0, 1.0)
    mirror: float = 0.0
    rotate_degrees: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.tps <= 1 or not 0 <= self.move <= 1 or not 0 <= self.mirror <= 1:
            raise ConfigError(f"warp: tps, move and mirror must lie in 0…1, got {self.tps}, {self.move}, {self.mirror}")
        if not 0.05 <= self.scale[0] <= self.scale[1] <= 20:
            raise ConfigError(f"warp: scale needs 0.05 <= least <= most <= 20, got {self.scale}")


@dataclass(frozen=True)
class Warp:
    """``new(p) = old(affine(p + bend(p)))``; `bend (H, W, 2)` is small and smooth, `affine (2, 3)` is invertible."""

    affine: NDArray[np.float64]
    bend: Map

    @property
    def backward(self) -> Map:
        """Where in the old image each new pixel looks, ``(H, W, 2)``."""
        points = _grid(self.bend.shape[0], self.bend.shape[1]) + self.bend
        return (points @ self.affine[:, :2].T + self.affine[:, 2]).astype(np.float32)

    def apply(self, pixels: Pixels, nearest: bool = False) -> Pixels:
        """The warped image; outside, the border goes on, so that a moved background keeps its color."""
        backward = self.backward
        mode = cv2.INTER_NEAREST if nearest else cv2.INTER_LINEAR
        return cv2.remap(pixels, backward[..., 0], backward[..., 1], mode, borderMode=cv2.BORDER_REPLICATE)

    def correspondence(self, tolerance_px: float = 1.0) -> Map:
        """For each old pixel, the new point that shows it, ``(H, W, 2)``; NaN where it left the image.

        The affine part is inverted exactly, the bend by fixed-point iteration; points where that does not come
        within `tolerance_px` (the bend folds) count as gone.
        """
        height, width = self.bend.shape[:2]
        inverse = cv2.invertAffineTransform(self.affine)
        target = (_grid(height, width) @ inverse[:, :2].T + inverse[:, 2]).astype(np.float32)
        point = target.copy()
        for _ in range(8):
            point = target - self._bend_at(point)
        error = np.linalg.norm(point + self._bend_at(point) - target, axis=-1)
        outside = (point < -0.5).any(-1) | (point[..., 0] > width - 0.5) | (point[..., 1] > height - 0.5)
        point[outside | (error > tolerance_px)] = np.nan
        return point

    def _bend_at(self, point: Map) -> Map:
        return cv2.remap(self.bend, point[..., 0], point[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def random_warp(size: int, options: WarpOptions, generator: np.random.Generator) -> Warp:
    """Draws a warp of a ``size x size`` image."""
    angle = generator.uniform(-1, 1) * options.rotate_degrees
    scale = generator.uniform(*options.scale)
    center = (size - 1) / 2
    forward = cv2.getRotationMatrix2D((center, center), angle, scale)
    if generator.random() < options.mirror:
        forward = forward @ np.array([[-1, 0, size - 1], [0, 1, 0], [0, 0, 1]], float)
    forward[:, 2] += generator.uniform(-1, 1, 2) * options.move * size
    return Warp(cv2.invertAffineTransform(forward), _tps_bend(size, options.tps, generator))


def _tps_bend(size: int, strength: float, generator: np.random.Generator, points: int = 4) -> Map:
    """Smooth displacement: a thin-plate spline through a grid of randomly displaced control points."""
    displacement = generator.normal(0, strength * size, (points * points, 2))
    basis, solve = _tps_basis(size, points)
    weights = solve @ np.concatenate([displacement, np.zeros((3, 2))])
    return (basis @ weights.astype(np.float32)).reshape(size, size, 2)


@functools.lru_cache(maxsize=8)
def _tps_basis(size: int, points: int) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Kernel values of all pixels ``(size^2, n + 3)`` and the inverse of the spline's system (Bookstein 1989)."""
    axis = np.linspace(0, 1, points)
    control = np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2)
    pixels = _grid(size, size).reshape(-1, 2) / max(size - 1, 1)
    count = len(control)
    system = np.zeros((count + 3, count + 3))
    system[:count, :count] = _tps_kernel(control, control)
    system[:count, count:] = np.concatenate([np.ones((count, 1)), control], 1)
    system[count:, :count] = system[:count, count:].T
    basis = np.concatenate([_tps_kernel(pixels, control), np.ones((len(pixels), 1)), pixels], 1)
    return basis.astype(np.float32), np.linalg.inv(system).astype(np.float64)


def _tps_kernel(a: NDArray[np.floating], b: NDArray[np.floating]) -> NDArray[np.float64]:
    squared = ((a[:, None] - b[None]) ** 2).sum(-1).astype(np.float64)
    return squared * np.log(squared + 1e-12)


def _grid(height: int, width: int) -> Map:
    return np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1).astype(np.float32)
