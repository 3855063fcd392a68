"""Hints as pixels of the drawing: points, strokes, and dabs painted on a transparent layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from irodori.errors import InputError
from irodori.image import Pixels
from irodori.image_io import ImageSource, read_image
from irodori.inference.dominant import lab_of
from irodori.inference.guidance import Color, Hint, Stroke
from irodori.inference.regions import Mask, Regions, nearest

VISIBLE = 128
"""Alpha from which on a pixel of a layer belongs to a dab: the faint half of a soft edge does not."""
CORE_PIXELS = 4
"""A color with fewer pixels is a mix along an edge, if there are others."""
SAME = 2.0
"""Distance in L*a*b* up to which two colors of a layer are one, so that no dab misses its color visibly."""
MAX_COLORS = 64


class Mark(NamedTuple):
    """Pixels ``(N,)``, ``(N,)`` of a drawing that were given one color."""

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    color: Color


class Claim(NamedTuple):
    """Pixels of one region, as flat indices ``(N,)``, that one mark gave a color; the first is the best to name."""

    region: int
    places: NDArray[np.int64]
    color: Color


AnyHint = Hint | Stroke | Mark


def as_marks(hints: Sequence[AnyHint], size: tuple[int, ...]) -> list[Mark]:
    """Hints as pixels of a drawing of ``(height, width)``."""
    return [hint if isinstance(hint, Mark) else _drawn(hint, size) for hint in hints]


def _drawn(hint: Hint | Stroke, size: tuple[int, ...]) -> Mark:
    points = hint.points if isinstance(hint, Stroke) else ((hint.x, hint.y),)
    pixels = np.array([[min(int(x + 0.5), size[1] - 1), min(int(y + 0.5), size[0] - 1)] for x, y in points], np.int32)
    corner = pixels.min(axis=0)
    width, height = pixels.max(axis=0) - corner + 1
    drawn = np.zeros((height, width), np.uint8)
    cv2.polylines(drawn, [pixels - corner], isClosed=len(pixels) == 1, color=1)  # open, a single point draws nothing
    rows, columns = np.nonzero(drawn)
    return Mark(rows + int(corner[1]), columns + int(corner[0]), hint.color)


# --- regions ---------------------------------------------------------------------------------------------------------


def claim_regions(marks: Sequence[Mark], regions: Regions) -> list[Claim]:
    """The regions ``(H, W)``, at least one of them, that each mark lies in; one that is wholly on ink: the nearest.

    A brush that slips over a line with less than half its width means nothing there.
    """
    claims: list[Claim] = []
    depth = _Depth(regions)
    for mark in marks:
        inside = regions[mark.rows, mark.columns]
        found = np.unique(inside[inside > 0])
        if not found.size:
            claims.append(depth.nearest_claim(mark))
            continue
        parts = [_claim(mark, inside == region, regions, depth) for region in found]
        reach = _half_width(mark) if len(parts) > 1 else 0.0
        meant = [part for part in parts if len(parts) == 1 or depth.reached(part) >= min(depth.half(part), reach)]
        claims += meant or [max(parts, key=lambda part: len(part.places))]
    return claims


def _claim(mark: Mark, chosen: Mask, regions: Regions, depth: _Depth) -> Claim:
    places = mark.rows[chosen] * regions.shape[1] + mark.columns[chosen]
    if len(places) > 1:
        places = places[np.argsort(-depth.at(places), kind="stable")]
    return Claim(int(regions.reshape(-1)[places[0]]), places, mark.color)


def _half_width(mark: Mark) -> float:
    """Half the width of the brush, in pixels."""
    rows, columns = mark.rows - mark.rows.min() + 1, mark.columns - mark.columns.min() + 1
    drawn = np.zeros((int(rows.max()) + 2, int(columns.max()) + 2), np.uint8)
    drawn[rows, columns] = 1
    return float(cv2.distanceTransform(drawn, cv2.DIST_L2, 5).max()) - 0.5


class _Depth:
    """Distances of paper to the nearest ink, computed when they are first asked for."""

    def __init__(self, regions: Regions) -> None:
        self.regions = regions
        self.distance: NDArray[np.float32] | None = None
        self.index: NDArray[np.int32] | None = None

    def at(self, places: NDArray[np.int64]) -> NDArray[np.float32]:
        """For flat indices ``(N,)``."""
        if self.distance is None:
            self.distance = cv2.distanceTransform((self.regions > 0).view(np.uint8), cv2.DIST_L2, 5).reshape(-1)
        return self.distance[places]

    def reached(self, claim: Claim) -> float:
        """How far from ink the mark gets in the region, pixels."""
        return float(self.at(claim.places[:1])[0])

    def half(self, claim: Claim) -> float:
        """Half of how far from ink one can get in the region."""
        return float(self.at(np.flatnonzero(self.regions == claim.region)).max()) / 2

    def nearest_claim(self, mark: Mark) -> Claim:
        """The nearest pixel on paper to the first of the mark."""
        if self.index is None:
            self.index = nearest(self.regions > 0)[0]
        place = int(self.index[mark.rows[0], mark.columns[0]])
        return Claim(int(self.regions.reshape(-1)[place]), np.array([place]), mark.color)


def told_hints(hints: Sequence[AnyHint], regions: Regions) -> tuple[Hint, ...]:
    """Hints as points, for a system that is told of them: of a stroke or dab one for each region that it lies in."""
    points = [hint for hint in hints if isinstance(hint, Hint)]
    marks = as_marks([hint for hint in hints if not isinstance(hint, Hint)], regions.shape)
    for claim in claim_regions(marks, regions) if regions.any() else ():
        row, column = divmod(int(claim.places[0]), regions.shape[1])
        points.append(Hint(float(column), float(row), claim.color))
    return tuple(points)


# --- layers ----------------------------------------------------------------------------------------------------------


def read_dabs(source: ImageSource, size: tuple[int, int], name: str) -> tuple[Mark, ...]:
    """The dabs on a transparent layer of the size ``(height, width)`` of the drawing, each in its color.

    Raises InputError for a picture that is no such layer.
    """
    pixels = read_image(source)
    if pixels.shape[:2] != size:
        raise InputError(
            f"{name} is {pixels.shape[1]}x{pixels.shape[0]} pixels, but the sketch is {size[1]}x{size[0]}: paint hints "
            "on a layer of the sketch's own size"
        )
    if pixels.shape[2] != 4:
        raise InputError(f"{name} is opaque everywhere: export the layer with the dabs alone, on transparency")
    visible = pixels[..., 3] >= VISIBLE
    if not visible.any():
        raise InputError(f"{name} is transparent everywhere: paint at least one dab")
    return _dabs(pixels[..., :3], visible, name)


def _dabs(pixels: Pixels, visible: Mask, name: str) -> tuple[Mark, ...]:
    rows, columns = np.nonzero(visible)
    top, left = int(rows.min()), int(columns.min())
    box = slice(top, int(rows.max()) + 1), slice(left, int(columns.max()) + 1)
    blobs = cv2.connectedComponents(visible[box].astype(np.uint8), connectivity=8)[1]
    blob_sizes = np.bincount(blobs.reshape(-1))
    alone = blob_sizes[blobs[rows - top, columns - left]] < CORE_PIXELS
    values, inverse = _layer_colors(pixels[visible], alone, name)
    number = np.zeros(blobs.shape, np.uint8)
    number[rows - top, columns - left] = inverse + 1
    marks = []
    for index, value in enumerate(values, start=1):
        count, labels, stats, _ = cv2.connectedComponentsWithStats((number == index).view(np.uint8), connectivity=8)
        for label in range(1, count):
            x, y, width, height, area = stats[label]
            down, across = np.nonzero(labels[y : y + height, x : x + width] == label)
            if area < CORE_PIXELS and blob_sizes[blobs[down[0] + y, across[0] + x]] > area:
                continue  # a rim between two colors, not a dab
            red, green, blue = (int(level) for level in value)
            marks.append(Mark(down + int(y) + top, across + int(x) + left, (red, green, blue)))
    return tuple(marks)


def _layer_colors(pixels: Pixels, alone: Mask, name: str) -> tuple[Pixels, NDArray[np.int64]]:
    """The colors ``(K, 3)`` of a layer's dabs, and which of them each pixel of ``(N, 3)`` has.

    alone: ``(N,)``, pixels of dabs so small that they have no edge.
    """
    values, inverse, counts = np.unique(pixels, axis=0, return_inverse=True, return_counts=True)
    lab, order, inverse = lab_of(values), np.argsort(-counts, kind="stable"), inverse.reshape(-1)
    is_core = counts >= min(CORE_PIXELS, counts.max())
    is_core[inverse[alone]] = True
    cores = order[is_core[order]]
    kept: list[int] = []
    for number in cores:
        if not kept or np.linalg.norm(lab[kept] - lab[number], axis=1).min() > SAME:
            kept.append(int(number))
        if len(kept) > MAX_COLORS:
            raise InputError(f"{name} has more than {MAX_COLORS} colors: paint dabs with a hard brush, not a picture")
    distances = np.stack([np.linalg.norm(lab - lab[number], axis=1) for number in kept])
    return values[kept], distances.argmin(axis=0)[inverse]
