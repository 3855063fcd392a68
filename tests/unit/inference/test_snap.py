"""Two boxes, two colors, noise: flats come back as exact colors of the reference."""

import cv2
import numpy as np
import pytest

from fakes import MirrorSystem, box_drawing
from irodori.inference.colorizer import Colorizer
from irodori.inference.dominant import dominant_colors
from irodori.inference.guidance import Hint
from irodori.inference.snap import Evidence, region_flats, snap_colors

RED, BLUE, WHITE, PINK = (220, 30, 20), (20, 40, 230), (255, 255, 255), (240, 150, 160)
CHOICES = np.array([RED, BLUE, WHITE, PINK], np.uint8)


@pytest.fixture
def boxes():
    """Two closed boxes side by side, the left one red and the right one blue, on white: lines and true colors."""
    lines = np.minimum(box_drawing(100, 160, (10, 10, 90, 70), 2), box_drawing(100, 160, (10, 90, 90, 150), 2))
    colors = np.full((100, 160, 3), 255, np.uint8)
    colors[10:91, 10:71], colors[10:91, 90:151] = RED, BLUE
    return lines, colors


def _soiled(colors):
    """Noise, a blotch of the other color in each box, and blur."""
    soiled = colors.copy()
    soiled[40:60, 20:45], soiled[60:85, 120:148] = BLUE, RED
    noise = np.random.default_rng(0).normal(0, 12, colors.shape)
    return np.clip(cv2.GaussianBlur(soiled, (0, 0), 4) + noise, 0, 255).astype(np.uint8)


def _evidence(colors, confidence=None, pixel_area=1.0):
    return Evidence(colors, confidence, pixel_area)


def test_noise_and_blotches_become_the_exact_colors(boxes):
    lines, colors = boxes
    soiled = _soiled(colors)
    snapped = snap_colors(soiled, lines, CHOICES, _evidence(soiled))
    assert np.array_equal(snapped[lines == 255], colors[lines == 255])
    assert not np.array_equal(soiled[lines == 255], colors[lines == 255])


def test_a_color_that_the_reference_lacks_stays_and_is_flat(boxes):
    lines, colors = boxes
    green = colors.copy()
    green[10:91, 10:71] = (30, 200, 40)
    green[30:40, 30:40] = (60, 220, 70)
    snapped = snap_colors(green, lines, CHOICES, _evidence(green))
    assert (snapped[12:89, 12:69] == (30, 200, 40)).all()
    assert (snapped[12:89, 92:149] == BLUE).all()


def test_where_no_source_is_sure_the_networks_color_stays(boxes):
    lines, colors = boxes
    near = colors.copy()
    near[10:91, 10:71] = (200, 50, 40)
    confidence = np.full(lines.shape, 255, np.uint8)
    confidence[:, :80] = 60
    snapped = snap_colors(near, lines, CHOICES, _evidence(near, confidence))
    assert (snapped[12:89, 12:69] == (200, 50, 40)).all()
    assert (snap_colors(near, lines, CHOICES, _evidence(near))[12:89, 12:69] == RED).all()


def test_transported_colors_decide_over_refined_ones(boxes):
    lines, colors = boxes
    other = np.full_like(colors, 128)
    assert (snap_colors(other, lines, CHOICES, _evidence(colors))[12:89, 12:69] == RED).all()


def test_without_choices_regions_are_flat(boxes):
    lines, colors = boxes
    noise = np.random.default_rng(1).integers(-3, 4, colors.shape)
    soiled = np.clip(colors.astype(int) + noise, 0, 255).astype(np.uint8)
    snapped = snap_colors(soiled, lines, CHOICES[:0], _evidence(soiled))
    inside = snapped[12:89, 12:69].reshape(-1, 3)
    assert len(np.unique(inside, axis=0)) == 1
    assert np.abs(inside[0].astype(int) - RED).max() <= 4


def test_a_speck_takes_its_neighbors_color_but_a_clear_one_its_own(boxes):
    lines, colors = boxes
    for top, color in ((20, (228, 95, 100)), (50, WHITE)):  # between red and pink; clearly white
        lines[top : top + 8, 30:38] = box_drawing(8, 8, (0, 0, 7, 7))
        colors[top : top + 8, 30:38] = color
    snapped = snap_colors(colors, lines, CHOICES, _evidence(colors, pixel_area=16.0))
    assert tuple(snapped[24, 34]) == RED
    assert tuple(snapped[54, 34]) == WHITE
    careless = snap_colors(colors, lines, CHOICES, _evidence(colors, pixel_area=0.01))
    assert tuple(careless[24, 34]) == PINK


def test_region_flats_has_no_choice_for_ink(boxes):
    lines, colors = boxes
    flats, decided = region_flats(np.where(lines > 0, 1, 0).astype(np.int32), CHOICES, _evidence(colors))
    assert decided.tolist() == [False, True]
    assert flats.shape == (2, 3)


def test_an_all_black_drawing(boxes):
    _, colors = boxes
    assert np.array_equal(snap_colors(colors, np.zeros((100, 160), np.uint8), CHOICES, _evidence(colors)), colors)


def test_through_the_colorizer(boxes):
    lines, colors = boxes
    reference = colors[:, ::-1].copy()  # the system mirrors it back
    colorizer = Colorizer(MirrorSystem(), device="cpu")
    plain, snapped = colorizer(lines, reference), colorizer(lines, reference, snap=True)
    assert (snapped.color_pixels[12:89, 12:69] == RED).all()
    assert (snapped.color_pixels[12:89, 92:149] == BLUE).all()
    assert snapped.provenance["snap"] == "yes"
    assert plain.choices is None
    hinted = colorizer(lines, reference, snap=True, hints=[Hint(40, 40, PINK)])
    assert PINK in {tuple(color) for color in hinted.choices.tolist()}


# --- dominant colors -------------------------------------------------------------------------------------------------


def _as_set(colors):
    return {tuple(color) for color in colors.tolist()}


def test_flat_art_gives_its_exact_colors(boxes):
    lines, colors = boxes
    inked = colors.copy()
    inked[lines < 255] = 0
    close = (226, 30, 20)  # a second red, of a shade
    inked[60:85, 20:60] = close
    assert _as_set(dominant_colors([inked])) == {RED, BLUE, WHITE, close}


def test_blurred_edges_are_no_colors(boxes):
    _, colors = boxes
    assert _as_set(dominant_colors([cv2.GaussianBlur(colors, (0, 0), 1)])) == {RED, BLUE, WHITE}


def test_painted_pictures_give_real_pixels_near_their_clusters():
    generator = np.random.default_rng(0)
    truth = np.repeat(np.repeat(np.array([[RED, BLUE], [PINK, (40, 160, 60)]], np.uint8), 60, 0), 60, 1)
    painted = np.clip(truth + generator.normal(0, 3, truth.shape), 0, 255).astype(np.uint8)
    found = dominant_colors([painted])
    real = _as_set(painted.reshape(-1, 3))
    assert _as_set(found) <= real
    for color in (RED, BLUE, PINK, (40, 160, 60)):
        assert np.abs(found.astype(int) - color).max(axis=1).min() <= 6
    assert len(found) <= 8


def test_several_pictures_and_none():
    red, blue = (np.full((30, 30, 3), color, np.uint8) for color in (RED, BLUE))
    assert _as_set(dominant_colors([red, blue])) == {RED, BLUE}
    assert dominant_colors([]).shape == (0, 3)
