"""What happens to a figure along a sequence of cases: references that slide away, edits that grow."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from irodori.errors import InputError
from irodori.metrics.checks import optional


def slope(positions: Sequence[float], values: Sequence[float]) -> float:
    """Least-squares slope of a figure over its positions: its change per unit of position, 0 = unmoved by the shift."""
    _check(positions, values)
    x = np.asarray(positions, np.float64) - np.mean(positions)
    y = np.asarray(values, np.float64) - np.mean(values)
    return float(x @ y / (x @ x))


def monotony(positions: Sequence[float], values: Sequence[float]) -> float:
    """Spearman's rank correlation of a figure with its positions, -1…1: 1 = it never falls, 0 for a constant figure."""
    _check(positions, values)
    if len(set(values)) == 1:
        return 0.0
    return float(optional("scipy.stats").spearmanr(positions, values).statistic)


def _check(positions: Sequence[float], values: Sequence[float]) -> None:
    if len(positions) != len(values) or len(set(positions)) < 2:
        raise InputError(
            f"a trend needs one value for each of at least two different positions, got {len(values)} values "
            f"at {len(positions)} positions"
        )
    if not np.isfinite([*positions, *values]).all():
        raise InputError("a trend needs finite positions and values; leave failed cases out")
