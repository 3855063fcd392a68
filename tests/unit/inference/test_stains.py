"""A patch of another color goes where nothing in the drawing explains it, and stays where a line does."""

import numpy as np
import pytest

from irodori.inference.stains import remove_stains

WHITE, ORANGE = (250, 250, 250), (240, 140, 40)


def paper(size=(40, 40)):
    return np.full((*size, 3), WHITE, np.uint8), np.ones(size, np.int32), np.zeros(size, bool)


def test_a_stain_and_its_soft_fringe_take_the_color_of_the_region():
    colors, regions, ink = paper()
    colors[11:21, 11:21] = (248, 220, 190)
    colors[12:20, 12:20] = ORANGE
    remove_stains(colors, regions, ink)
    assert (colors == WHITE).all()


def test_in_a_tinted_area_a_stain_takes_the_tint():
    colors, regions, ink = paper()
    colors[5:35, 2:20] = (250, 226, 232)  # less than half of the region, further than a fringe goes
    colors[16:24, 8:14] = ORANGE
    remove_stains(colors, regions, ink)
    assert (colors[5:35, 2:20] == (250, 226, 232)).all()
    assert (colors[:, 20:] == WHITE).all()


def test_a_stain_before_the_gap_of_an_area_neither_takes_its_color_nor_changes_it():
    colors, regions, ink = paper()
    ink[9:31, 19:32] = True
    ink[10:30, 20:31] = ink[19:21, 19] = False
    colors[10:30, 20:31] = ORANGE
    colors[15:25, 10:18] = (60, 90, 220)
    colors[19:21, 18:20] = (250, 226, 232)
    remove_stains(colors, regions, ink)
    assert (colors[10:30, 20:31] == ORANGE).all()
    assert (colors[:, :20] == WHITE).all()


@pytest.mark.parametrize("gap", [0, 4])
def test_an_area_with_an_outline_keeps_its_color_even_with_a_gap(gap):
    colors, regions, ink = paper()
    colors[12:20, 12:20] = ORANGE
    ink[11:21, 11:21] = True
    ink[12:20, 12:20] = False
    ink[20, 12 : 12 + gap] = False
    kept = colors.copy()
    remove_stains(colors, regions, ink)
    assert (colors == kept).all()


def test_another_region_is_a_border_too():
    colors, regions, ink = paper()
    colors[:, 20:], regions[:, 20:] = ORANGE, 2
    colors[5:15, 15:20] = ORANGE  # spilled over the border: open on three of its four sides
    colors[30:33, 38:] = WHITE
    remove_stains(colors, regions, ink)
    assert (colors[:, :20] == WHITE).all()
    assert (colors[:, 20:] == ORANGE).all()


def test_stains_of_two_regions_that_touch_are_told_apart():
    colors, regions, ink = paper()
    regions[20:] = 2
    colors[10:20, 5:15], colors[20:38, 5:8] = ORANGE, ORANGE
    ink[20:38, 4] = ink[20:38, 8] = ink[38, 4:9] = True  # outlined in region 2 alone
    remove_stains(colors, regions, ink)
    assert (colors[:20] == WHITE).all()
    assert (colors[20:38, 5:8] == ORANGE).all()


def test_a_region_of_many_colors_is_left_alone():
    colors, regions, ink = paper()
    colors[..., 1] = np.linspace(0, 255, 40).astype(np.uint8)[:, None]
    kept = colors.copy()
    remove_stains(colors, regions, ink)
    assert (colors == kept).all()


def test_cells_without_a_region_and_small_regions_are_left_alone():
    colors, regions, ink = paper((12, 12))
    regions[:, :6], regions[:, 6:] = 0, 3
    regions[6:, 6:] = 4
    colors[2:5, 1:4] = colors[8:10, 8:10] = ORANGE
    kept = colors.copy()
    remove_stains(colors, regions, ink)
    assert (colors == kept).all()


def test_all_ink_and_no_region_at_all():
    colors, regions, ink = paper((4, 5))
    remove_stains(colors, np.zeros_like(regions), ~ink)
    assert (colors == WHITE).all()
