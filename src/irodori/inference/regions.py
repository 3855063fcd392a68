"""The closed regions of a drawing, and color samples that know which region they belong to.

A region is a set of paper pixels that can be walked through without crossing a line.  Numbers start at 1; 0 = ink.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from irodori.image import Pixels

INK_LEVEL = 200
"""Gray level below which a pixel of the drawing counts as ink: the faint half of an anti-aliased edge does not."""

PROBES = ((0.5, 0.5), (0.25, 0.25), (0.75, 0.75), (0.25, 0.75), (0.75, 0.25))
"""Where in a cell its region is looked for, as shares of the cell's height and width."""

Regions = NDArray[np.int32]
Mask = NDArray[np.bool_]
Labels = NDArray[np.uint16]


def closed_regions(lines: Pixels) -> Regions:
    """Numbers the closed regions of a drawing ``(H, W)`` uint8: ``(H, W)`` int32, 0 on ink.

    Four neighbours, so that a diagonal line one pixel wide separates its two sides.
    """
    paper = (lines >= INK_LEVEL).astype(np.uint8)
    return np.asarray(cv2.connectedComponents(paper, connectivity=4, ltype=cv2.CV_32S)[1], dtype=np.int32)


def extend_regions(regions: Regions) -> Regions:
    """Gives every ink pixel the number of the nearest region, so that regions meet in the middle of the lines."""
    ink = regions == 0
    if ink.all() or not ink.any():
        return regions
    extended = regions.copy()
    extended[ink] = regions.reshape(-1)[nearest(~ink)[0][ink]]
    return extended


def nearest(samples: Mask) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """For each position of ``(H, W)``, the flat index of the nearest sample and its distance in pixels.

    At least one sample is needed.
    """
    gaps = (~samples).astype(np.uint8)
    distance, labels = cv2.distanceTransformWithLabels(gaps, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    index = np.zeros(int(labels.max()) + 1, dtype=np.int32)
    index[labels[samples]] = np.flatnonzero(samples)
    return index[labels], np.asarray(distance, dtype=np.float32)


def grow_labels(labels: Labels, free: Mask) -> None:
    """Grows labels, in place, all equally fast, over free pixels that have none: 0.

    Never diagonally, so that no label passes a diagonal line one pixel wide.  By a watershed: its queue reaches
    the ends of long passages sooner than growing the whole picture pixel by pixel would.
    """
    open_to = free | (labels > 0)
    parts = cv2.connectedComponents(open_to.view(np.uint8), connectivity=4, ltype=cv2.CV_32S)[1]
    reached = np.zeros(int(parts.max()) + 1, np.bool_)
    reached[parts[labels > 0]] = True
    reached[0] = False
    if not (reached[parts] & (labels == 0)).any():
        return
    walls = np.pad(np.where(open_to, np.uint8(0), np.uint8(255)), 1, constant_values=255)
    flooded = cv2.watershed(cv2.merge([walls] * 3), np.pad(labels, 1).astype(np.int32))[1:-1, 1:-1]
    wanted = free & (labels == 0) & reached[parts]
    found = wanted & (flooded > 0)
    labels[found] = flooded[found]
    _grow_seams(labels, wanted & ~found)


def _grow_seams(labels: Labels, free: Mask) -> None:
    """Where two labels met, the watershed leaves a seam."""
    kernel = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    while free.any():
        grown = cv2.dilate(labels, kernel)
        new = free & (grown > 0)
        if not new.any():
            return
        labels[new] = grown[new]
        free &= ~new


def cell_regions(regions: Regions, size: tuple[int, int]) -> Regions:
    """The region of each cell of a coarser grid ``(height, width)``: under its center or, if that is ink, beside it."""
    found = np.zeros(size, np.int32)
    for place_y, place_x in PROBES:
        rows, columns = (
            ((np.arange(cells) + place) * side / cells).astype(np.int32)
            for place, cells, side in zip((place_y, place_x), size, regions.shape, strict=True)
        )
        found = np.where(found > 0, found, regions[rows[:, None], columns])
    return found


def ink_share(regions: Regions, size: tuple[int, int]) -> NDArray[np.uint8]:
    """The share of ink in each cell of a coarser grid ``(height, width)``, 0…255."""
    ink = (regions == 0).view(np.uint8) * np.uint8(255)
    return np.asarray(cv2.resize(ink, size[::-1], interpolation=cv2.INTER_AREA), dtype=np.uint8)


def region_share(regions: Regions, own: Regions) -> NDArray[np.uint8]:
    """The share of each cell ``(h, w)`` that belongs to its own region, 0…255; 0 where it has none."""
    rows, columns = (np.arange(side) * cells // side for side, cells in zip(regions.shape, own.shape, strict=True))
    same = np.empty(regions.shape, np.uint8)
    for top in range(0, len(rows), 256):
        band = slice(top, top + 256)
        same[band] = (regions[band] == own[rows[band, None], columns]) & (regions[band] > 0)
    return np.asarray(cv2.resize(same * np.uint8(255), own.shape[::-1], interpolation=cv2.INTER_AREA), np.uint8)
