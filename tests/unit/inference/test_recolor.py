"""The palette by regions, and one color replaced in all of them."""

import numpy as np
import pytest

from irodori.errors import InputError
from irodori.inference.guidance import Hint
from irodori.inference.recolor import inner_points, palette_of, replace_color
from irodori.inference.result import Result

RED, BLUE, GREEN = (200, 40, 50), (30, 60, 200), (20, 160, 60)


def striped(*colors, width=20, height=30, hints=()):
    """Stripes with lines between them, each in a color, as a system that draws no lines paints them."""
    drawing = np.full((height, len(colors) * width), 255, np.uint8)
    drawing[:, width - 1 :: width] = 0
    image = np.repeat(np.array(colors, np.uint8), width, axis=0)[None].repeat(height, 0)
    return Result(np.ascontiguousarray(image), drawing, "none", None, (), {}, hints, inked=False)


def test_the_palette_is_that_of_the_regions_by_area():
    palette = palette_of(striped(RED, BLUE, RED, GREEN))
    assert palette[0].color == RED
    assert {swatch.color for swatch in palette} == {RED, BLUE, GREEN}
    assert [swatch.share for swatch in palette] == pytest.approx([0.5, 0.25, 0.25])


def test_a_replaced_color_is_another_one_in_all_its_regions_and_nowhere_else():
    before = striped(RED, BLUE, RED, GREEN)
    hints = replace_color(before, RED, (1, 2, 3))
    assert [hint.color for hint in hints] == [(1, 2, 3)] * 2
    assert sorted(hint.x // 20 for hint in hints) == [0, 2]
    after = striped(RED, BLUE, RED, GREEN, hints=hints).color_pixels
    assert (after[:, 2:17] == (1, 2, 3)).all()
    assert (after[:, 42:57] == (1, 2, 3)).all()
    assert np.array_equal(after[:, 22:37], before.color_pixels[:, 22:37])


def test_a_color_that_is_not_in_the_palette_is_told():
    with pytest.raises(InputError, match="not in the picture's palette"):
        replace_color(striped(RED, BLUE), GREEN, RED)


def test_a_picture_of_noise_has_a_palette_too():
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    result = Result(noise, np.full((40, 40), 255, np.uint8), "none", None, (), {}, inked=False)
    assert sum(swatch.share for swatch in palette_of(result)) == pytest.approx(1)


def test_inner_points_are_deep_inside_the_largest_first():
    regions = np.zeros((30, 50), np.int32)
    regions[2:9, 2:9] = 1
    regions[12:27, 20:45] = 2
    points = inner_points(regions, np.array([False, True, True]))
    assert [regions[y, x] for x, y in points] == [2, 1]
    assert points[1] == (5, 5)
    assert points[0][1] == 19
    assert inner_points(regions, np.array([False, True, False])) == [(5, 5)]


def test_hints_in_hundreds_of_regions_are_each_exact():
    grid = np.full((120, 120), 255, np.uint8)
    grid[::6], grid[:, ::6] = 0, 0
    places = [(x, y) for y in range(3, 120, 6) for x in range(3, 120, 6)]
    hints = tuple(Hint(x, y, (x, y, number % 256)) for number, (x, y) in enumerate(places))
    image = np.full((30, 30, 3), 128, np.uint8)
    colors = Result(image, grid, "none", None, (), {}, hints, inked=False).color_pixels
    assert all(tuple(colors[hint.y, hint.x]) == hint.color for hint in hints)
