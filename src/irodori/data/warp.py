"""Moving, scaling, mirroring and bending pictures, with the true correspondence kept; batched, on any device.

A warp is a backward map: for each pixel of the new image the point ``(x, y)`` of the old one, ``(B, H, W, 2)`` in
pixels.  Its inverse, from the old image to the new, is where a sketch pixel's color went.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from irodori.data.batched import Batched
from irodori.errors import ConfigError

CONTROL_POINTS = 4
"""Points of the bend's control grid along each side."""

ELASTIC_CELLS = 7
"""Cells of the elastic grid along each side; cubic B-splines over them smooth like a Gaussian of 0.08 of the side."""

ELASTIC_DEVIATION = 151 / 315
"""Standard deviation that splines over weights of deviation 1 have on average."""


@dataclass(frozen=True, kw_only=True)
class WarpOptions:
    """How a reference is moved; everything but `tps` is off by default.

    tps: thin-plate-spline displacement of the control points, share of the image side (standard deviation).
    move: largest shift in both directions, share of the side.  scale: ``(least, most)`` factor of size.
    mirror: probability of a left-right flip.  rotate_degrees: largest rotation, either way.
    elastic: standard deviation of a random displacement of every pixel, smoothed by a Gaussian (Simard et al. 2003),
        share of the side.
    """

    tps: float = 0.05
    move: float = 0.0
    scale: tuple[float, float] = (1.0, 1.0)
    mirror: float = 0.0
    rotate_degrees: float = 0.0
    elastic: float = 0.0

    def __post_init__(self) -> None:
        shares = (self.tps, self.move, self.mirror, self.elastic)
        if not all(0 <= share <= 1 for share in shares):
            raise ConfigError(f"warp: tps, move, mirror and elastic must lie in 0…1, got {shares}")
        if not 0.05 <= self.scale[0] <= self.scale[1] <= 20:
            raise ConfigError(f"warp: scale needs 0.05 <= least <= most <= 20, got {self.scale}")


@dataclass(frozen=True)
class Warp(Batched):
    """``new(p) = old(affine(p + bend(p)))`` of square images.

    affine: ``(B, 2, 3)``, invertible, in pixels.
    control: ``(B, 16, 2)``, displacements of a 4 x 4 grid of control points, in pixels, row by row; the bend is the
        thin-plate spline through them.
    elastic: ``(B, 100, 2)``, weights of a 10 x 10 grid of B-splines, in pixels, row by row; added to the bend.
    """

    affine: Tensor
    control: Tensor
    elastic: Tensor = field(default_factory=lambda: torch.zeros(1, (ELASTIC_CELLS + 3) ** 2, 2))

    def bend(self, size: int) -> Tensor:
        """Displacement of each pixel of a ``size x size`` image, ``(B, 2, size, size)``, x first."""
        moves = ((self.control, _bend_basis), (self.elastic, _elastic_basis))
        shifts = [torch.bmm(m.mT, basis(size, m.device).expand(len(m), -1, -1)) for m, basis in moves]
        return (shifts[0] + shifts[1]).view(-1, 2, size, size)

    def backward(self, size: int) -> Tensor:
        """Where in the old image each new pixel looks, ``(B, size, size, 2)``."""
        return _affine(_grid(size, self.affine.device) + self.bend(size), self.affine).permute(0, 2, 3, 1)

    def apply(self, images: Tensor) -> Tensor:
        """The warped images ``(B, C, H, H)``; outside, the border goes on, so that a background keeps its color."""
        return sample_at(images, self.backward(images.shape[-1]))

    def correspondence(self, size: int, tolerance_px: float = 1.0) -> Tensor:
        """For each old pixel, the new point that shows it, ``(B, 2, size, size)``; NaN where it left the image.

        The affine part is inverted exactly, the bend by fixed-point iteration; points where that does not come
        within `tolerance_px` (the bend folds) count as gone.
        """
        bend = self.bend(size)
        target = _affine(_grid(size, self.affine.device), inverted(self.affine))
        point = target
        for _ in range(8):
            point = target - sample_at(bend, point.permute(0, 2, 3, 1))
        error = (point + sample_at(bend, point.permute(0, 2, 3, 1)) - target).square().sum(1)
        outside = (point.amin(1) < -0.5) | (point.amax(1) > size - 0.5)
        return torch.where((outside | (error > tolerance_px**2))[:, None], torch.nan, point)


def random_warp(size: int, options: WarpOptions, generator: np.random.Generator) -> Warp:
    """Draws a warp of a ``size x size`` image: a batch of one."""
    angle = generator.uniform(-1, 1) * options.rotate_degrees
    scale = generator.uniform(*options.scale)
    center = (size - 1) / 2
    forward = cv2.getRotationMatrix2D((center, center), angle, scale)
    if generator.random() < options.mirror:
        forward = forward @ np.array([[-1, 0, size - 1], [0, 1, 0], [0, 0, 1]], float)
    forward[:, 2] += generator.uniform(-1, 1, 2) * options.move * size
    displacement = generator.normal(0, options.tps * size, (CONTROL_POINTS**2, 2))
    values = [cv2.invertAffineTransform(forward), displacement]
    if options.elastic:
        scale = options.elastic * size / ELASTIC_DEVIATION
        values.append(generator.normal(0, scale, ((ELASTIC_CELLS + 3) ** 2, 2)))
    return Warp(*(torch.from_numpy(value.astype(np.float32))[None] for value in values))


def no_warp() -> Warp:
    """The warp that changes nothing: a batch of one."""
    return Warp(torch.eye(2, 3)[None], torch.zeros(1, CONTROL_POINTS**2, 2))


def inverted(affine: Tensor) -> Tensor:
    """The inverses of affine maps ``(B, 2, 3)``."""
    a, b, c, d = affine[:, 0, 0], affine[:, 0, 1], affine[:, 1, 0], affine[:, 1, 1]
    linear = torch.stack([d, -b, -c, a], -1).view(-1, 2, 2) / (a * d - b * c)[:, None, None]
    return torch.cat([linear, -(linear * affine[:, None, :, 2]).sum(-1, keepdim=True)], -1)


def sample_at(images: Tensor, points: Tensor) -> Tensor:
    """Images ``(B, C, H, H)`` read bilinearly at `points` ``(B, h, w, 2)``, in pixels; the border goes on outside."""
    shares = points * (2 / max(images.shape[-1] - 1, 1)) - 1
    return F.grid_sample(images, shares, mode="bilinear", padding_mode="border", align_corners=True)


def nearest_at(labels: Tensor, points: Tensor) -> Tensor:
    """Labels ``(B, H, W)`` at the pixels nearest to `points` ``(B, h, w, 2)``; the border goes on outside."""
    height, width = labels.shape[-2:]
    x = points[..., 0].round().clamp(0, width - 1).long()
    y = points[..., 1].round().clamp(0, height - 1).long()
    return labels.flatten(1).gather(1, (y * width + x).flatten(1)).view(points.shape[:-1])


def _affine(points: Tensor, affine: Tensor) -> Tensor:
    """Points ``(B or 1, 2, h, w)`` under ``(B, 2, 3)``; written out, so that no result depends on its batch."""
    x, y, matrix = points[:, 0], points[:, 1], affine[:, :, :, None, None]
    return torch.stack([x * matrix[:, i, 0] + y * matrix[:, i, 1] + matrix[:, i, 2] for i in (0, 1)], 1)


@functools.lru_cache(maxsize=8)
def _bend_basis(size: int, device: torch.device) -> Tensor:
    """How much each control point moves each pixel, ``(16, size^2)``."""
    moved = spline_weights().T @ spline_values(size)
    return torch.from_numpy(moved.astype(np.float32)).to(device)


def spline_weights() -> NDArray[np.float64]:
    """The thin-plate spline (Bookstein 1989) through the control points: displacements ``(16, 2)`` to weights
    ``(19, 2)`` of the `spline_values`, as a matrix ``(19, 16)``."""
    control = _control_points()
    count = len(control)
    system = np.zeros((count + 3, count + 3))
    system[:count, :count] = _kernel(control, control)
    system[:count, count:] = np.concatenate([np.ones((count, 1)), control], 1)
    system[count:, :count] = system[:count, count:].T
    return np.asarray(np.linalg.inv(system)[:, :count], np.float64)


def spline_values(size: int) -> NDArray[np.float64]:
    """The spline's functions at the pixels of a ``size x size`` image, row by row, ``(19, size^2)``."""
    side = np.arange(size) / max(size - 1, 1)
    pixels = np.stack(np.meshgrid(side, side), -1).reshape(-1, 2)
    return np.concatenate([_kernel(pixels, _control_points()), np.ones((len(pixels), 1)), pixels], 1).T


def _control_points() -> NDArray[np.float64]:
    """In shares of the side, ``(16, 2)``."""
    axis = np.linspace(0, 1, CONTROL_POINTS)
    return np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2)


@functools.lru_cache(maxsize=8)
def _elastic_basis(size: int, device: torch.device) -> Tensor:
    """How much each weight of the elastic grid moves each pixel, ``(100, size^2)``: products of cubic B-splines."""
    places = np.arange(size) / max(size - 1, 1) * ELASTIC_CELLS
    distance = np.abs(places[None] - np.arange(-1, ELASTIC_CELLS + 2)[:, None])
    near, far = 2 / 3 - distance**2 + distance**3 / 2, (2 - distance).clip(min=0) ** 3 / 6
    spline = np.where(distance < 1, near, far)
    basis = np.einsum("ay,bx->abyx", spline, spline).reshape(len(spline) ** 2, size**2)
    return torch.from_numpy(basis.astype(np.float32)).to(device)


def _kernel(a: NDArray[np.floating], b: NDArray[np.floating]) -> NDArray[np.float64]:
    squared = ((a[:, None] - b[None]) ** 2).sum(-1).astype(np.float64)
    return squared * np.log(squared + 1e-12)


@functools.lru_cache(maxsize=8)
def _grid(size: int, device: torch.device) -> Tensor:
    axis = torch.arange(size, dtype=torch.float32)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    return torch.stack([x, y])[None].to(device)
