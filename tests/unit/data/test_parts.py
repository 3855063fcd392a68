import numpy as np
import pytest

from irodori.data.parts import (
    Planes,
    hex_colors,
    pack,
    parse,
    planes_of,
    render,
    replace_colors,
    unpack,
)
from irodori.errors import DataError
from packs import face, palette

COLORS = palette(3)
PARTS = list(COLORS.values())


def test_composing_in_the_own_palette_gives_the_drawing_back():
    svg = face(3, COLORS)
    composed = planes_of(svg, PARTS, 96).compose([parse(color) for color in PARTS])
    assert np.abs(composed.astype(int) - render(svg, 96)).max() <= 3


def test_another_palette_equals_rendering_the_recolored_drawing():
    other = palette(11)
    planes = planes_of(face(3, COLORS), PARTS, 96)
    composed = planes.compose([parse(other[role]) for role in COLORS])
    assert np.abs(composed.astype(int) - render(face(3, other), 96)).mean() < 0.25


def test_coverage_of_an_opaque_drawing_sums_to_one():
    planes = planes_of(face(1, COLORS), PARTS, 64)
    assert np.abs(planes.coverage.sum(0) - 1).max() < 0.02
    assert planes.base.max() <= 2


def test_labels_name_the_part_at_known_places():
    labels = planes_of(face(3, COLORS), PARTS, 96).labels()
    roles = list(COLORS)
    assert roles[labels[2, 2]] == "background"
    assert roles[labels[55, 48]] == "skin"
    assert roles[labels[92, 48]] == "shirt"


def test_drawings_that_blend_their_colors_are_rejected():
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64"><rect width="64" height="64" fill="#c08040"/>'
        '<circle cx="32" cy="32" r="24" fill="#4080c0" style="mix-blend-mode:multiply"/></svg>'
    )
    with pytest.raises(DataError, match="not linear"):
        planes_of(svg, ["#c08040", "#4080c0"], 64)


def test_pack_and_unpack_lose_less_than_a_level():
    planes = planes_of(face(5, COLORS), PARTS, 64)
    again = unpack(pack(planes))
    np.testing.assert_allclose(again.coverage, planes.coverage, atol=0.5 / 255 + 1e-6)
    np.testing.assert_array_equal(again.base, planes.base)


def test_labels_without_parts_are_unknown():
    empty = Planes(np.zeros((4, 4, 3), np.float32), np.zeros((0, 4, 4), np.float32))
    assert (empty.labels() == -1).all()


def test_colors_are_replaced_all_at_once():
    svg = '<a fill="#AABBCC"/><b fill="#112233"/>'
    swapped = replace_colors(svg, {"#aabbcc": "#112233", "#112233": "#aabbcc"})
    assert swapped == '<a fill="#112233"/><b fill="#aabbcc"/>'


def test_short_and_long_hex_colors_are_found_once():
    assert hex_colors('<a fill="#fff"/><b fill="#123456"/><c fill="#FFF"/><d id="#1234567"/>') == ["#fff", "#123456"]


def test_svg_that_is_none_names_the_problem():
    with pytest.raises(DataError, match="cannot be rendered"):
        render("not an svg", 64)
