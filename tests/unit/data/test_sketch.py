import numpy as np
import pytest

from irodori.data.sketch import EXTRACTORS, extract_sketch
from irodori.errors import InputError


def two_halves(left: tuple[int, int, int], right: tuple[int, int, int], size: int = 64) -> np.ndarray:
    image = np.empty((size, size, 3), np.uint8)
    image[:, : size // 2], image[:, size // 2 :] = left, right
    return image


@pytest.mark.parametrize("style", EXTRACTORS)
def test_a_line_appears_at_the_border_and_nowhere_else(style: str):
    sketch = extract_sketch(two_halves((20, 20, 20), (240, 240, 240)), style)
    assert sketch.dtype == np.uint8
    assert sketch.shape == (64, 64)
    assert (sketch[:, 26:38].min(axis=1) < 128).all()
    assert sketch[:, :16].min() > 230 or style == "pencil"
    assert sketch[:, 48:].min() > 230


@pytest.mark.parametrize("style", ["dog", "canny"])
def test_borders_between_colors_of_equal_brightness_are_seen(style: str):
    sketch = extract_sketch(two_halves((200, 0, 0), (0, 102, 0)), style)
    assert (sketch[:, 26:38].min(axis=1) < 128).all()


def test_xdog_is_binary_so_that_shading_cannot_leak_color():
    gradient = np.linspace(0, 255, 64).astype(np.uint8)[None, :, None].repeat(64, 0).repeat(3, 2)
    assert set(np.unique(extract_sketch(gradient, "xdog"))) <= {0, 255}


def test_a_blank_page_has_no_lines():
    blank = np.full((64, 64, 3), 255, np.uint8)
    assert all(extract_sketch(blank, style).min() == 255 for style in EXTRACTORS)


def test_unknown_style_lists_the_known_ones():
    with pytest.raises(InputError, match="xdog"):
        extract_sketch(two_halves((0, 0, 0), (1, 1, 1)), "crayon")
