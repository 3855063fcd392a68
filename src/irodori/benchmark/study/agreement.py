"""How far judges agree beyond chance: Fleiss' kappa and Krippendorff's alpha.

Both take ``counts``, ``(items, categories)``: how many judges put an item into a category.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]


def fleiss_kappa(counts: Counts) -> float | None:
    """Fleiss, "Measuring nominal scale agreement among many raters", 1971, equations 1-7; every item needs the same
    number of judges, at least two.

    1 = all agree, 0 = as by chance; None when there are no items or all judgments are the same one.
    """
    judges = counts.sum(1)
    if not len(counts) or judges[0] < 2:
        return None
    assert (judges == judges[0]).all()
    by_chance = float(((counts.sum(0) / counts.sum()) ** 2).sum())
    return _beyond_chance(observed_agreement(counts), by_chance)


def krippendorff_alpha(counts: Counts) -> float | None:
    """Krippendorff, "Computing Krippendorff's alpha-reliability", 2011, for nominal data; items may have any number of
    judges, those with one are left out.

    1 = all agree, 0 = as by chance; None when no item has two judges or all judgments are the same one.
    """
    counts = counts[counts.sum(1) >= 2]
    if not len(counts):
        return None
    judges, total, totals = counts.sum(1), counts.sum(), counts.sum(0)
    agreed = float(((counts * (counts - 1)).sum(1) / (judges - 1)).sum() / total)
    return _beyond_chance(agreed, float((totals * (totals - 1)).sum() / (total * (total - 1))))


def _beyond_chance(agreed: float, by_chance: float) -> float | None:
    return (agreed - by_chance) / (1.0 - by_chance) if by_chance < 1.0 else None


def observed_agreement(counts: Counts) -> float:
    """The share of two judges of an item who agree, averaged over the items, each of at least two judges."""
    judges = counts.sum(1)
    return float(((counts * (counts - 1)).sum(1) / (judges * (judges - 1))).mean())
