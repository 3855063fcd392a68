"""Flats: each closed region of a drawing in one color, and that exactly a color of the reference.

Each pixel of a region votes for the nearest color to choose from; the color with most votes wins, so that blotches and
soft mixes in a flat area are outvoted.  Two kinds of regions are not decided by votes: those whose color no choice
resembles or that no source decided, which keep their own color, made flat; and those of only a few network pixels,
which lean towards the regions around them.  A gap in a line does not make one flat of figure and background (`leaks`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from irodori.image import Pixels
from irodori.inference.dominant import lab_of
from irodori.inference.flats import lay_flats, paint_flats
from irodori.inference.leaks import split_leaks
from irodori.inference.regions import Mask, Regions, closed_regions, extend_regions
from irodori.inference.votes import SMALL, Evidence, count_votes

LEAN = 15.0
"""By how much, in L*a*b*, a small region's color may miss that of a neighbor more than that of another choice."""


def snap_colors(colors: Pixels, lines: Pixels, choices: Pixels, evidence: Evidence, *, exact: bool = False) -> Pixels:
    """The color layer ``(H, W, 3)`` with every closed region in one flat color; a region that leaks may have several.

    choices: ``(K, 3)``, the exact colors to choose from; without any, every region keeps its own, made flat.
    exact: no pixel has another color than one of the choices, not even where none resembles its own or under a line.
    """
    regions = closed_regions(lines)
    if not regions.any():
        return colors
    regions = split_leaks(regions, choices, evidence)
    flats, decided = region_flats(regions, choices, evidence)
    undecided = ~decided
    undecided[0] = False
    if undecided.any():
        flats[undecided] = own_flats(regions, colors, undecided)[undecided]
    if exact:
        undecided[0] = True  # ink so wide that its middle belongs to no region
        flats[undecided] = nearest_choices(flats[undecided], choices)
        return paint_flats(flats, regions)
    snapped = colors.copy()
    lay_flats(snapped, regions, flats, np.arange(len(flats)) > 0)
    return snapped


def nearest_choices(colors: Pixels, choices: Pixels) -> Pixels:
    """The choice ``(K, 3)`` nearest to each color, ``(N, 3)``, in L*a*b*."""
    distances = np.linalg.norm(lab_of(colors)[:, None] - lab_of(choices), axis=2)
    return choices[distances.argmin(axis=1)]


def region_flats(regions: Regions, choices: Pixels, evidence: Evidence) -> tuple[Pixels, Mask]:
    """The choice of each region, ``(R + 1, 3)``, and which regions have one, ``(R + 1,)``; 0 = ink has none."""
    count = int(regions.max()) + 1
    if not len(choices):
        return np.zeros((count, 3), np.uint8), np.zeros(count, np.bool_)
    ballot = count_votes(regions, choices, evidence, count)
    winner, decided = ballot.winners()
    small = (ballot.areas < SMALL * evidence.pixel_area) & (ballot.areas > 0)
    small[0] = False
    if small.any():
        _lean(regions, winner, decided, small, lab_of(choices), ballot.mean_lab())
    return choices[winner], decided


def _lean(
    regions: Regions, winner: NDArray[np.int64], decided: Mask, small: Mask, lab: NDArray[np.float32], mean: NDArray
) -> None:
    """Lets small regions, in place, take the color of a neighbor unless their own is clearly another."""
    first, second = _neighbors(regions)
    useful = small[first] & ~small[second] & decided[second]
    first, second = first[useful], second[useful]
    miss = np.linalg.norm(lab[winner[second]] - mean[first], axis=1)
    own_miss = np.linalg.norm(lab[winner] - mean, axis=1)
    for number in np.argsort(-miss, kind="stable"):  # the nearest neighbor comes last and stays
        region = first[number]
        if miss[number] <= own_miss[region] + LEAN:
            winner[region], decided[region] = winner[second[number]], True


def _neighbors(regions: Regions) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """All ordered pairs of regions that only a line separates."""
    own = extend_regions(regions)
    count, pairs = int(own.max()) + 1, []
    for one, other in ((own[:, :-1], own[:, 1:]), (own[:-1], own[1:])):
        meet = one != other
        first, second = one[meet].astype(np.int64), other[meet].astype(np.int64)
        pairs += [first * count + second, second * count + first]
    both = np.unique(np.concatenate(pairs))
    return both // count, both % count


def own_flats(regions: Regions, colors: Pixels, wanted: Mask) -> Pixels:
    """The most frequent color of each wanted region, roughly: the mean of its fullest bin; ``(R + 1, 3)``.

    0 for numbers that no pixel has, as of a region whose rooms were all split off.
    """
    inside = wanted[regions]
    if not inside.any():
        return np.zeros((len(wanted), 3), np.uint8)
    region, pixels = regions[inside].astype(np.int64), colors[inside]
    bins = (pixels // 16).astype(np.int64) @ np.array([256, 16, 1])
    keys, place, counts = np.unique(region * 4096 + bins, return_inverse=True, return_counts=True)
    order = np.lexsort((counts, keys // 4096))
    last = np.append(np.flatnonzero(np.diff(keys[order] // 4096)), len(order) - 1)
    best = order[last]  # of each region, the bin with most pixels
    sums = np.stack([np.bincount(place, weights=pixels[:, c], minlength=len(keys)) for c in range(3)], axis=1)
    flats = np.zeros((len(wanted), 3), np.uint8)
    flats[keys[best] // 4096] = np.rint(sums[best] / counts[best, None]).astype(np.uint8)
    return flats
