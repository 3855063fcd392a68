"""The picture shows what a constructed attention did: same tint at both ends, arrows from place to place."""

import numpy as np
import pytest
import torch

from fakes import FakeSystem, MirrorSystem, box_drawing
from irodori.errors import InputError
from irodori.image import Geometry
from irodori.inference.colorizer import Colorizer
from irodori.inference.correspondence import BLOCK, Correspondence
from irodori.inference.explain import (
    GRAY,
    MAX_ARROWS,
    TINT,
    choose_arrows,
    explain,
    key_places,
    source_places,
)
from irodori.inference.guidance import Hint
from irodori.inference.sheet import layout_of, tints
from irodori.systems.base import Attention

RED, BLUE = (220, 30, 20), (20, 40, 230)
LINES = np.minimum(box_drawing(128, 256, (10, 10, 110, 100), 2), box_drawing(128, 256, (10, 150, 110, 245), 2))


@pytest.fixture
def reference():
    """Blue in the left half, red in the right, ``(128, 256)``; mirrored, the left box becomes red."""
    picture = np.full((128, 256, 3), BLUE, np.uint8)
    picture[:, 128:] = RED
    return picture


@pytest.fixture
def result(reference):
    return Colorizer(MirrorSystem(), device="cpu")(LINES, reference, image_size=256)


def _arrows(result, confidence=None):
    known = result.correspondence
    layout = layout_of(known)
    sources = source_places(known, key_places(known, layout))
    scale = layout.sketch[2]
    lines = np.asarray(result.lines.resize((round(256 * scale), round(128 * scale))))
    return layout, choose_arrows(known, sources, layout, lines, result.color_pixels, confidence)


def test_arrows_lead_from_the_mirrored_place(result):
    layout, arrows = _arrows(result)
    left, top, scale = layout.references[0]
    assert [arrow.color for arrow in arrows[:2]] in ([RED, BLUE], [BLUE, RED])
    for arrow in arrows[:2]:
        x = (arrow.end[0] - layout.sketch[0]) / layout.sketch[2]
        y = (arrow.end[1] - layout.sketch[1]) / layout.sketch[2]
        assert LINES[int(y), int(x)] == 255
        assert (x < 128) == (arrow.color == RED)
        assert ((arrow.start[0] - left) / scale > 128) == (arrow.color == RED)
        assert 0 <= (arrow.start[1] - top) / scale <= 128


def test_where_nothing_was_sure_there_is_no_arrow(result):
    confidence = np.full(LINES.shape, 255, np.uint8)
    confidence[:, :120] = 0
    layout, arrows = _arrows(result, confidence)
    ends = [(arrow.end[0] - layout.sketch[0]) / layout.sketch[2] for arrow in arrows]
    assert not any(10 <= x <= 100 for x in ends)
    assert any(150 <= x <= 245 for x in ends)


def test_a_page_of_boxes_has_few_arrows(reference):
    lines = np.full((256, 512), 255, np.uint8)
    for top in range(0, 256, 64):
        for left in range(0, 512, 64):
            lines[top : top + 60, left : left + 60] = box_drawing(60, 60, (2, 2, 57, 57), 2)
    colored = Colorizer(MirrorSystem(), device="cpu")(lines, reference, image_size=256)
    known = colored.correspondence
    layout = layout_of(known)
    sources = source_places(known, key_places(known, layout))
    arrows = choose_arrows(known, sources, layout, lines, colored.color_pixels, None)
    assert len(arrows) == MAX_ARROWS


def test_a_place_has_the_tint_of_the_place_that_it_looked_at(result):
    picture = np.asarray(result.explain()).astype(int)
    layout = layout_of(result.correspondence)
    (left, top, scale), (ref_left, ref_top, ref_scale) = layout.sketch, layout.references[0]
    shown, wanted = [], []
    for x in (30, 80, 170, 220):  # no arrow passes so high
        shown.append(picture[round(top + 16 * scale), round(left + x * scale)])
        mirrored = np.array([[ref_left + (256 - x) * ref_scale, ref_top + 16 * ref_scale]], np.float32)
        wanted.append(TINT * tints(mirrored, layout)[0].astype(int) + (1 - TINT) * 255)
    assert np.abs(np.array(shown) - wanted).max() <= 6
    assert np.abs(shown[0] - shown[-1]).max() > 20


def test_hints_are_shown_as_decided_by_no_reference(reference):
    system = Colorizer(MirrorSystem(), device="cpu")
    hinted = system(LINES, reference, image_size=256, hints=[Hint(50, 60, (0, 200, 0))])
    layout = layout_of(hinted.correspondence)
    picture = np.asarray(hinted.explain()).astype(int)
    left, top, scale = layout.sketch
    spot = picture[round(top + 20 * scale), round(left + 20 * scale)]
    assert np.abs(spot - (TINT * np.array(GRAY) + (1 - TINT) * 255)).max() <= 2


def test_attention_is_asked_in_blocks_and_not_of_padding():
    asked = []

    def rows(queries):
        asked.append(len(queries))
        weights = torch.zeros(1, len(queries), 8)
        weights[..., 4], weights[..., 7] = 0.3, 0.7
        return weights

    narrow = Geometry((64, 16), 64, 32)  # padded from 16 to 32 columns: a grid of 4 x 2, the right half padding
    attention = Attention(rows, (32, 32), ((4, 2),))
    lines, picture = np.full((64, 64), 255, np.uint8), np.zeros((64, 16, 3), np.uint8)
    known = Correspondence(attention, Geometry((64, 64), 64, 32), (narrow,), lines, (picture,))
    keys = key_places(known, layout_of(known))
    assert np.isnan(keys[:, 0]).tolist() == [False, True] * 4
    places = source_places(known, keys)
    assert sum(asked) == 32 * 32
    assert max(asked) <= BLOCK
    assert np.abs(places - keys[4]).max() < 1e-2


def test_several_references_of_any_shape_fit_below_each_other():
    pictures = [
        np.full((40, 300, 3), RED, np.uint8),
        np.full((300, 40, 3), BLUE, np.uint8),
        np.zeros((31, 31, 3), np.uint8),
    ]
    known = Colorizer(MirrorSystem(), device="cpu")(LINES, pictures).correspondence
    layout = layout_of(known)
    sheet = explain(known, np.full((128, 256, 3), 128, np.uint8), None)
    assert sheet.shape == (*layout.size, 3)
    bottoms = [
        top + picture.shape[0] * scale for picture, (_, top, scale) in zip(pictures, layout.references, strict=True)
    ]
    tops = [top for _, top, _ in layout.references]
    assert all(bottom < top for bottom, top in zip(bottoms, tops[1:], strict=False))
    assert bottoms[-1] <= layout.size[0]


@pytest.mark.parametrize("size", [(17, 31), (31, 17), (600, 40)])
def test_any_size(size, reference):
    lines = np.full(size, 255, np.uint8)
    lines[size[0] // 2] = 0
    assert Colorizer(FakeSystem(), device="cpu")(lines, reference).explain().width > 200


def test_nothing_to_explain_without_a_reference():
    with pytest.raises(InputError, match="give a reference"):
        Colorizer(FakeSystem(), device="cpu")(LINES).explain()
