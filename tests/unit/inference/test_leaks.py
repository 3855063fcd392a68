"""A gap in a line does not make one flat of two things, and nothing else is divided."""

import numpy as np
import pytest
from PIL import Image

from fakes import box_drawing
from irodori.inference.leaks import find_rooms, split_leaks
from irodori.inference.regions import closed_regions, grow_labels
from irodori.inference.snap import snap_colors
from irodori.inference.votes import Evidence

RED, BLUE, WHITE = (220, 30, 20), (20, 40, 230), (255, 255, 255)
CHOICES = np.array([RED, BLUE, WHITE], np.uint8)


def _leaking(gap, scale=1):
    """A red box on white whose outline has a gap, ``(300 * scale, 400 * scale)``: lines and colors."""
    lines = box_drawing(300 * scale, 400 * scale, (50 * scale, 50 * scale, 250 * scale, 300 * scale), 2)
    lines[50 * scale : 50 * scale + 2, 150 * scale : 150 * scale + gap] = 255
    colors = np.full((*lines.shape, 3), 255, np.uint8)
    colors[50 * scale : 250 * scale + 1, 50 * scale : 300 * scale + 1] = RED
    return lines, colors


@pytest.mark.parametrize(("gap", "scale"), [(5, 1), (6, 1), (20, 5)])
def test_figure_and_ground_keep_their_colors_although_the_line_is_open(gap, scale):
    lines, colors = _leaking(gap, scale)
    assert closed_regions(lines).max() == 1
    snapped = snap_colors(colors, lines, CHOICES, Evidence(colors, None, 1.0))
    inside = snapped[60 * scale : 249 * scale, 52 * scale : 299 * scale]
    assert (inside == RED).all()
    assert (snapped[: 45 * scale] == WHITE).all()
    assert (snapped[:, 303 * scale :] == WHITE).all()


@pytest.mark.parametrize("scale", [1, 3, 4])
def test_along_the_lines_no_pixel_has_the_other_rooms_color(scale):
    lines, colors = _leaking(5 * scale, scale)
    lines = np.asarray(
        Image.fromarray(lines).resize((lines.shape[1] + 7, lines.shape[0] + 5), Image.Resampling.BICUBIC)
    )
    colors = np.asarray(Image.fromarray(colors).resize(lines.shape[::-1], Image.Resampling.NEAREST))
    snapped = snap_colors(colors, lines, CHOICES, Evidence(colors, None, 1.0))
    inside, paper = snapped[58 * scale : 251 * scale, 51 * scale : 301 * scale], lines >= 200
    assert (inside[paper[58 * scale : 251 * scale, 51 * scale : 301 * scale]] != WHITE).any(axis=1).all()


def test_a_wide_opening_is_no_gap():
    lines, colors = _leaking(60)
    snapped = snap_colors(colors, lines, CHOICES, Evidence(colors, None, 1.0))
    assert len(np.unique(snapped[lines == 255], axis=0)) == 1


def test_rooms_of_the_same_color_stay_one_region():
    lines, colors = _leaking(5)
    regions = closed_regions(lines)
    assert np.array_equal(split_leaks(regions, CHOICES, Evidence(np.full_like(colors, 250), None, 1.0)), regions)


def test_a_room_without_a_clear_color_is_not_split_off():
    lines, colors = _leaking(5)
    mixed = colors.copy()
    mixed[52:249:2, 52:299], mixed[53:249:2, 52:299] = RED, BLUE
    regions = closed_regions(lines)
    assert np.array_equal(split_leaks(regions, CHOICES, Evidence(mixed, None, 1.0)), regions)
    assert not np.array_equal(split_leaks(regions, CHOICES, Evidence(colors, None, 1.0)), regions)


def test_a_room_of_few_network_pixels_is_not_split_off():
    lines, colors = _leaking(5)
    regions = closed_regions(lines)
    assert np.array_equal(split_leaks(regions, CHOICES, Evidence(colors, None, 3000.0)), regions)


def test_rooms_know_their_regions():
    lines, _ = _leaking(5)
    lines[100:120, 100:120] = box_drawing(20, 20, (0, 0, 19, 19))
    lines[150:153, 150:153] = box_drawing(3, 3, (0, 0, 2, 2))  # one pixel of paper: no room for the ball
    regions = closed_regions(lines)
    rooms, owner = find_rooms(regions)
    assert np.array_equal(owner[rooms], regions)
    assert len({rooms[10, 10], rooms[200, 200], rooms[110, 110], rooms[151, 151]}) == 4
    assert rooms[10, 10] == rooms[290, 390]
    assert rooms[53, 53] == rooms[247, 297] == rooms[200, 200]  # the corners too


@pytest.mark.parametrize("level", [0, 255])
def test_blank_and_black(level):
    rooms, _ = find_rooms(closed_regions(np.full((40, 50), level, np.uint8)))
    assert len(np.unique(rooms)) == 1


def test_labels_do_not_pass_a_diagonal_line():
    free = np.ones((20, 20), np.bool_)
    np.fill_diagonal(free, False)
    labels = np.zeros((20, 20), np.uint16)
    labels[0, 19] = 3
    grow_labels(labels, free)
    assert (labels[np.triu_indices(20, 1)] == 3).all()
    assert not labels[np.tril_indices(20)].any()


def test_a_region_may_dissolve_into_rooms():
    """Two rooms, each mostly in a color of its own and partly in a third, which is the most usual of their region."""
    lines, _ = _leaking(5)
    colors = np.full((*lines.shape, 3), RED, np.uint8)
    colors[50:251, 50:301] = BLUE
    colors[::5], colors[1::5] = WHITE, WHITE
    snapped = snap_colors(colors, lines, CHOICES, Evidence(colors, None, 1.0))
    assert (snapped[20, 20] == RED).all()
    assert (snapped[150, 150] == BLUE).all()


def test_a_bust_whose_outline_ends_before_the_page():
    lines = np.full((300, 400), 255, np.uint8)
    lines[120:290, 100:103] = lines[120:290, 297:300] = lines[120:123, 100:300] = 0
    colors = np.full((300, 400, 3), 255, np.uint8)
    colors[120:290, 100:300] = RED
    snapped = snap_colors(colors, lines, CHOICES, Evidence(colors, None, 1.0))
    assert (snapped[130:280, 110:290] == RED).all()
    assert (snapped[:, :90] == WHITE).all()
