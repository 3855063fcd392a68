"""Do colors stay from one frame to the next?  ΔE2000 between the regions of two drawings that are the same thing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from irodori.color import delta_e_lab
from irodori.image import Pixels
from irodori.inference.dominant import lab_of
from irodori.inference.regions import Regions, closed_regions

LEAST_OVERLAP = 0.3
"""Intersection over union from which on two regions, each the other's best partner, are the same thing."""
LEAST_AREA = 32
"""Regions of fewer pixels are specks between lines."""
PAPER = 250
"""Gray level from which on a line leaves a color as it is."""


@dataclass(frozen=True)
class Flicker:
    """mean: ΔE2000 over all pixels of corresponding regions.  worst: of the region that changed most.

    share: of the page's pixels, those that have a corresponding region.
    """

    mean: float
    worst: float
    share: float


def measure_flicker(lines: tuple[Pixels, Pixels], pictures: tuple[Pixels, Pixels]) -> Flicker | None:
    """Between two frames of one size, lines ``(H, W)`` and colored pictures ``(H, W, 3)``; None if nothing corresponds.

    A region's color is the median of its pixels away from lines.
    """
    regions = (closed_regions(lines[0]), closed_regions(lines[1]))
    first, second, areas = corresponding_regions(*regions)
    colors = [
        _medians(numbers, picture, drawing, wanted)
        for numbers, picture, drawing, wanted in zip(regions, pictures, lines, (first, second), strict=True)
    ]
    known = ~np.isnan(colors[0]).any(axis=1) & ~np.isnan(colors[1]).any(axis=1)
    if not known.any():
        return None
    lab = [torch.from_numpy(lab_of(np.rint(color[known]).astype(np.uint8))) for color in colors]
    steps, weights = delta_e_lab(*lab).numpy(), areas[known]
    return Flicker(float(np.average(steps, weights=weights)), float(steps.max()), float(weights.sum() / lines[0].size))


def corresponding_regions(
    first: Regions, second: Regions
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Numbers of regions ``(N,)``, ``(N,)`` that overlap most with each other, and by how many pixels."""
    count = int(second.max()) + 1
    both = (first > 0) & (second > 0)
    codes, common = np.unique(first[both].astype(np.int64) * count + second[both], return_counts=True)
    one, other = codes // count, codes % count
    areas = [np.bincount(numbers.reshape(-1)) for numbers in (first, second)]
    overlap = common / (areas[0][one] + areas[1][other] - common)
    order = np.argsort(overlap, kind="stable")
    best_one, best_other = np.zeros(len(areas[0]), np.int64), np.zeros(len(areas[1]), np.int64)
    best_one[one[order]], best_other[other[order]] = order, order  # the largest comes last and stays
    index = np.arange(len(codes))
    mutual = (best_one[one] == index) & (best_other[other] == index) & (overlap >= LEAST_OVERLAP)
    kept = mutual & (common >= LEAST_AREA)
    return one[kept], other[kept], common[kept]


def _medians(regions: Regions, picture: Pixels, lines: Pixels, wanted: NDArray[np.int64]) -> NDArray[np.float64]:
    """Median color of each wanted region, ``(N, 3)``; NaN for one that has no pixel away from lines."""
    clear = (lines >= PAPER) & np.isin(regions, wanted)
    numbers, pixels = regions[clear], picture[clear]
    order = np.argsort(numbers, kind="stable")
    starts = np.searchsorted(numbers[order], wanted)
    ends = np.searchsorted(numbers[order], wanted, side="right")
    found = np.full((len(wanted), 3), np.nan)
    for place, (start, end) in enumerate(zip(starts, ends, strict=True)):
        if end > start:
            found[place] = np.median(pixels[order[start:end]], axis=0)
    return found
