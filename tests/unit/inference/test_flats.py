"""Hints own their regions exactly; several in one region meet where it is narrow, or halfway."""

import numpy as np
import pytest

from fakes import box_drawing
from irodori.inference.flats import hinted_mask, paint_hints, share_region
from irodori.inference.guidance import Hint

RED, GREEN, GRAY = (220, 30, 20), (20, 200, 60), (128, 128, 128)


def _layer(lines):
    return np.full((*lines.shape, 3), GRAY, np.uint8)


def test_the_closed_region_gets_exactly_the_color():
    lines = box_drawing(80, 100, (20, 20, 60, 70), 3)
    layer = _layer(lines)
    painted = paint_hints(layer, lines, (Hint(40, 40, RED),))
    assert (painted[23:58, 23:68] == RED).all()
    assert (painted[:18] == GRAY).all()
    assert (painted[:, 73:] == GRAY).all()
    assert (layer == GRAY).all()


def test_a_hint_on_ink_takes_the_nearest_region():
    lines = box_drawing(80, 100, (20, 20, 60, 70), 5)
    assert (paint_hints(_layer(lines), lines, (Hint(23.6, 40, RED),))[40, 40] == RED).all()
    assert (paint_hints(_layer(lines), lines, (Hint(20.4, 40, RED),))[40, 40] == GRAY).all()


def test_open_background_is_the_artists_wish():
    lines = box_drawing(80, 100, (20, 20, 60, 70), 2)
    lines[20:22, 40:45] = 255  # a gap: inside and outside are one region
    painted = paint_hints(_layer(lines), lines, (Hint(40, 40, RED),))
    assert (painted[lines == 255] == RED).all()


def test_two_hints_in_a_room_meet_halfway():
    lines = box_drawing(80, 120, (10, 10, 70, 110), 2)
    painted = paint_hints(_layer(lines), lines, (Hint(20, 40, RED), Hint(99, 40, GREEN)))
    assert (painted[40, 12:56] == RED).all()
    assert (painted[40, 64:108] == GREEN).all()
    inside = painted[12:69, 12:109].reshape(-1, 3)
    assert {tuple(color) for color in np.unique(inside, axis=0)} == {RED, GREEN}


@pytest.mark.parametrize("scale", [1, 4])
def test_two_hints_meet_in_the_gap_of_a_line(scale):
    lines = box_drawing(100, 200, (10, 10, 90, 190), 2)
    lines[10:90, 60:62] = 0
    lines[45:50, 60:62] = 255  # a small room left, a large one right, joined by a gap of five pixels
    lines = lines.repeat(scale, axis=0).repeat(scale, axis=1)
    hints = (Hint(15 * scale, 20 * scale, RED), Hint(66 * scale, 48 * scale, GREEN))
    painted = paint_hints(_layer(lines), lines, hints)
    left, right = painted[12 * scale : 88 * scale, 12 * scale : 54 * scale], painted[:, 68 * scale : 180 * scale]
    assert (left == RED).all()
    assert (right[12 * scale : 88 * scale] == GREEN).all()


def test_hints_side_by_side_keep_their_own_pixels():
    lines = np.full((1500, 1500), 255, np.uint8)
    painted = paint_hints(_layer(lines), lines, (Hint(700, 700, RED), Hint(701, 700, GREEN)))
    assert tuple(painted[700, 700]) == RED
    assert tuple(painted[700, 701]) == GREEN


def test_an_all_black_drawing_has_no_region():
    lines = np.zeros((30, 30), np.uint8)
    assert (paint_hints(_layer(lines), lines, (Hint(3, 3, RED),)) == GRAY).all()
    assert not hinted_mask(lines, (Hint(3, 3, RED),)).any()


def test_the_hinted_mask_is_the_region():
    lines = box_drawing(80, 100, (20, 20, 60, 70), 2)
    mask = hinted_mask(lines, (Hint(40, 40, RED),))
    assert mask.sum() == 37 * 47
    assert mask[40, 40]
    assert not hinted_mask(lines, ()).any()


def test_share_region_leaves_no_pixel_without_owner():
    mask = np.zeros((60, 60), np.bool_)
    mask[5:50, 5:50] = mask[50:52, 5] = True
    shared = share_region(mask, [(np.array([10 * 60 + 10]), 7), (np.array([45 * 60 + 45]), 9)])
    assert set(np.unique(shared[mask])) == {7, 9}
    assert not shared[~mask].any()
