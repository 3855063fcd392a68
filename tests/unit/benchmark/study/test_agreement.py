"""Agreement between judges against the examples of those who defined it."""

import numpy as np
import pytest

from irodori.benchmark.study.agreement import fleiss_kappa, krippendorff_alpha, observed_agreement


def test_fleiss_on_a_published_example():
    # Wikipedia, "Fleiss' kappa", worked example: 14 raters put 10 subjects into 5 categories; kappa 0.210.
    counts = np.array([
        [0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
        [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7],
    ])  # fmt: skip
    assert observed_agreement(counts) == pytest.approx(0.378, abs=5e-4)
    assert fleiss_kappa(counts) == pytest.approx(0.210, abs=5e-4)


def test_krippendorff_on_his_own_example():
    # Krippendorff 2011, section C: 4 observers, 12 units, 5 values, gaps; nominal alpha 0.743.
    rows = ["1 2 3 3 2 1 4 1 2 . . .", "1 2 3 3 2 2 4 1 2 5 . 3", ". 3 3 3 2 3 4 2 2 5 1 .", "1 2 3 3 2 4 4 1 2 5 1 ."]
    values = [row.split() for row in rows]
    counts = np.array([[[row[unit] for row in values].count(value) for value in "12345"] for unit in range(12)])
    assert krippendorff_alpha(counts) == pytest.approx(0.743, abs=5e-4)


def test_both_are_one_when_all_agree_and_none_when_there_is_nothing_to_agree_on():
    unanimous = np.array([[3, 0], [0, 3], [3, 0]])
    assert fleiss_kappa(unanimous) == 1.0
    assert krippendorff_alpha(unanimous) == 1.0
    assert fleiss_kappa(unanimous[:0]) is None
    assert krippendorff_alpha(np.array([[1, 0], [0, 1]])) is None
    assert fleiss_kappa(unanimous[::2]) is None


def test_both_are_near_zero_for_judges_who_toss_coins():
    counts = np.random.default_rng(0).multinomial(5, [0.4, 0.2, 0.4], size=4000)
    assert fleiss_kappa(counts) == pytest.approx(0.0, abs=0.02)
    assert krippendorff_alpha(counts) == pytest.approx(0.0, abs=0.02)
