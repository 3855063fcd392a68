"""Back to the drawing's size: no color crosses a line, no ink of the network stays, sizes are exact."""

import cv2
import numpy as np
import pytest

from fakes import box_drawing
from irodori.errors import InputError
from irodori.inference.finish import (
    ColorCells,
    calm_guesses,
    composite,
    fill_colors,
    lift_lines,
    spread_colors,
    upsample_colors,
)
from irodori.inference.regions import closed_regions, extend_regions, ink_share, nearest, region_share

RED, BLUE = (220, 30, 20), (20, 40, 230)


def _painted(lines, box, size):
    """A network image of red inside and blue outside the box, with the lines in it, blurred as networks do."""
    top, left, bottom, right = box
    image = np.full((*lines.shape, 3), BLUE, np.uint8)
    image[top : bottom + 1, left : right + 1] = RED
    image = cv2.multiply(image, cv2.merge([lines] * 3), scale=1 / 255)
    interpolation = cv2.INTER_AREA if size[0] < lines.shape[0] else cv2.INTER_LINEAR
    return cv2.GaussianBlur(cv2.resize(image, size[::-1], interpolation=interpolation), (0, 0), 0.5)


@pytest.mark.parametrize("thickness", [1, 2, 5])
@pytest.mark.parametrize("box", [(100, 120, 400, 380), (131, 77, 333, 490)])
def test_no_color_crosses_a_closed_line(box, thickness):
    lines = box_drawing(512, 512, box, thickness)
    colors = fill_colors(_painted(lines, box, (64, 64)), lines).astype(int)
    regions = closed_regions(lines)
    inside, outside = regions == regions[250, 250], regions == regions[0, 0]
    assert (colors[inside, 2] < 60).all()
    assert (colors[inside, 0] > 180).all()
    assert (colors[outside, 0] < 60).all()
    assert (colors[outside, 2] > 190).all()


def test_a_passage_narrower_than_a_network_pixel_keeps_its_own_color():
    lines = box_drawing(512, 512, (50, 100, 460, 400), 2)
    lines[50:460, 240:242] = lines[50:460, 246:248] = 0  # two lines with four pixels between them; a cell has eight
    image = _painted(lines, (50, 100, 460, 400), (64, 64))
    passage = fill_colors(image, lines)[60:450, 242:246].astype(int)
    assert (passage[..., 0] > passage[..., 2] + 40).all()


@pytest.mark.parametrize("size", [(17, 31), (31, 17), (1000, 37), (64, 64), (200, 300)])
def test_sizes_are_exact_even_when_the_drawing_is_smaller(size):
    lines = np.full(size, 255, np.uint8)
    lines[size[0] // 2] = 0
    scale = 64 / max(size)
    image = np.full((max(1, round(size[0] * scale)), max(1, round(size[1] * scale)), 3), 90, np.uint8)
    colors = fill_colors(image, lines)
    assert colors.shape == (*size, 3)
    assert (colors == 90).all()
    for mode in ("keep", "model", "none"):
        assert composite(colors, lines, mode, image).shape == (*size, 3)


def test_a_small_drawing_is_split_too():
    box = (10, 12, 50, 45)
    lines = box_drawing(64, 64, box)
    colors = fill_colors(_painted(lines, box, (256, 256)), lines).astype(int)
    assert (colors[11:50, 13:45, 0] > 180).all()
    assert (colors[:10, :, 2] > 200).all()


def test_lift_lines_leaves_no_dark_pixel():
    box = (100, 120, 400, 380)
    lines = box_drawing(512, 512, box, 3)
    image = _painted(lines, box, (128, 128))
    assert image.max(axis=2).min() < 120  # the network's image has the ink
    cells = lift_lines(image, lines, closed_regions(lines))
    assert cells.colors.max(axis=2).min() > 210
    assert set(np.unique(cells.regions)) == {1, 2}


def test_a_color_layer_without_lines_is_not_brightened():
    """Dense strokes leave no clean cell; only a network that draws lines has their ink in its colors."""
    lines = np.full((64, 64), 255, np.uint8)
    lines[:, ::4] = 0
    image = np.full((8, 8, 3), RED, np.uint8)
    assert (fill_colors(image, lines, inked=False) == RED).all()
    assert (fill_colors(image, lines)[..., 1] > 1.1 * RED[1]).all()


def test_an_all_black_drawing_keeps_the_colors_of_the_network():
    lines = np.zeros((40, 60), np.uint8)
    assert fill_colors(np.full((20, 30, 3), 9, np.uint8), lines).shape == (40, 60, 3)


def test_bilinear_away_from_lines():
    generator = np.random.default_rng(0)
    cells = ColorCells(generator.integers(0, 255, (16, 16, 3), np.uint8), np.ones((16, 16), np.int32))
    expected = cv2.resize(cells.colors, (64, 64), interpolation=cv2.INTER_LINEAR)
    assert np.array_equal(upsample_colors(cells, np.ones((64, 64), np.int32)), expected)


def test_bands_leave_no_seam(monkeypatch):
    box = (100, 120, 400, 380)
    lines = box_drawing(512, 512, box, 3)
    image = _painted(lines, box, (64, 64))
    whole = fill_colors(image, lines)
    monkeypatch.setattr("irodori.inference.finish.BAND_PIXELS", 512 * 100)
    difference = np.abs(fill_colors(image, lines).astype(int) - whole)
    assert difference[closed_regions(lines) > 0].max() == 0


def test_spread_colors_stays_in_its_region():
    regions = np.array([[1, 1, 1, 2, 2, 3]], np.int32)
    colors = np.array([[[10] * 3, [0] * 3, [0] * 3, [0] * 3, [50] * 3, [0] * 3]], np.uint8)
    known = np.array([[True, False, False, False, True, False]])
    unreached = spread_colors(colors, regions, known)
    assert colors[0, :, 0].tolist() == [10, 10, 10, 50, 50, 0]
    assert unreached.tolist() == [[False, False, False, False, False, True]]


def test_lines_multiply():
    colors = np.full((1, 3, 3), (200, 100, 50), np.uint8)
    lines = np.array([[0, 128, 255]], np.uint8)
    kept = composite(colors, lines, "keep", colors)
    assert kept[0].tolist() == [[0, 0, 0], [100, 50, 25], [200, 100, 50]]
    assert np.array_equal(composite(colors, lines, "none", colors), colors)


def test_the_models_own_image_has_no_artist_lines():
    image = np.full((8, 8, 3), 77, np.uint8)
    assert (composite(image, np.zeros((32, 32), np.uint8), "model", image) == 77).all()


def test_an_unknown_mode_is_refused():
    with pytest.raises(InputError, match="keep, model, none"):
        composite(np.zeros((2, 2, 3), np.uint8), np.zeros((2, 2), np.uint8), "both", np.zeros((1, 1, 3), np.uint8))


def test_regions_are_separated_by_a_diagonal_line_of_one_pixel():
    lines = np.full((20, 20), 255, np.uint8)
    np.fill_diagonal(lines, 0)
    regions = closed_regions(lines)
    assert regions.max() == 2
    extended = extend_regions(regions)
    assert (extended > 0).all()
    assert np.array_equal(extended[regions > 0], regions[regions > 0])


def test_nearest_finds_the_nearest_sample():
    samples = np.zeros((9, 9), bool)
    samples[1, 1] = samples[7, 7] = True
    index, distance = nearest(samples)
    assert index[0, 0] == index[2, 3] == 10
    assert index[8, 6] == 70
    assert distance[1, 1] == 0


def test_ink_share_counts_area():
    regions = np.ones((8, 8), np.int32)
    regions[:, 0] = 0
    assert ink_share(regions, (2, 2)).tolist() == [[64, 0], [64, 0]]


def test_colors_do_not_creep_through_a_gap_into_dense_strokes():
    lines = box_drawing(512, 512, (100, 120, 400, 380), 2)
    lines[100:401:8, 120:381] = 0  # hatching, a stroke in every cell, so that no cell inside is clean
    image = _painted(lines, (100, 120, 400, 380), (64, 64))
    lines[100:401, 250:254] = 255  # every stroke has a gap, and the outline too: all is one region
    inside = fill_colors(image, lines)[160:340, 180:320].astype(int)
    assert (inside[..., 0] > inside[..., 2] + 60).all()


def test_region_share_counts_the_region_under_the_center():
    regions = np.ones((8, 8), np.int32)
    regions[:, 0] = 2
    regions[:4, 3] = 0
    assert region_share(regions, np.array([[1, 1], [2, 0]], np.int32)).tolist() == [[128, 255], [64, 0]]


def test_guesses_become_the_mean_of_their_region():
    colors = np.array([[[10, 20, 30], [30, 40, 50], [200, 0, 0], [100, 0, 0]]], np.uint8)
    cells = ColorCells(colors.copy(), np.array([[1, 1, 2, 2]], np.int32))
    calm_guesses(cells, np.array([[0, 0, 0, 255]], np.uint8))
    assert cells.colors.tolist() == [[[20, 30, 40], [20, 30, 40], [200, 0, 0], [100, 0, 0]]]


def test_half_a_guess_moves_half_way_and_ink_stays():
    cells = ColorCells(np.array([[[0] * 3, [90] * 3, [7] * 3]], np.uint8), np.array([[1, 1, 0]], np.int32))
    calm_guesses(cells, np.array([[0, 153, 0]], np.uint8))  # doubt 1 and 0.4: mean 90 * 0.4 / 1.4 = 25.7
    assert cells.colors[0, :, 0].tolist() == [26, 64, 7]


def test_the_color_layer_is_calm_where_nothing_was_told():
    image = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
    lines = np.full((64, 64), 255, np.uint8)
    told = fill_colors(image, lines, inked=False, confidence=np.full((16, 16), 255, np.uint8))
    assert np.array_equal(told, fill_colors(image, lines, inked=False))
    guessed = fill_colors(image, lines, inked=False, confidence=np.zeros((16, 16), np.uint8))
    assert np.unique(guessed.reshape(-1, 3), axis=0).shape == (1, 3)
