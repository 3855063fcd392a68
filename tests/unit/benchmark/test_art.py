"""What the reference does not tell is not scored."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from irodori.benchmark.art import Art, Recolored
from irodori.benchmark.cases import NO_PART
from irodori.benchmark.recolor import Pair
from irodori.data.drawing import Drawing
from irodori.data.index import PART_NAMES, Index
from irodori.data.palette import own_palette
from irodori.data.warp import Warp, no_warp

SIZE = 64
HAIR, SKIN, BACKGROUND = (PART_NAMES.index(name) for name in ("hair", "skin", "background"))


@pytest.fixture(scope="module")
def art(dataset: Index) -> Art:
    return Art(dataset, SIZE)


def changed(drawing: Drawing, **fields: object) -> Drawing:
    """The drawing with other fields of its hair."""
    return replace(
        drawing, parts=tuple(replace(part, **fields) if part.name == "hair" else part for part in drawing.parts)
    )


def recolored(art: Art, warp: Warp, hair_of_sketch: tuple[int, int, int], name_in_reference: str) -> Recolored:
    first, second = (items[0] for items in art.figures.values())
    source = changed(art.load(second), name=name_in_reference)
    drawing = changed(art.load(first), color=hair_of_sketch)
    pair = Pair((first, second), drawing, source, own_palette(source.parts), warp)
    return art.recolored(pair, np.random.default_rng(0))


def test_a_part_that_the_reference_lacks_is_not_scored_nor_are_pixels_mixed_with_it(art: Art):
    dark, light = (recolored(art, no_warp(), color, "antlers") for color in ((0, 0, 0), (255, 255, 255)))
    assert HAIR not in dark.scored
    assert SKIN in dark.scored
    assert (dark.truth.parts == HAIR).sum() > 20
    assert np.array_equal(dark.truth.parts, light.truth.parts)
    difference = np.abs(dark.truth.color.astype(int) - light.truth.color).max(-1)
    assert difference[np.isin(dark.truth.parts, dark.scored)].max() <= 0.05 * 255
    assert (difference[dark.truth.parts == NO_PART] > 30).any()


def test_a_part_that_is_moved_out_of_sight_is_not_scored(art: Art):
    shown = recolored(art, no_warp(), (9, 9, 9), "hair")
    assert {HAIR, SKIN, BACKGROUND} <= set(shown.scored)
    half = torch.tensor([[[1.0, 0, 0], [0, 1, 34]]])  # shows what lies below the hair
    hidden = recolored(art, Warp(half, torch.zeros(1, 16, 2)), (9, 9, 9), "hair")
    assert HAIR not in hidden.scored
    assert {SKIN, BACKGROUND} <= set(hidden.scored)
    inside = hidden.truth.parts == HAIR
    assert np.median(hidden.truth.color[inside], axis=0).tolist() == [9, 9, 9]  # its own, since nothing tells another


def test_art_is_sorted_into_kinds(art: Art):
    assert set(art.figures) == {"round", "square"}
    assert art.objects == art.paintings == art.emoji == {}
