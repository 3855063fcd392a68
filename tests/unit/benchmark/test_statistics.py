"""Intervals against closed forms and another implementation; whole items are drawn again."""

import numpy as np
import pytest
from scipy import stats

from irodori.benchmark.statistics import LEAST_ITEMS, mean_interval, ratio_interval


def _values(count=400, seed=3):
    return np.random.default_rng(seed).normal(5, 2, count)


def test_equal_values_have_no_spread():
    found = mean_interval([[3.0]] * 10)
    assert (found.mean, found.low, found.high, found.items) == (3.0, 3.0, 3.0, 10)


def test_the_interval_is_that_of_the_normal_approximation():
    values = _values()
    found = mean_interval([[value] for value in values], resamples=4000)
    half = 1.96 * values.std() / np.sqrt(len(values))
    assert found.mean == pytest.approx(values.mean())
    assert found.low == pytest.approx(values.mean() - half, abs=0.15 * half)
    assert found.high == pytest.approx(values.mean() + half, abs=0.15 * half)


def test_scipy_finds_the_same_interval():
    values = _values(60)
    found = mean_interval([[value] for value in values], resamples=4000)
    expected = stats.bootstrap((values,), np.mean, n_resamples=4000, method="percentile", rng=1).confidence_interval
    assert found.low == pytest.approx(expected.low, abs=0.05)
    assert found.high == pytest.approx(expected.high, abs=0.05)


def test_values_of_one_item_are_drawn_together():
    """A hundred copies of each value say no more than one, and their mean is weighted by their number."""
    values = _values(20)
    once = mean_interval([[value] for value in values])
    often = mean_interval([[value] * 100 for value in values])
    assert often.low == pytest.approx(once.low)
    assert often.high == pytest.approx(once.high)
    assert mean_interval([[0.0] * 3, [1.0]]).mean == 0.25


def test_ratios_and_lists_agree():
    lists = [[1.0, 2.0], [4.0], [], [0.0, 0.0, 1.0]]
    sums, weights = np.array([3.0, 4.0, 0.0, 1.0]), np.array([2.0, 1.0, 0.0, 3.0])
    assert ratio_interval(sums, weights) == mean_interval(lists)
    assert mean_interval(lists).items == 3


def test_the_seed_decides():
    values = [[value] for value in _values(20)]
    assert mean_interval(values, seed=1) == mean_interval(values, seed=1)
    assert mean_interval(values, seed=1) != mean_interval(values, seed=2)


def test_nothing_gives_nothing():
    assert mean_interval([]) is None
    assert mean_interval([[], []]) is None


def test_few_items_prove_nothing():
    assert mean_interval([[1.0]] * LEAST_ITEMS).excludes_zero
    assert not mean_interval([[1.0]] * (LEAST_ITEMS - 1)).excludes_zero
    assert not mean_interval([[1.0], [-1.0]] * LEAST_ITEMS).excludes_zero


def test_equal_methods_are_rarely_called_different():
    """Under the hypothesis that nothing differs, an interval of 95 % excludes zero about once in twenty."""
    generator = np.random.default_rng(0)
    draws = [generator.normal(size=50) for _ in range(200)]
    called = sum(mean_interval([[value] for value in values], seed).excludes_zero for seed, values in enumerate(draws))
    assert 2 <= called <= 24
