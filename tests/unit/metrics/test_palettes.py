import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment
from skimage.color import deltaE_ciede2000, rgb2lab

from irodori.metrics.palettes import palette_distance

BLACK = -torch.ones(3, 20, 20)
COLORS = np.random.default_rng(3).integers(0, 256, (8, 3))


def mosaic(colors: np.ndarray, order: np.ndarray) -> torch.Tensor:
    """One column of 4 px for each color, in this order."""
    columns = torch.from_numpy(colors[order]).float() / 127.5 - 1
    return columns.T.repeat_interleave(4, 1)[:, None].expand(3, 10, -1).clone()


def test_the_same_colors_elsewhere_are_the_same_palette():
    assert palette_distance(mosaic(COLORS, np.arange(8)), mosaic(COLORS, np.arange(8)[::-1])) == pytest.approx(
        0, abs=1e-4
    )


def test_black_to_white_and_a_quarter_of_it():
    quarter = BLACK.clone()
    quarter[:, :5] = 1
    assert palette_distance(BLACK, -BLACK) == pytest.approx(100, abs=1e-3)
    assert palette_distance(quarter, BLACK) == pytest.approx(25, abs=1e-3)
    assert palette_distance(quarter, -BLACK) == pytest.approx(75, abs=1e-3)


def test_equal_amounts_are_an_assignment():
    """With equally many pixels of each color the cheapest transport pairs the colors one to one."""
    others = np.random.default_rng(4).integers(0, 256, (8, 3))
    first, second = (rgb2lab(each[None] / 255)[0] for each in (COLORS, others))
    costs = deltaE_ciede2000(first[:, None], second[None])
    expected = costs[linear_sum_assignment(costs)].mean()
    images = mosaic(COLORS, np.arange(8)), mosaic(others, np.arange(8))
    assert palette_distance(*images) == pytest.approx(expected, abs=0.02)
    assert palette_distance(*images[::-1]) == pytest.approx(expected, abs=0.02)


def test_sizes_may_differ():
    small, large = mosaic(COLORS, np.arange(8)), mosaic(COLORS, np.arange(8)).repeat_interleave(3, 1)
    assert palette_distance(small, large) == pytest.approx(0, abs=1e-4)


def test_two_pictures_of_the_same_noise_are_near():
    generator = torch.Generator().manual_seed(0)
    first, second = (torch.rand(3, 128, 128, generator=generator) * 2 - 1 for _ in range(2))
    assert palette_distance(first, second) < 1.5
    assert palette_distance(first, second * 0.5) > 10
