"""Simple methods on pictures so simple that their answers are known."""

import shutil

import numpy as np
import pytest
from skimage.exposure import match_histograms

from benches import HAIR, SKIN, draw
from irodori.benchmark import gmic
from irodori.benchmark.baselines import (
    BASELINES,
    baseline,
    ceiling,
    ceiling_size,
    color_areas,
    fill,
    histogram,
    mean,
    sketch,
    stretch,
    usable_baselines,
)
from irodori.errors import ConfigError

DRAWN = draw(3)
INSIDE = {HAIR: (slice(10, 24), slice(18, 38)), SKIN: (slice(30, 50), slice(18, 38)), 0: (slice(55, 63), slice(0, 60))}


def _parts_of(picture):
    """The colors in the middle of hair, skin and background, each of which must be one."""
    found = {}
    for part, place in INSIDE.items():
        colors = np.unique(picture[place].reshape(-1, 3), axis=0)
        assert len(colors) == 1, part
        found[part] = tuple(colors[0].tolist())
    return found


def _true_colors(drawn):
    return {part: drawn.colors[part] for part in INSIDE}


def test_sketch():
    assert (sketch(DRAWN.lines, DRAWN.colored) == DRAWN.lines[..., None]).all()


def test_mean():
    reference = np.zeros((10, 20, 3), np.uint8)
    reference[:, :5] = (200, 100, 40)
    painted = mean(DRAWN.lines, reference)
    assert (painted[DRAWN.lines == 255] == (50, 25, 10)).all()
    assert (painted[DRAWN.lines == 0] == 0).all()


def test_stretch():
    reference = np.zeros((8, 8, 3), np.uint8)
    reference[:, 4:] = (240, 120, 60)
    painted = stretch(np.full((64, 64), 255, np.uint8), reference)
    assert (painted[:, :20] == 0).all()
    assert (painted[:, 44:] == (240, 120, 60)).all()
    lines = np.full((64, 64), 255, np.uint8)
    lines[30] = 0
    assert (stretch(lines, reference)[30] == 0).all()


def test_stretched_truth_is_the_truth():
    assert (stretch(DRAWN.lines, DRAWN.flats) == DRAWN.colored).all()


def test_histogram_is_that_of_scikit_image():
    generator = np.random.default_rng(0)
    lines = generator.integers(0, 256, (40, 50), np.uint8)
    reference = generator.integers(30, 200, (33, 61, 3), np.uint8)
    expected = match_histograms(np.repeat(lines[..., None], 3, axis=2), reference, channel_axis=-1)
    assert np.abs(histogram(lines, reference).astype(int) - np.rint(expected)).max() <= 1


def test_fill_finds_the_colors_of_areas_at_another_place():
    """The reference shows the same figure 14 pixels to the right."""
    assert _parts_of(fill(DRAWN.lines, draw(3, left=30).colored)) == _true_colors(DRAWN)


def test_fill_goes_by_size_where_places_are_alike():
    """A small square in a large one, around the same center: the outer room is large, the inner small."""
    lines = np.full((64, 64), 255, np.uint8)
    lines[20:44, 20:44] = 0
    lines[21:43, 21:43] = 255
    reference = np.zeros((64, 64, 3), np.uint8)
    reference[:], reference[24:40, 24:40] = (10, 200, 30), (200, 10, 30)
    painted = fill(lines, reference)
    assert tuple(painted[5, 5]) == (10, 200, 30)
    assert tuple(painted[32, 32]) == (200, 10, 30)


def test_drawn_lines_of_the_reference_are_no_areas():
    picture = np.full((80, 80, 3), (200, 220, 240), np.uint8)
    picture[20:60, 30:60] = 0
    picture[23:57, 33:57] = (180, 30, 60)  # within an outline three pixels wide
    areas = color_areas(picture)
    assert areas.colors.tolist() == [[200, 220, 240], [180, 30, 60]]
    assert areas.shares[1] == pytest.approx(34 * 24 / 80**2)
    assert areas.centers[1] == pytest.approx([44.5 / 80, 39.5 / 80])


def test_fill_without_areas_or_regions():
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    assert fill(DRAWN.lines, noise).shape == (64, 64, 3)
    assert (fill(np.zeros((40, 40), np.uint8), DRAWN.colored) == 0).all()


def test_ceiling_is_the_truth_where_nothing_is_lost_by_shrinking():
    assert _parts_of(ceiling(DRAWN.lines, DRAWN.flats)) == _true_colors(DRAWN)
    large = draw(3).colored.repeat(6, axis=0).repeat(6, axis=1)
    lines = DRAWN.lines.repeat(6, axis=0).repeat(6, axis=1)
    assert large.shape[0] > ceiling_size()
    painted = ceiling(lines, DRAWN.flats.repeat(6, axis=0).repeat(6, axis=1))
    assert np.abs(painted.astype(int) - large).mean() < 1


@pytest.mark.skipif(shutil.which("gmic") is None, reason="the program gmic is not installed")
def test_gmic_cleans_a_rough_color_layer():
    """Colors a few pixels off their places become flats within the lines."""
    rough = np.roll(DRAWN.flats, 2, axis=1)
    assert _parts_of(gmic.paint(DRAWN.lines, rough)) == _true_colors(DRAWN)
    assert gmic.version()[0].isdigit()


def test_a_missing_program_is_told_and_left_out(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    gmic.version.cache_clear()
    with pytest.raises(ConfigError, match="apt-get install gmic"):
        baseline("gmic")
    names, notices = usable_baselines()
    assert set(BASELINES) - set(names) == {"gmic"}
    assert len(notices) == 1
    assert "gmic is not installed" in notices[0]
    gmic.version.cache_clear()


def test_an_unknown_baseline_is_told_the_names():
    with pytest.raises(ConfigError, match="unknown baseline 'magic'.*ceiling"):
        baseline("magic")
