"""Tags of training pairs: as shown, whatever the palette."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from batches import plain_sample
from irodori.data.compose import compose
from irodori.data.dataset import DataOptions, PairDataset
from irodori.data.draft import Draft
from irodori.data.index import PART_NAMES, Index
from irodori.data.sample import Sample
from irodori.data.scene import side_by_side
from irodori.data.tags import PlaceWords, place_words, places, shown_parts, tag_columns, tag_targets
from irodori.data.vocabulary import color_names, default_tags, named_color
from irodori.image import from_uint8


def bands(*names: str) -> Sample:
    """`plain_sample` of one image: background, skin and hair from bottom to top, in named colors."""
    batch = plain_sample(1)
    palette = from_uint8(torch.tensor([named_color(name) for name in names]))
    reference = palette[batch.reference_parts[0]].permute(2, 0, 1)[None]
    return replace(batch, reference=reference)


def true_tags(batch: Sample, tags: tuple[str, ...] = default_tags()) -> set[str]:
    values = tag_targets(batch, tags).values[0]
    return {tag for tag, value in zip(tags, values.tolist(), strict=True) if value == 1}


def test_colors_are_read_from_the_parts_that_are_shown():
    batch = bands("white", "peach", "teal")
    assert true_tags(batch) == {"white_background", "peach_skin", "teal_hair"}
    recolored = replace(batch, reference=torch.where(batch.reference_parts[:, None] == 2, -1.0, batch.reference))
    assert true_tags(recolored) == {"white_background", "peach_skin", "black_hair"}
    assert tag_targets(batch, default_tags()).known[0, : len(color_names())].eq(1).all()


def test_words_of_the_data_set_tell_attributes_and_not_the_colors_of_parts():
    batch = replace(bands("white", "peach", "teal"), tags=(("red hair", "loving grin", "glasses", "gopher"),))
    assert true_tags(batch) == {"white_background", "peach_skin", "teal_hair", "smile", "glasses"}


def test_in_pictures_without_parts_the_data_set_tells_everything():
    batch = bands("white", "peach", "teal")
    batch = replace(batch, reference_parts=torch.full_like(batch.parts, -1), tags=(("Red hair", "crimson dress"),))
    assert true_tags(batch) == {"red_hair", "dark_red_clothes"}
    assert tag_targets(batch, default_tags()).known.eq(1).all()
    assert true_tags(batch, ("red_hair", "red_skirt", "dark_red_dress")) == {"red_hair", "dark_red_dress"}


def test_of_a_drawing_without_words_attributes_are_unknown():
    tags = ("red_hair", "glasses")
    batch = bands("white", "peach", "red")
    assert tag_targets(batch, tags).known.tolist() == [[1, 0]]
    assert tag_targets(replace(batch, tags=((),)), tags).known.tolist() == [[1, 0]]
    nothing = replace(batch, reference_parts=torch.full_like(batch.parts, -1), tags=((),))
    assert tag_targets(nothing, tags).known.tolist() == [[0, 0]]


def test_a_few_pixels_do_not_count_as_shown():
    batch = bands("white", "peach", "teal")
    parts = torch.zeros_like(batch.reference_parts)
    parts[:, 0, :1] = 2
    image = from_uint8(torch.full((1, 3, 128, 128), 255))
    wide = torch.nn.functional.interpolate(parts[:, None].float(), size=(128, 128), mode="nearest")[:, 0].long()
    assert shown_parts(image, wide).shown.sum() == 2  # 16 pixels of 128 x 128
    wide[:] = 0
    wide[:, 0, :3] = 2
    assert shown_parts(image, wide).shown.sum() == 1


def test_places_say_what_is_where():
    words = PlaceWords(("hair", "background"), ("teal", "white", "red"))
    batch = bands("white", "peach", "teal")
    found = places(batch, words, 8)
    numbers = batch.reference_parts[0].view(4, 8, 4, 8)
    for column, part in enumerate((2, 0, 1)):  # hair, background, and skin as the only other one
        torch.testing.assert_close(found.parts[0, column], (numbers == part).float().mean((1, 3)))
    torch.testing.assert_close(found.colors.sum(1), found.parts.sum(1))
    assert found.colors[0, 0][found.parts[0, 0] == 1].min() > 0.9
    assert found.colors[0, 1][found.parts[0, 1] == 1].min() > 0.9
    nothing = places(replace(batch, reference_parts=torch.full_like(batch.parts, -1)), words, 8)
    assert nothing.parts.eq(0).all()
    assert nothing.colors.eq(0).all()


def test_words_of_places_are_those_of_the_color_tags():
    words = place_words(("red_hair", "blue_skirt", "red_gloves", "solo", "blonde_hair", "blue_shirt"))
    assert words == PlaceWords(("hair", "clothes"), ("red", "blue", "blonde"))
    part, color = words.positions(("blue_shirt", "smile", "red_gloves", "blonde_hair"))
    assert (part.tolist(), color.tolist()) == ([1, -1, -1, 0], [1, -1, -1, 2])


def test_columns_point_at_parts_colors_and_groups():
    columns = tag_columns(("red_hair", "blue_hair", "blue_skirt", "glasses", "solo"))
    hair, clothes = PART_NAMES.index("hair"), PART_NAMES.index("clothes")
    assert columns.part.tolist() == [hair, hair, clothes, -1, -1]
    assert columns.color.tolist() == [color_names().index(name) for name in ("red", "blue", "blue")] + [-1, -1]
    groups = columns.group.tolist()
    assert groups[0] == groups[1] != groups[2]
    assert groups[4] == 0 not in groups[:4]


@pytest.mark.parametrize("kind", ["self", "recolor"])
def test_pairs_carry_the_words_of_what_the_reference_shows(dataset: Index, kind: str):
    options = DataOptions(recolor_share=float(kind == "recolor"), no_reference=0.0)
    named = replace(dataset, items=tuple(replace(item, tags=(item.id,)) for item in dataset.items))
    pairs = PairDataset(named, "train", options, 32, seed=1, length=8)
    batch = compose(Draft.collate([pairs[i] for i in range(8)]))
    assert len(batch.tags) == 8
    assert all(len(words) == 1 for words in batch.tags)
    generator = np.random.default_rng((1, 0))
    generator.random(2)
    shown = pairs.items if kind == "self" else pairs._figures
    first = shown[generator.integers(len(shown))]
    other = pairs._partner(first, generator) if kind == "recolor" else first
    assert batch.tags[0] == (other.id,)


def test_without_a_reference_nothing_is_said(dataset: Index):
    pairs = PairDataset(dataset, "train", DataOptions(no_reference=1.0), 32, seed=1, length=2)
    assert compose(pairs[0]).tags == ((),)


def test_two_figures_have_the_words_of_both(dataset: Index):
    pairs = PairDataset(dataset, "train", DataOptions(), 32, seed=1, length=2)
    first, second = (
        replace(pairs.drawings[pairs.items[i]], tags=words) for i, words in ((0, ("a", "b")), (1, ("b", "c")))
    )
    assert side_by_side(first, second, np.random.default_rng(0)).tags == ("a", "b", "c")
