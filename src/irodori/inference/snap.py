"""Flats: each closed region of a drawing in one color, and that exactly a color of the reference.

Each pixel of a region votes for the nearest color to choose from; the color with most votes wins, so that blotches and
soft mixes in a flat area are outvoted.  Two kinds of regions are not decided by votes: those whose color no choice
resembles or that no source decided, which keep their own color, made flat; and those of only a few network pixels,
which lean towards the regions around them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from irodori.image import Pixels
from irodori.inference.dominant import lab_of
from irodori.inference.finish import bands
from irodori.inference.flats import lay_flats
from irodori.inference.regions import Mask, Regions, closed_regions, extend_regions

LEAST_CONFIDENCE = 0.5
FAR = 30.0
"""Distance in L*a*b* from which on a choice does not resemble the network's color."""
SMALL = 64
"""A region with fewer network pixels than this has seen more of its surroundings than of itself."""
LEAN = 15.0
"""By how much, in L*a*b*, a small region's color may miss that of a neighbor more than that of another choice."""
LEVELS = 64
"""Votes are looked up for colors rounded to this many levels a channel."""


@dataclass(frozen=True)
class Evidence:
    """What a region's color is read from, at the drawing's size.

    colors: ``(H, W, 3)``, the transported colors where the system tells them, else the color layer.
    confidence: ``(H, W)`` in 0…255, or None.
    pixel_area: pixels of the drawing for each pixel of the network's image.
    """

    colors: Pixels
    confidence: Pixels | None
    pixel_area: float


def snap_colors(colors: Pixels, lines: Pixels, choices: Pixels, evidence: Evidence) -> Pixels:
    """The color layer ``(H, W, 3)`` with every closed region in one flat color.

    choices: ``(K, 3)``, the exact colors to choose from; without any, every region keeps its own, made flat.
    """
    regions = closed_regions(lines)
    if not regions.any():
        return colors
    flats, decided = region_flats(regions, choices, evidence)
    undecided = ~decided
    undecided[0] = False
    if undecided.any():
        flats[undecided] = _own_flats(regions, colors, undecided)[undecided]
    snapped = colors.copy()
    lay_flats(snapped, regions, flats, np.arange(len(flats)) > 0)
    return snapped


def region_flats(regions: Regions, choices: Pixels, evidence: Evidence) -> tuple[Pixels, Mask]:
    """The choice of each region, ``(R + 1, 3)``, and which regions have one, ``(R + 1,)``; 0 = ink has none."""
    count = int(regions.max()) + 1
    if not len(choices):
        return np.zeros((count, 3), np.uint8), np.zeros(count, np.bool_)
    ballot = _Ballot(choices, count)
    for band in bands(regions.shape):
        confidence = None if evidence.confidence is None else evidence.confidence[band]
        ballot.add(regions[band], evidence.colors[band], confidence)
    winner, decided = ballot.winners()
    small = (ballot.areas < SMALL * evidence.pixel_area) & (ballot.areas > 0)
    small[0] = False
    if small.any():
        _lean(regions, winner, decided, small, lab_of(choices), ballot.mean_lab())
    return choices[winner], decided


class _Ballot:
    """Votes of pixels for choices, by region."""

    def __init__(self, choices: Pixels, count: int) -> None:
        self.count, self.lab = count, lab_of(choices)
        self.table, self.miss, self.levels_lab = _nearest_choice(self.lab)
        self.votes = np.zeros((count, len(choices)), np.int64)
        self.misses = np.zeros((count, len(choices)))
        self.lab_sums = np.zeros((count, 3))
        self.confidence: NDArray[np.float64] | None = None

    def add(self, regions: Regions, colors: Pixels, confidence: Pixels | None) -> None:
        """The pixels of a band of rows."""
        step = 256 // LEVELS
        code = (colors // step).astype(np.int32) @ np.array([LEVELS**2, LEVELS, 1], np.int32)
        flat, code = regions.reshape(-1), code.reshape(-1)
        choice = self.table[code]
        shape, index = self.votes.shape, flat.astype(np.int64) * len(self.lab) + choice
        self.votes += np.bincount(index, minlength=self.votes.size).reshape(shape)
        self.misses += np.bincount(index, weights=self.miss[code], minlength=self.votes.size).reshape(shape)
        for channel in range(3):
            values = self.levels_lab[code, channel]
            self.lab_sums[:, channel] += np.bincount(flat, weights=values, minlength=self.count)
        if confidence is not None:
            more = np.bincount(flat, weights=confidence.reshape(-1) / 255.0, minlength=self.count).astype(np.float64)
            self.confidence = more if self.confidence is None else self.confidence + more

    @property
    def areas(self) -> NDArray[np.int64]:
        """Pixels of each region."""
        return np.asarray(self.votes.sum(axis=1), np.int64)

    def mean_lab(self) -> NDArray[np.float64]:
        """Mean L*a*b* of each region, ``(R + 1, 3)``."""
        return np.asarray(self.lab_sums / np.maximum(self.areas, 1)[:, None])

    def winners(self) -> tuple[NDArray[np.int64], Mask]:
        """The choice with most votes in each region, and whether it resembles what voted for it and is decided."""
        winner = self.votes.argmax(axis=1)
        rows = np.arange(self.count)
        miss = self.misses[rows, winner] / np.maximum(self.votes[rows, winner], 1)
        decided = (miss <= FAR) & (self.areas > 0)
        if self.confidence is not None:
            decided &= self.confidence >= LEAST_CONFIDENCE * self.areas
        decided[0] = False
        return winner, decided


def _nearest_choice(lab: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.float32]]:
    """For each rounded color the nearest choice, its distance, and the rounded color in L*a*b*."""
    step = 256 // LEVELS
    axis = (np.arange(LEVELS) * step + step // 2).astype(np.uint8)
    levels = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    levels_lab = lab_of(levels)
    best, choice = np.full(len(levels), np.inf, np.float32), np.zeros(len(levels), np.int64)
    for number, color in enumerate(lab):
        distance = np.linalg.norm(levels_lab - color, axis=1)
        nearer = distance < best
        best[nearer], choice[nearer] = distance[nearer], number
    return choice, best, levels_lab


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
    own = extend_regions(regions).astype(np.int64)
    count, pairs = int(own.max()) + 1, []
    for one, other in ((own[:, :-1], own[:, 1:]), (own[:-1], own[1:])):
        meet = one != other
        pairs += [one[meet] * count + other[meet], other[meet] * count + one[meet]]
    both = np.unique(np.concatenate(pairs))
    return both // count, both % count


def _own_flats(regions: Regions, colors: Pixels, wanted: Mask) -> Pixels:
    """The most frequent color of each wanted region, roughly: the mean of its fullest bin; ``(R + 1, 3)``."""
    inside = wanted[regions]
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
