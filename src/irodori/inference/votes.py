"""Votes of a region's pixels for the color that the whole region is to have."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from irodori.image import Pixels
from irodori.inference.dominant import lab_of
from irodori.inference.finish import bands
from irodori.inference.regions import Mask, Regions

LEAST_CONFIDENCE = 0.5
FAR = 30.0
"""Distance in L*a*b* from which on a choice does not resemble the network's color."""
SMALL = 64
"""A region with fewer network pixels than this has seen more of its surroundings than of itself."""
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

    def every(self, step: int) -> Evidence:
        """Every n-th pixel in both directions."""
        confidence = None if self.confidence is None else self.confidence[::step, ::step]
        return Evidence(self.colors[::step, ::step], confidence, self.pixel_area / step**2)


def count_votes(regions: Regions, choices: Pixels, evidence: Evidence, count: int) -> Ballot:
    """The votes of all pixels, ``regions (H, W)`` of numbers below `count`, for the choices ``(K, 3)``."""
    ballot = Ballot(choices, count)
    for band in bands(regions.shape):
        confidence = None if evidence.confidence is None else evidence.confidence[band]
        ballot.add(regions[band], evidence.colors[band], confidence)
    return ballot


class Ballot:
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
        red, green, blue = (colors[..., c].astype(np.int32) // (256 // LEVELS) for c in range(3))
        flat, code = regions.reshape(-1), ((red * LEVELS + green) * LEVELS + blue).reshape(-1)
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
