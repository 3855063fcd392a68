import numpy as np
import pytest
import torch
from scipy.ndimage import distance_transform_edt
from torch import Tensor

from irodori.metrics.bleed import _nearest_other, bleed

RED, BLUE, PINK = (
    torch.tensor(color).view(3, 1, 1) for color in ([0.8, -0.6, -0.6], [-0.6, -0.6, 0.8], [0.8, -0.55, -0.55])
)
SIZE = 40


def halves(left: Tensor, right: Tensor, border: int = 20) -> Tensor:
    image = left.expand(3, SIZE, SIZE).clone()
    image[:, :, border:] = right
    return image


def split(line: int = 0) -> Tensor:
    """Part 0 at the left, 1 at the right, in between a drawn line of this width."""
    parts = torch.zeros(SIZE, SIZE, dtype=torch.long)
    parts[:, 20:] = 1
    parts[:, 20 - (line + 1) // 2 : 20 + line // 2] = -1
    return parts


TRUTH = halves(RED, BLUE)


def test_the_truth_does_not_bleed():
    assert bleed(TRUTH, TRUTH, split()) == 0.0


@pytest.mark.parametrize("columns", [1, 3, 6])
def test_color_that_runs_over_the_border_is_its_share(columns: int):
    """Red runs some columns into blue; twelve columns, six at each side, count."""
    assert bleed(halves(RED, BLUE, 20 + columns), TRUTH, split()) == pytest.approx(columns / 12)


def test_pixels_far_from_a_border_do_not_count():
    image = TRUTH.clone()
    image[:, :, :10] = BLUE
    assert bleed(image, TRUTH, split()) == 0.0
    assert bleed(image, TRUTH, split(), reach_px=20) == pytest.approx(10 / 40)


def test_swapped_colors_bleed_fully():
    assert bleed(halves(BLUE, RED), TRUTH, split()) == 1.0


def test_the_neighbor_is_found_across_a_drawn_line():
    """A line of two pixels: at each side four columns are within six pixels of the other part."""
    assert bleed(halves(RED, BLUE, 23), TRUTH, split(2)) == pytest.approx(2 / 8)
    assert bleed(TRUTH, TRUTH, split(6)) is None


def test_parts_of_nearly_the_same_color_do_not_count():
    assert bleed(halves(PINK, RED), halves(RED, PINK), split()) is None


def test_a_third_color_is_told_by_which_it_is_nearer_to():
    toward_red = 0.7 * RED + 0.3 * BLUE
    assert bleed(halves(toward_red, BLUE), TRUTH, split()) == 0.0
    assert bleed(halves(RED, toward_red), TRUTH, split()) == 0.5


def test_one_part_or_none_has_no_figure():
    assert bleed(TRUTH, TRUTH, torch.zeros(SIZE, SIZE, dtype=torch.long)) is None
    assert bleed(TRUTH, TRUTH, torch.full((SIZE, SIZE), -1)) is None


def test_the_true_color_is_the_median_of_the_part():
    """Of the red part 2 in 5 rows are green: its mean is olive, from which red is farther than from orange."""
    orange, green = (torch.tensor(color).view(3, 1, 1) for color in ([0.8, -0.2, -0.6], [-0.8, 0.6, -0.6]))
    image = halves(RED, orange)
    truth = image.clone()
    truth[:, ::5, :20] = truth[:, 1::5, :20] = green
    assert bleed(image, truth, split()) == 0.0


def test_the_nearest_other_part_is_scipy_s():
    parts = np.random.default_rng(0).integers(-1, 4, (12, 12)).repeat(5, 0).repeat(5, 1)
    distances = np.stack([distance_transform_edt(parts != number) for number in range(4)])
    distances[parts[None] == np.arange(4)[:, None, None]] = np.inf
    reached = (distances.min(0) <= 6) & (parts >= 0)
    found = _nearest_other(parts, 6)
    assert ((found >= 0) == reached).all()
    chosen = np.take_along_axis(distances, found.clip(0)[None], 0)[0]
    np.testing.assert_allclose(chosen[reached], distances.min(0)[reached], rtol=1e-6)
