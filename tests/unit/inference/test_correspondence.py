"""A hand-made attention: places are found in pixels of the files, whatever the sizes and the padding."""

import numpy as np
import pytest
import torch

from fakes import box_drawing
from irodori.errors import InputError
from irodori.image import Geometry
from irodori.inference.correspondence import Correspondence, default_points
from irodori.systems.base import Attention

SKETCH = Geometry((128, 64), 64, 16)  # 64x32 in the network: 4x2 cells of 16, each 32 pixels of the file
FIRST = Geometry((40, 80), 64, 16)  # 32x64: 2x4 cells
SECOND = Geometry((96, 80), 64, 16)  # 64x53, padded to 64x64: 4x4 cells, the last column partly padding


@pytest.fixture
def correspondence():
    weights = torch.full((1, 8, 8 + 16), 0.001)
    weights[0, 0, 1 * 4 + 2] = 0.9  # sketch cell (0, 0) → first reference, row 1, column 2
    weights[0, 7, 8 + 3 * 4 + 0] = 0.8  # sketch cell (3, 1) → second reference, row 3, column 0
    attention = Attention.of(weights, (4, 2), ((2, 4), (4, 4)))
    references = (np.zeros((40, 80, 3), np.uint8), np.zeros((96, 80, 3), np.uint8))
    lines = box_drawing(128, 64, (10, 10, 100, 50))
    return Correspondence(attention, SKETCH, (FIRST, SECOND), lines, references)


def test_where(correspondence):
    assert correspondence.where(5, 5) == pytest.approx((0, 49.5, 29.5, 0.9))
    index, x, y, weight = correspondence.where(60, 120)
    assert (index, weight) == (1, pytest.approx(0.8))
    assert x == pytest.approx(8 * 80 / 53 - 0.5)
    assert y == pytest.approx(56 * 1.5 - 0.5)


def test_heatmap(correspondence):
    heat = correspondence.heatmap(5, 5, 0)
    assert heat.shape == (40, 80)
    assert heat.dtype == np.float32
    assert 0 <= heat.min() <= heat.max() <= 1
    row, column = np.unravel_index(heat.argmax(), heat.shape)
    assert 20 <= row < 40
    assert 40 <= column < 60
    assert correspondence.heatmap(5, 5, 1).shape == (96, 80)


def test_attention_to_padding_is_not_shown():
    weights = torch.tensor([[[0.1, 0.9]]])
    narrow = Geometry((64, 16), 64, 32)  # 64x16 padded to 64x32; a grid of one row and two columns
    attention = Attention.of(weights, (1, 1), ((1, 2),))
    lines, reference = np.full((64, 64), 255, np.uint8), np.zeros((64, 16, 3), np.uint8)
    found = Correspondence(attention, Geometry((64, 64), 64, 32), (narrow,), lines, (reference,)).where(3, 3)
    assert found == pytest.approx((0, 7.5, 31.5, 0.1))


def test_points_outside_are_refused(correspondence):
    with pytest.raises(InputError, match="outside the sketch of 64x128"):
        correspondence.where(64, 5)
    with pytest.raises(InputError, match="no reference 2"):
        correspondence.heatmap(5, 5, 2)


def test_picture_has_one_panel_per_point(correspondence):
    one, two = correspondence.picture([(5, 5)]), correspondence.picture([(5, 5), (60, 120)])
    assert one.dtype == np.uint8
    assert one.shape[2] == 3
    assert two.shape[1] > one.shape[1]
    assert correspondence.picture().shape[1] > one.shape[1]


def test_default_points_lie_inside_the_largest_regions():
    lines = box_drawing(200, 300, (20, 20, 120, 150), 2)
    lines[150:180, 200:280] = box_drawing(30, 80, (0, 0, 29, 79), 2)
    points = default_points(lines)
    assert len(points) == 3
    assert 20 < points[0][0] < 150
    assert 20 < points[0][1] < 120
    assert 200 < points[1][0] < 280
    assert 150 < points[1][1] < 180


def test_default_points_of_blank_and_black():
    assert len(default_points(np.full((40, 40), 255, np.uint8))) == 1
    assert default_points(np.zeros((40, 40), np.uint8)) == [(0.0, 0.0)]
