"""The palette of a coloring by its regions, and one of its colors replaced everywhere: as hints, so exactly."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from irodori.errors import InputError
from irodori.image import Pixels
from irodori.inference.dominant import dominant_colors, lab_of
from irodori.inference.guidance import Color, Hint, checked_color
from irodori.inference.regions import Mask, Regions, closed_regions
from irodori.inference.result import Result

MAX_REGIONS = 400
"""Hints for one replacement, those of the largest regions; what is left out are specks."""


class Swatch(NamedTuple):
    """A color of a coloring, and the share of the paper, 0…1, in whose regions it is."""

    color: Color
    share: float


def palette_of(result: Result) -> list[Swatch]:
    """The dominant colors of a coloring, those of most area first; each region counts for the nearest of them."""
    regions, colors, owner = _owners(result)
    areas = np.bincount(regions.reshape(-1), minlength=len(owner)).astype(np.float64)
    areas[0] = 0
    shares = np.bincount(owner, weights=areas, minlength=len(colors)) / max(areas.sum(), 1)
    order = [int(number) for number in np.argsort(-shares, kind="stable") if shares[number] > 0]
    return [Swatch(checked_color(colors[number]), float(shares[number])) for number in order]


def replace_color(result: Result, color: Color, wanted: Color) -> tuple[Hint, ...]:
    """Hints that give every region of one color of `palette_of` another color: one inside each, the largest first.

    Raises InputError for a color that is not in the palette.
    """
    regions, colors, owner = _owners(result)
    number = np.flatnonzero((colors == np.array(checked_color(color))).all(axis=1))
    if not len(number):
        raise InputError(f"the color {tuple(color)} is not in the picture's palette: take one of those that it lists")
    chosen = owner == number[0]
    chosen[0] = False
    wanted = checked_color(wanted)
    return tuple(Hint(x, y, wanted) for x, y in inner_points(regions, chosen)[:MAX_REGIONS])


def inner_points(regions: Regions, chosen: Mask) -> list[tuple[int, int]]:
    """For each chosen region the pixel ``(x, y)`` that is farthest from ink, the largest region first.

    regions: ``(H, W)``, 0 = ink.  chosen: ``(R,)``.
    """
    depth = cv2.distanceTransform(np.pad((regions > 0).view(np.uint8), 1), cv2.DIST_L2, 5)[1:-1, 1:-1]
    pixels = np.flatnonzero(chosen[regions])
    region = regions.reshape(-1)[pixels]
    order = np.lexsort((depth.reshape(-1)[pixels], region))
    last = np.flatnonzero(np.diff(region[order], append=-1))
    area = np.diff(last, prepend=-1)
    deepest = pixels[order[last]][np.argsort(-area, kind="stable")]
    return [(int(pixel % regions.shape[1]), int(pixel // regions.shape[1])) for pixel in deepest]


def _owners(result: Result) -> tuple[Regions, Pixels, NDArray[np.int64]]:
    """Regions ``(H, W)``, palette ``(K, 3)``, and for each region the number of its color, ``(R,)``."""
    regions, layer = closed_regions(result.drawing), result.color_pixels
    colors = dominant_colors((layer,))
    if not len(colors):  # as in pure noise
        colors = np.rint(layer.reshape(-1, 3).mean(axis=0, keepdims=True)).astype(np.uint8)
    flat, values = regions.reshape(-1), layer.reshape(-1, 3)
    count = np.maximum(np.bincount(flat), 1)
    means = np.stack([np.bincount(flat, weights=values[:, channel]) / count for channel in range(3)], axis=1)
    distance = np.linalg.norm(lab_of(np.rint(means).astype(np.uint8))[:, None] - lab_of(colors), axis=-1)
    return regions, colors, distance.argmin(axis=1)
