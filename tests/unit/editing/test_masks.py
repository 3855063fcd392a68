"""Masks of drawings and pictures whose foreground is known by construction."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from irodori.editing.masks import DILATION, Segmenter, dilated, mask_from_file, mask_of, reference_mask, sketch_mask
from irodori.errors import InputError
from irodori.image import Pixels

SIZE = 160


def paper() -> Pixels:
    return np.full((SIZE, SIZE), 255, np.uint8)


def disc(radius: int, center: tuple[int, int] = (80, 80)) -> NDArray[np.bool_]:
    """(x, y) center."""
    x, y = np.meshgrid(np.arange(SIZE), np.arange(SIZE))
    return (x - center[0]) ** 2 + (y - center[1]) ** 2 <= radius**2


def agreement(found: NDArray, truth: NDArray) -> float:
    """Intersection over union."""
    inside = found > 0.5
    return (inside & truth).sum() / (inside | truth).sum()


# ----------------------------------------------------------------------------------------------------------- sketches


def test_a_closed_outline_encloses_the_foreground():
    lines = paper()
    cv2.circle(lines, (80, 80), 50, 0, 2)
    cv2.line(lines, (60, 80), (100, 80), 0, 2)
    found = sketch_mask(lines)
    assert agreement(found, disc(51)) > 0.97
    assert set(np.unique(found)) == {0.0, 1.0}


def test_a_small_gap_is_closed_and_a_wide_one_is_not():
    lines = paper()
    cv2.ellipse(lines, (80, 80), (50, 50), 0, 1, 359, 0, 2)
    assert agreement(sketch_mask(lines), disc(51)) > 0.95
    cv2.rectangle(lines, (110, 60), (150, 100), 255, -1)
    assert sketch_mask(lines)[80, 80] == 0


def test_a_bust_leaves_the_picture_below():
    lines = paper()
    cv2.ellipse(lines, (80, 160), (55, 110), 0, 180, 360, 0, 2)
    found = sketch_mask(lines)
    assert found[150, 80] == found[159, 80] == 1
    assert found[20, 20] == found[150, 5] == 0


def test_shoulders_that_leave_at_both_sides_leave_the_lower_corners_inside():
    lines = paper()
    cv2.line(lines, (0, 120), (80, 90), 0, 2)
    cv2.line(lines, (80, 90), (159, 120), 0, 2)
    found = sketch_mask(lines)
    assert found[155, 3] == found[155, 156] == found[155, 80] == 1
    assert found[20, 80] == 0


def test_a_figure_that_comes_back_leaves_the_lower_corners_outside():
    lines = paper()
    cv2.line(lines, (0, 60), (159, 60), 0, 2)
    cv2.line(lines, (0, 110), (159, 110), 0, 2)
    found = sketch_mask(lines)
    assert found[85, 80] == 1
    assert found[20, 80] == found[150, 80] == found[158, 2] == 0


def test_an_empty_page_has_no_foreground():
    assert not sketch_mask(paper()).any()


# --------------------------------------------------------------------------------------------------------- references


@pytest.mark.parametrize("background", [(255, 255, 255), (40, 90, 30)])
def test_a_figure_on_a_flat_background(background):
    picture = np.full((SIZE, SIZE, 3), background, np.uint8)
    picture[disc(45)] = (200, 60, 60)
    picture[disc(15)] = background  # an eye in the background's color belongs to the figure
    assert agreement(reference_mask(picture), dilated(disc(45).astype(np.float32)) > 0) > 0.97


def test_a_pale_figure_on_white_is_found():
    picture = np.full((SIZE, SIZE, 3), 255, np.uint8)
    picture[disc(45)] = (255, 228, 214)
    assert agreement(reference_mask(picture), dilated(disc(45).astype(np.float32)) > 0) > 0.97


def test_a_figure_on_a_painted_background():
    generator = np.random.default_rng(0)
    ramp = np.linspace(60, 140, SIZE)[:, None, None] + np.array([0, 40, 60])
    picture = (ramp + generator.normal(0, 6, (SIZE, SIZE, 3))).clip(0, 255).astype(np.uint8)
    picture[disc(45)] = (220, 90, 40)
    assert agreement(reference_mask(picture), dilated(disc(45).astype(np.float32)) > 0) > 0.9


def test_transparency_is_the_mask_and_one_color_is_all_foreground():
    picture = np.zeros((SIZE, SIZE, 4), np.uint8)
    picture[..., 3] = np.where(disc(40), 128, 0)
    assert reference_mask(picture)[80, 80] == pytest.approx(128 / 255)
    assert reference_mask(picture)[0, 0] == 0
    assert reference_mask(np.full((SIZE, SIZE, 3), 90, np.uint8)).all()


def test_dilation_is_the_released_one():
    dot = np.zeros((31, 31), np.float32)
    dot[15, 15] = 1
    assert dilated(dot).sum() == DILATION**2


# ----------------------------------------------------------------------------------------------------- files, networks


def test_masks_from_files_have_the_size_of_the_picture(tmp_path: Path):
    Image.fromarray(np.where(disc(40), 255, 0).astype(np.uint8)).save(tmp_path / "mask.png")
    found = mask_from_file(tmp_path / "mask.png", (320, 320))
    assert found.shape == (320, 320)
    assert (found[160, 160], found[0, 0]) == (1, 0)
    picture = np.full((SIZE, 2 * SIZE, 3), 255, np.uint8)
    assert mask_of(picture, str(tmp_path / "mask.png"), "reference").shape == (SIZE, 2 * SIZE)
    assert mask_of(picture, "auto", "sketch").shape == (SIZE, 2 * SIZE)


class Session:
    """A network whose map is the normalized red channel."""

    def __init__(self, side: int) -> None:
        self.side = side

    def get_inputs(self) -> list[SimpleNamespace]:
        return [SimpleNamespace(name="input.1", shape=[1, 3, self.side, self.side])]

    def run(self, outputs: None, given: dict[str, NDArray]) -> list[NDArray]:
        (self.seen,) = given.values()
        return [self.seen[:, :1], self.seen[:, 1:2]]


@pytest.mark.parametrize(("name", "white"), [("u2net.onnx", (1 - 0.485) / 0.229), ("isnet-anime.onnx", 0.5)])
def test_a_network_sees_normalized_squares_and_its_map_is_stretched_to_the_picture(name: str, white: float):
    picture = np.zeros((60, 90, 3), np.uint8)
    picture[:, 45:] = 255
    session = Session(64)
    found = Segmenter(Path(name), session)(picture)
    assert session.seen.shape == (1, 3, 64, 64)
    assert session.seen[0, 0].max() == pytest.approx(white, abs=1e-5)
    assert found.shape == (60, 90)
    assert (found[:, :40].max(), found[:, 50:].min()) == pytest.approx((0, 1), abs=1e-5)


def test_a_missing_network_is_named(tmp_path: Path):
    with pytest.raises(InputError, match="no such network"):
        mask_of(np.zeros((40, 40, 3), np.uint8), str(tmp_path / "no.onnx"), "sketch")
