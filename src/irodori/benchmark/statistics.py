"""Means with intervals, and differences that count: a bootstrap over items (Efron, Tibshirani 1993, chapter 13).

An item is what was drawn independently of the others, such as one drawing; all its values are drawn again together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 1000
PERCENTILES = (2.5, 97.5)
LEAST_ITEMS = 6
"""From fewer items nothing follows at 95 %: that all five differ to the same side has probability 2 · 0.5^5 = 6 %."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A mean, the 95 % interval around it, and the number of items behind it."""

    mean: float
    low: float
    high: float
    items: int

    @property
    def excludes_zero(self) -> bool:
        """Whether a difference counts: its interval excludes zero, and it rests on enough items."""
        return self.items >= LEAST_ITEMS and (self.low > 0 or self.high < 0)


def mean_interval(groups: Sequence[Sequence[float]], seed: int = 0, resamples: int = RESAMPLES) -> Estimate | None:
    """Mean over all values and its interval when whole groups (the values of one item) are drawn again.

    None without any value.
    """
    filled = [group for group in groups if len(group)]
    sums = np.array([sum(group) for group in filled], np.float64)
    return ratio_interval(sums, np.array([len(group) for group in filled], np.float64), seed, resamples)


def ratio_interval(sums: Floats, weights: Floats, seed: int = 0, resamples: int = RESAMPLES) -> Estimate | None:
    """Total of `sums` over total of `weights`, both ``(items,)``, and its interval; items of no weight do not count."""
    counted = weights > 0
    sums, weights = sums[counted], weights[counted]
    if not len(sums):
        return None
    drawn = _draws(len(sums), seed, resamples)
    means = (drawn @ sums) / (drawn @ weights)
    low, high = np.percentile(means, PERCENTILES)
    return Estimate(float(sums.sum() / weights.sum()), float(low), float(high), len(sums))


@lru_cache(maxsize=16)
def _draws(items: int, seed: int, resamples: int) -> Floats:
    """How often each resample holds each item, ``(resamples, items)``."""
    drawn = np.random.default_rng(seed).integers(items, size=(resamples, items))
    rows = np.arange(resamples)[:, None] * items
    counts = np.bincount((drawn + rows).reshape(-1), minlength=resamples * items)
    return counts.reshape(resamples, items).astype(np.float64)
