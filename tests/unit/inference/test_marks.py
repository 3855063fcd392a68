"""Points, strokes and dabs: exact where they lie, and their regions follow."""

import numpy as np
import pytest
import torch
from PIL import Image

from fakes import FakeSystem, MirrorSystem, box_drawing
from irodori.color import delta_e
from irodori.errors import InputError
from irodori.image import to_tensor
from irodori.inference.colorizer import Colorizer
from irodori.inference.flats import paint_hints
from irodori.inference.guidance import Hint, Stroke, checked_hints, parse_hint
from irodori.inference.marks import as_marks, claim_regions, read_dabs, told_hints
from irodori.inference.regions import closed_regions

RED, GREEN, BLUE = (220, 30, 20), (20, 200, 60), (40, 60, 250)


def _rooms():
    """Three boxes side by side, ``(100, 200)``, and the ground around them."""
    lines = np.full((100, 200), 255, np.uint8)
    for left in (10, 70, 130):
        lines = np.minimum(lines, box_drawing(100, 200, (20, left, 80, left + 60), 2))
    return lines


def _layer(*dabs):
    """A transparent layer ``(100, 200, 4)`` with boxes ``(top, bottom, left, right, color)``."""
    layer = np.zeros((100, 200, 4), np.uint8)
    for top, bottom, left, right, color in dabs:
        layer[top:bottom, left:right] = (*color, 255)
    return layer


def _painted(*hints):
    return paint_hints(np.full((100, 200, 3), 128, np.uint8), _rooms(), hints)


def test_a_stroke_colors_every_room_that_it_crosses():
    painted = _painted(Stroke(((20, 50), (100, 50), (180, 60)), RED))
    for left in (13, 73, 133):
        assert (painted[23:78, left : left + 55] == RED).all()
    assert (painted[:18] == 128).all()


def test_two_strokes_in_a_room_keep_their_own_pixels():
    upright, level = Stroke(((30, 25), (30, 75)), RED), Stroke(((40, 30), (60, 30)), GREEN)
    painted = _painted(upright, level)
    assert (painted[25:76, 30] == RED).all()
    assert (painted[30, 40:61] == GREEN).all()
    assert set(map(tuple, np.unique(painted[23:78, 13:68].reshape(-1, 3), axis=0))) == {RED, GREEN}


def test_a_stroke_of_one_point_is_a_hint():
    assert np.array_equal(_painted(Stroke(((30, 40),), RED)), _painted(Hint(30, 40, RED)))


def test_a_dab_that_slips_over_a_line_means_nothing_there():
    (mark,) = read_dabs(_layer((40, 60, 50, 74, RED)), (100, 200), "dabs.png")  # its last columns lie in the next room
    painted = _painted(mark)
    assert (painted[23:78, 13:68] == RED).all()
    assert (painted[23:78, 73:128] == 128).all()


def test_a_dab_in_the_middle_of_two_rooms_is_for_both():
    (mark,) = read_dabs(_layer((40, 60, 50, 94, RED)), (100, 200), "dabs.png")
    painted = _painted(mark)
    assert (painted[23:78, 13:68] == RED).all()
    assert (painted[23:78, 73:128] == RED).all()


def test_a_dab_wholly_on_a_line_takes_the_nearest_room():
    (mark,) = read_dabs(_layer((50, 51, 11, 12, RED)), (100, 200), "dabs.png")
    assert (_painted(mark)[50, 40] == RED).all()


def test_dabs_are_told_apart_by_color_and_place():
    layer = _layer((30, 40, 20, 30, RED), (30, 40, 30, 40, GREEN), (60, 70, 20, 30, RED), (50, 51, 100, 101, BLUE))
    layer[29, 20:40] = (90, 100, 40, 255)  # a rim that mixes two colors
    layer[70, 20:30] = (*RED, 90)  # a soft edge
    marks = read_dabs(layer, (100, 200), "dabs.png")
    assert sorted((mark.color, len(mark.rows)) for mark in marks if mark.color != (90, 100, 40)) == [
        (GREEN, 100), (BLUE, 1), (RED, 100), (RED, 100),
    ]  # fmt: skip


def test_colors_that_nobody_tells_apart_are_one_dab():
    layer = _layer((30, 50, 20, 40, RED))
    layer[30:32, 20:40, 0] = RED[0] - 1
    (mark,) = read_dabs(layer, (100, 200), "dabs.png")
    assert (mark.color, len(mark.rows)) == (RED, 400)


def test_a_few_stray_pixels_in_a_dab_are_no_dab():
    layer = _layer((30, 50, 20, 40, RED))
    layer[35, 25] = (0, 255, 0, 255)
    assert [mark.color for mark in read_dabs(layer, (100, 200), "dabs.png")] == [RED]


@pytest.mark.parametrize(
    ("layer", "part"),
    [
        (np.zeros((100, 200, 4), np.uint8), "transparent everywhere"),
        (np.zeros((100, 200, 3), np.uint8), "opaque everywhere"),
        (_layer((1, 9, 1, 9, RED))[:90], "200x90"),
        (np.dstack([np.random.default_rng(0).integers(0, 256, (100, 200, 3)), np.eye(100, 200) < 1]).astype(np.uint8)
         * np.array([1, 1, 1, 255], np.uint8), "more than 64 colors"),
    ],
)  # fmt: skip
def test_what_is_no_layer_of_dabs(layer, part):
    if part.startswith("more"):
        layer = layer.copy()
        layer[..., :3] = np.repeat(np.repeat(layer[::4, ::4, :3], 4, 0), 4, 1)  # squares large enough to be dabs
    with pytest.raises(InputError) as caught:
        read_dabs(layer, (100, 200), "dabs.png")
    assert "dabs.png" in str(caught.value)
    assert part in str(caught.value)


def test_systems_are_told_one_point_for_each_room():
    hints = (Hint(30, 40, GREEN), Stroke(((20, 50), (100, 50)), RED))
    told = told_hints(hints, closed_regions(_rooms()))
    assert told[0] == hints[0]
    assert [hint.color for hint in told[1:]] == [RED, RED]
    assert all(hint.y == 50 for hint in told[1:])
    assert 30 < told[1].x < 50 < 90 <= told[2].x <= 100


@pytest.mark.parametrize("system", [FakeSystem, MirrorSystem])
def test_every_system_follows(system):
    """At every pixel of a stroke and of a dab off the lines ΔE is below 3, and the regions around them follow."""
    layer = _layer((40, 50, 140, 150, GREEN))
    colorizer = Colorizer(system(), device="cpu")
    reference = np.full((60, 60, 3), 90, np.uint8)
    result = colorizer(_rooms(), reference, hints=[Stroke(((20, 30), (60, 70)), BLUE)], hint_layer=layer, lines="none")
    wanted = np.full((100, 200, 3), 0, np.uint8)
    wanted[23:78, 13:68], wanted[23:78, 133:188] = BLUE, GREEN
    seen = wanted.any(axis=2)
    difference = delta_e(to_tensor(result.pixels), to_tensor(wanted))[0]
    assert difference[torch.from_numpy(seen)].max() < 3
    assert result.provenance["hints"] == "20,30:60,70=#283cfa"
    if system is MirrorSystem:
        assert colorizer.system.given[-1].hints.shape == (1, 2, 5)


def test_a_hint_layer_may_be_a_file_and_a_pil_image(tmp_path):
    image = Image.fromarray(_layer((40, 50, 140, 150, GREEN)))
    image.save(tmp_path / "dabs.png")
    colorizer = Colorizer(FakeSystem(), device="cpu")
    results = [colorizer(_rooms(), hint_layer=layer) for layer in (image, tmp_path / "dabs.png")]
    assert np.array_equal(results[0].pixels, results[1].pixels)
    assert results[1].provenance["hint_layer"] == "dabs.png"


def test_a_stroke_outside_the_drawing():
    with pytest.raises(InputError, match="200,5 lies outside"):
        checked_hints([Stroke(((5, 5), (200, 5)), RED)], (100, 200))
    with pytest.raises(InputError, match="without points"):
        checked_hints([Stroke((), RED)], (100, 200))


def test_hints_as_text():
    assert parse_hint("1,2:3,4.5=ff0000") == Stroke(((1, 2), (3, 4.5)), (255, 0, 0))
    for text in ("1,2:=ff0000", "1,2:3=ff0000", ":1,2=ff0000", "1,2:3,inf=ff0000"):
        with pytest.raises(InputError, match="is not a hint"):
            parse_hint(text)


def test_marks_are_lines_of_pixels():
    (mark,) = as_marks([Stroke(((2, 3), (6, 3), (6, 5)), RED)], (20, 20))
    assert set(zip(mark.rows.tolist(), mark.columns.tolist(), strict=True)) == {
        *((3, x) for x in range(2, 7)), (4, 6), (5, 6),
    }  # fmt: skip
    regions = closed_regions(np.full((20, 20), 255, np.uint8))
    assert [claim.region for claim in claim_regions([mark], regions)] == [1]
