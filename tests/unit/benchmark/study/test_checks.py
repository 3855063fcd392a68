"""Attention checks are as obvious as they claim to be."""

import numpy as np
import pytest
import torch

from irodori.benchmark.study.checks import SPOILED, Check, check_pictures, design_checks, is_clear
from irodori.color import rgb_to_lab
from irodori.errors import DataError
from irodori.image import to_tensor
from studies import HEIGHT, WIDTH, make_benchmark

SKETCH = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
TRUTH = np.full((HEIGHT, WIDTH, 3), (150, 110, 90), np.uint8)  # so dull that its opposite hue lies in sRGB
GRAY = np.full((HEIGHT, WIDTH, 3), 120, np.uint8)


@pytest.fixture(scope="module")
def benchmark(tmp_path_factory):
    return make_benchmark(tmp_path_factory.mktemp("checks") / "bench")


def test_a_turned_hue_keeps_lightness_and_chroma():
    turned, truth = (rgb_to_lab(to_tensor(pixels))[0] for pixels in (SPOILED["hue"](TRUTH, SKETCH), TRUTH))
    torch.testing.assert_close(turned[0], truth[0], rtol=0, atol=0.5)
    torch.testing.assert_close(turned[1:], -truth[1:], rtol=0, atol=0.7)


def test_gray_has_no_color_and_untouched_is_the_sketch():
    assert np.ptp(SPOILED["gray"](TRUTH, SKETCH), axis=2).max() == 0
    assert np.array_equal(SPOILED["untouched"](TRUTH, SKETCH), SKETCH)


def test_a_mosaic_has_blocks_and_the_same_size():
    noise = np.random.default_rng(0).integers(0, 256, (37, 45, 3)).astype(np.uint8)
    blocks = SPOILED["mosaic"](noise, noise)
    assert blocks.shape == noise.shape
    assert np.array_equal(blocks[0:36:2, 0:44:2], blocks[1:36:2, 1:44:2])


def test_only_what_is_plain_counts_as_a_check():
    assert is_clear(TRUTH, SPOILED["hue"](TRUTH, SKETCH))
    assert not is_clear(GRAY, SPOILED["hue"](GRAY, SKETCH))
    assert not is_clear(GRAY, SPOILED["gray"](GRAY, SKETCH))
    speck = SKETCH.copy()
    speck[:4, :4] = 0
    assert not is_clear(SKETCH, speck)


def test_the_truth_shows_the_lines(benchmark):
    right, wrong = check_pictures(benchmark.root, Check(benchmark.cases[0], "untouched"))
    assert right[10, 5].max() == 0
    assert wrong.min() == 0
    assert np.ptp(wrong, axis=2).max() == 0


def test_cases_without_pairs_come_first_and_kinds_in_turn(benchmark):
    used = {f"recolor-{number:03}" for number in range(8)}
    checks = design_checks(benchmark.root, benchmark.cases, used, ("gray", "hue"), 6)
    assert [check.case.id for check in checks[:4]] == [f"recolor-{number:03}" for number in range(8, 12)]
    assert [check.spoiled for check in checks] == ["gray", "hue"] * 3


def test_more_checks_than_truths_use_a_truth_again_with_another_kind_and_then_end(benchmark):
    kinds = ("untouched", "hue")
    checks = design_checks(benchmark.root, benchmark.cases, set(), kinds, 24)
    assert len({(check.case.id, check.spoiled) for check in checks}) == 24
    with pytest.raises(DataError, match="allow 24 of 25 attention checks"):
        design_checks(benchmark.root, benchmark.cases, set(), kinds, 25)
