"""Stains: patches of another color in the middle of a region, where the drawing gives no reason for one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from irodori.image import Pixels
from irodori.inference.regions import Mask, Regions

FAR, TINTED = 12.0, 4.0
"""Distances in CIE L*a*b* from the color of the region: of a stain, and of the fringe that goes with it."""
FRINGE_CELLS = 4
MIN_CELLS = 64
"""Smaller regions have no middle."""

_ALL, _FIRST, _LAST = slice(None), slice(None, -1), slice(1, None)
_NEIGHBORS: tuple[tuple[Any, Any], ...] = (
    ((_ALL, _FIRST), (_ALL, _LAST)), ((_ALL, _LAST), (_ALL, _FIRST)),
    ((_FIRST, _ALL), (_LAST, _ALL)), ((_LAST, _ALL), (_FIRST, _ALL)),
)  # fmt: skip
"""Each cell and its neighbor to the right, left, below and above, as two views of one grid."""


def remove_stains(colors: Pixels, regions: Regions, ink: Mask) -> None:
    """Gives every stain, in place, the color around it.

    Artists change the color at a line; networks also where they err.  A patch far from the color that most of its
    region has is a stain when more than half of its border is open, that is neither at ink nor at another region.
    So an area whose outline has a gap keeps its color, and shading of a region without one color is left alone.
    colors: ``(h, w, 3)`` uint8.  regions: ``(h, w)``, 0 = none.  ink: ``(h, w)``, cells with ink in them.
    """
    middle = _middle_colors(colors, regions)
    distance = np.linalg.norm(_lab(colors) - _lab(middle[None])[0][regions], axis=2)
    far = distance > FAR
    sizes, outside = (np.bincount(regions[where], minlength=len(middle)) for where in (regions >= 0, far))
    calm = (sizes >= MIN_CELLS) & (2 * outside < sizes)
    calm[0] = False
    patches = _patches(far & calm[regions], regions)
    stain = (_open_share(patches, regions, ink) > 0.5)[patches]
    if stain.any():
        _add_fringe(stain, regions, ink, (distance > TINTED) & ~far)
        stains = _patches(stain, regions)
        colors[stain] = _colors_around(stains, colors, regions, ink, far, middle)[stains[stain]]


def _lab(colors: Pixels) -> NDArray[np.float32]:
    return np.asarray(cv2.cvtColor(colors.astype(np.float32) / 255, cv2.COLOR_RGB2LAB), dtype=np.float32)


def _middle_colors(colors: Pixels, regions: Regions) -> Pixels:
    """The median color of each region, ``(R, 3)``; black for those that are too small to matter."""
    flat, values = regions.reshape(-1), colors.reshape(-1, 3)
    order, sizes = np.argsort(flat, kind="stable"), np.bincount(flat)
    ends = np.cumsum(sizes)
    middle = np.zeros((len(sizes), 3), np.uint8)
    for region in np.flatnonzero(sizes >= MIN_CELLS):
        middle[region] = np.median(values[order[ends[region] - sizes[region] : ends[region]]], axis=0)
    return middle


def _patches(chosen: Mask, regions: Regions) -> NDArray[np.int64]:
    """Numbers connected chosen cells of one region, ``(h, w)``; 0 for the others."""
    joined = cv2.connectedComponents(chosen.astype(np.uint8), connectivity=8)[1].astype(np.int64)
    keys = np.where(chosen, joined * (int(regions.max()) + 1) + regions, 0)
    return np.unique(keys, return_inverse=True)[1].reshape(keys.shape) + (0 if (keys == 0).any() else 1)


def _open_share(patches: NDArray[np.int64], regions: Regions, ink: Mask) -> NDArray[np.float64]:
    """The share of each patch's border that is open, ``(P,)``; the picture's edge is no border, and patch 0 is none."""
    is_open, border = (np.zeros(int(patches.max()) + 1) for _ in range(2))
    for here, there, passable in _steps(regions, ink):
        edge = (patches[here] > 0) & (patches[here] != patches[there])
        border += np.bincount(patches[here][edge], minlength=len(border))
        is_open += np.bincount(patches[here][edge & passable], minlength=len(border))
    return np.asarray(is_open / np.maximum(border, 1))


def _colors_around(
    stains: NDArray[np.int64], colors: Pixels, regions: Regions, ink: Mask, far: Mask, middle: Pixels
) -> NDArray[np.float64]:
    """The mean color along each stain's open border, ``(S, 3)``: where a whole area is tinted, a stain takes its tint.

    Cells that are far from the color of their region do not count.  Without any, the region's own color it is.
    """
    total, count = np.zeros((int(stains.max()) + 1, 3)), np.zeros(int(stains.max()) + 1)
    for here, there, passable in _steps(regions, ink):
        edge = (stains[here] > 0) & (stains[there] == 0) & passable & ~far[there]
        np.add.at(total, stains[here][edge], colors[there][edge])
        count += np.bincount(stains[here][edge], minlength=len(count))
    own = np.zeros_like(total)
    own[stains] = middle[regions]
    return np.rint(np.where(count[:, None] > 0, total / np.maximum(count, 1)[:, None], own))


def _steps(regions: Regions, ink: Mask) -> Iterator[tuple[Any, Any, Mask]]:
    """Each direction: views of cells and of their neighbors, and where no line lies between the two."""
    for here, there in _NEIGHBORS:
        yield here, there, (regions[here] == regions[there]) & ~ink[here] & ~ink[there]


def _add_fringe(stain: Mask, regions: Regions, ink: Mask, tinted: Mask) -> None:
    """Adds, in place, the tinted cells around stains, as far as no line lies between."""
    for _ in range(FRINGE_CELLS):
        before = stain.copy()
        for here, there, passable in _steps(regions, ink):
            stain[there] |= before[here] & passable & tinted[there]
