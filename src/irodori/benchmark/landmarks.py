"""Points of a sketch and the points of its reference where the same thing is."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from irodori.benchmark.art import Picture, Recolored
from irodori.benchmark.moving import UNIT, Points
from irodori.data.index import PART_NAMES
from irodori.image import Pixels

Landmark = tuple[float, float, float, float]
"""``(x, y, reference x, reference y)`` in pixels."""

MOST = 32
BACKGROUND = PART_NAMES.index("background")
_GRID = 20
_ALIKE = 8
"""Levels within which two colors count as one."""


def field_landmarks(
    sketch: Pixels, truth: Picture, reference: Picture, points: Points, generator: np.random.Generator
) -> tuple[Landmark, ...]:
    """At most `MOST` places of a warp's true field, each in one color and away from lines; backgrounds come last.

    points: where in the truth the reference reads.
    """
    size = len(sketch)
    axis = (np.arange(_GRID) * size + size // 2) // _GRID
    there = np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2)
    exact = points[there[:, 1], there[:, 0]]
    here = (exact + UNIT // 2) // UNIT
    inside = ((exact >= UNIT) & (exact <= (size - 2) * UNIT)).all(1)
    x, y = here.clip(0, size - 1).T
    quiet = _is_quiet(sketch, truth.color)[y, x]
    alike = _differ(truth.color[y, x], reference.color[there[:, 1], there[:, 0]]) <= _ALIKE
    usable = generator.permutation(np.flatnonzero(inside & quiet & alike))
    is_behind = (truth.parts == BACKGROUND) | (truth.color == 255).all(-1)
    usable = usable[np.argsort(is_behind[y, x][usable], kind="stable")][:MOST]
    return tuple((*(exact[i] / UNIT).tolist(), *there[i].astype(float).tolist()) for i in usable)


def _is_quiet(sketch: Pixels, color: Pixels) -> NDArray[np.bool_]:
    """``(H, W)``: where the 3 x 3 pixels around are of one color, without a line."""
    around = np.ones((3, 3), np.uint8)
    spread = cv2.dilate(color, around).astype(int) - cv2.erode(color, around)
    return (cv2.erode(sketch, around) > 200) & (spread.max(-1) <= _ALIKE)


def _differ(first: Pixels, second: Pixels) -> NDArray[np.int64]:
    """The largest difference of a channel, in levels."""
    return np.abs(first.astype(np.int64) - second).max(-1)


def center_landmarks(pair: Recolored) -> tuple[Landmark, ...]:
    """The centers of each scored part in sketch and reference, without the background."""
    found = []
    for part in pair.scored:
        x, y = _center(pair.truth.parts == part)
        across, down = _center(pair.reference.parts == part)
        if part != BACKGROUND and _differ(pair.truth.color[y, x], pair.reference.color[down, across]) <= _ALIKE:
            found.append((float(x), float(y), float(across), float(down)))
    return tuple(found)


def _center(inside: NDArray[np.bool_]) -> tuple[int, int]:
    """The pixel ``(x, y)`` that lies deepest in a region."""
    # City-block distances are whole numbers, so that no machine sees another pixel deepest.
    depth = cv2.distanceTransform(np.pad(inside, 1).astype(np.uint8), cv2.DIST_L1, 3)[1:-1, 1:-1]
    y, x = np.unravel_index(depth.argmax(), depth.shape)
    return int(x), int(y)
