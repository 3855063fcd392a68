"""What is a drawing, what is a picture, and what comes out as lines."""

import cv2
import numpy as np
import pytest

from fakes import box_drawing
from irodori.errors import InputError
from irodori.inference.prepare import INVERTED, PICTURE, paper_levels, prepare_sketch


@pytest.fixture
def drawing():
    """Black boxes and circles on white, ``(300, 400)``."""
    lines = box_drawing(300, 400, (40, 50, 250, 220), 2)
    cv2.circle(lines, (300, 150), 60, 0, 2, cv2.LINE_AA)
    cv2.line(lines, (10, 280), (390, 260), 0, 2, cv2.LINE_AA)
    return lines


def _rgb(gray):
    return np.repeat(gray[..., None], 3, axis=2)


def _as_scan(lines, tint, faintness=0.5, noise=4.0):
    """Pencil on tinted paper, unevenly lit from one corner."""
    height, width = lines.shape
    light = np.linspace(0.65, 1, width) * np.linspace(0.85, 1, height)[:, None]
    ink = 1 - (255 - lines.astype(float)) / 255 * faintness
    grain = np.random.default_rng(0).normal(0, noise, (height, width, 1))
    return np.clip(np.array(tint) * (light * ink)[..., None] + grain, 0, 255).astype(np.uint8)


def _photo(height=300, width=400):
    """Smooth shades and colors everywhere."""
    noise = np.random.default_rng(1).integers(0, 255, (7, 9, 3), np.uint8)
    return cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)


def test_a_clean_drawing_is_left_alone(drawing):
    for pixels in (drawing, _rgb(drawing)):
        prepared = prepare_sketch(pixels)
        assert np.array_equal(prepared.lines, drawing)
        assert prepared.notices == ()


@pytest.mark.parametrize("paper", [255, 240])
def test_light_lines_are_inverted(drawing, paper):
    prepared = prepare_sketch(_rgb(((255 - drawing) * (paper / 255)).astype(np.uint8)))
    assert prepared.notices == (INVERTED,)
    assert np.median(prepared.lines) == 255
    assert ((prepared.lines < 128) == (drawing < 128)).mean() > 0.995


def test_a_blueprint_is_a_drawing(drawing):
    prepared = prepare_sketch(np.where(_rgb(drawing) > 128, (10, 50, 160), (240, 245, 250)).astype(np.uint8))
    assert prepared.notices == (INVERTED,)
    assert ((prepared.lines < 128) == (drawing < 128)).mean() > 0.995


def test_polarity_overrides(drawing):
    assert np.array_equal(prepare_sketch(drawing, "dark").lines, drawing)
    assert np.median(prepare_sketch(drawing, "light").lines) <= 128
    assert np.array_equal(prepare_sketch(255 - drawing, "light").lines, drawing)
    assert prepare_sketch(255 - drawing, "light").notices == ()
    with pytest.raises(InputError, match="auto, dark, light"):
        prepare_sketch(drawing, "white")


@pytest.mark.parametrize("tint", [(150, 150, 150), (245, 232, 200), (255, 255, 255)])
def test_a_pencil_scan_becomes_white_paper(drawing, tint):
    prepared = prepare_sketch(_as_scan(drawing, tint))
    assert prepared.notices == ()
    paper = prepared.lines[cv2.erode(drawing, np.ones((5, 5))) == 255]
    assert (paper > 240).mean() > 0.98
    assert prepared.lines[drawing == 0].mean() < 190


def test_a_pencil_on_gray_paper_keeps_dark_lines(drawing):
    gray = np.where(drawing < 128, 20, 100).astype(np.uint8)
    prepared = prepare_sketch(gray)
    assert prepared.notices == ()
    assert ((prepared.lines < 128) == (drawing < 128)).all()


def test_colored_pencil_is_a_drawing(drawing):
    blue = (255 - (255 - _rgb(drawing)) * np.array([1.0, 0.7, 0.1])).astype(np.uint8)
    prepared = prepare_sketch(blue)
    assert prepared.notices == ()
    assert prepared.lines[drawing == 0].max() < 100


@pytest.mark.parametrize(
    "convert", [lambda p: p, lambda p: _rgb(cv2.cvtColor(p, cv2.COLOR_RGB2GRAY)), lambda p: p // 3]
)
def test_a_picture_has_its_lines_extracted(convert):
    prepared = prepare_sketch(convert(_photo()))
    assert prepared.notices == (PICTURE,)
    assert prepared.lines.shape == (300, 400)
    assert np.median(prepared.lines) == 255


def test_flat_colors_with_outlines_are_a_picture(drawing):
    painted = _rgb(drawing)
    painted[42:249, 52:219] = (220, 60, 50)
    assert prepare_sketch(painted).notices == (PICTURE,)


def test_polarity_says_that_it_is_no_picture():
    photo = _photo()
    assert prepare_sketch(photo, "dark").notices == ()


def test_ink_that_is_only_in_the_alpha(drawing):
    for ink in (0, 255):
        pixels = np.dstack([np.full((*drawing.shape, 3), ink, np.uint8), 255 - drawing])
        assert np.array_equal(prepare_sketch(pixels).lines, drawing)
    assert prepare_sketch(pixels).notices == (INVERTED,)
    assert np.array_equal(prepare_sketch(pixels, "light").lines, drawing)


@pytest.mark.parametrize("level", [0, 100, 255])
@pytest.mark.parametrize("size", [(17, 31), (31, 17), (1000, 37)])
def test_blank_and_tiny(size, level):
    assert prepare_sketch(np.full(size, level, np.uint8)).lines.shape == size


def test_paper_levels_follow_the_light_and_not_the_ink(drawing):
    light = np.linspace(140, 250, 400)[None].repeat(300, axis=0)
    gray = np.where(drawing < 128, 30, light).astype(np.uint8)
    assert np.abs(paper_levels(gray) - light).max() < 8
