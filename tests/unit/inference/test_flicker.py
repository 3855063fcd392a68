"""Flicker between frames whose change is known by construction."""

import numpy as np
import pytest

from fakes import box_drawing
from irodori.inference.flicker import corresponding_regions, measure_flicker
from irodori.inference.regions import closed_regions

RED, DARK = (200, 30, 40), (190, 30, 40)


def _frame(left, inside=RED, ground=(255, 255, 255)):
    lines = box_drawing(80, 120, (20, left, 60, left + 50), 2)
    picture = np.full((80, 120, 3), ground, np.uint8)
    picture[20:61, left : left + 51] = inside
    return lines, np.where(lines[..., None] < 200, np.uint8(0), picture)


def _measured(first, second):
    return measure_flicker((first[0], second[0]), (first[1], second[1]))


def test_a_moved_thing_of_the_same_color_does_not_flicker():
    found = _measured(_frame(20), _frame(26))
    assert (found.mean, found.worst) == (0, 0)
    assert found.share > 0.7


def test_the_change_is_measured_where_it_is():
    from skimage.color import deltaE_ciede2000, rgb2lab

    found = _measured(_frame(20), _frame(26, DARK))
    expected = deltaE_ciede2000(rgb2lab(np.array(RED) / 255), rgb2lab(np.array(DARK) / 255))
    assert found.worst == pytest.approx(expected, abs=0.02)
    assert 0 < found.mean < found.worst / 2


def test_what_nothing_corresponds_to_does_not_count():
    found = _measured(_frame(0), _frame(65, DARK))
    assert found.worst == 0  # the ground alone is the same thing
    assert measure_flicker((np.zeros((9, 9), np.uint8),) * 2, (np.zeros((9, 9, 3), np.uint8),) * 2) is None


def test_regions_are_each_others_best_partner():
    one, other = closed_regions(_frame(20)[0]), closed_regions(_frame(24)[0])
    first, second, areas = corresponding_regions(one, other)
    pairs = dict(zip(first.tolist(), second.tolist(), strict=True))
    assert pairs == {one[2, 2]: other[2, 2], one[40, 40]: other[40, 40]}
    assert areas[first.tolist().index(one[40, 40])] == 37 * 43
