"""Words for what a drawing shows: one meaning for every word, one color for every name."""

from __future__ import annotations

import doctest

import pytest
import torch

from irodori.color import delta_e
from irodori.data import vocabulary
from irodori.data.index import PART_NAMES
from irodori.data.vocabulary import (
    ColorTag,
    canonical,
    color_fit,
    color_names,
    color_of,
    default_tags,
    find_tag,
    group_of,
    named_color,
    part_of,
    split_tag,
)
from irodori.errors import InputError
from irodori.image import from_uint8


def colors(*rgb: tuple[int, int, int]) -> torch.Tensor:
    return from_uint8(torch.tensor(rgb))


def test_examples():
    assert doctest.testmod(vocabulary).failed == 0


def test_every_color_is_called_by_its_own_name():
    own = colors(*(named_color(name) for name in color_names()))
    fit = color_fit(own)
    assert [color_names()[i] for i in fit.argmax(1)] == list(color_names())
    assert fit.diagonal().eq(1).all()
    distance = torch.stack([delta_e(own, other.expand(len(own), 3)) for other in own])
    distance.fill_diagonal_(torch.inf)
    assert distance.min() > 5  # no two names for one color


@pytest.mark.parametrize(
    ("rgb", "name"),
    [((255, 0, 0), "red"), ((0, 0, 255), "blue"), ((0, 0, 0), "black"), ((255, 255, 255), "white"),
     ((128, 0, 0), "dark_red"), ((255, 192, 203), "pink"), ((25, 25, 112), "navy"), ((240, 230, 140), "blonde"),
     ((46, 139, 87), "green"), ((128, 128, 128), "gray"), ((139, 69, 19), "brown"), ((230, 230, 250), "lavender"),
     ((255, 165, 0), "orange"), ((64, 224, 208), "aqua")],
)  # fmt: skip
def test_colors_that_people_name_so(rgb: tuple[int, int, int], name: str):
    fit = color_fit(colors(rgb))[0]
    near = {color_names()[i] for i in fit.topk(3).indices}
    assert name in near


def test_a_color_between_two_names_fits_both():
    red, orange = (torch.tensor(named_color(name), dtype=torch.float32) for name in ("red", "orange"))
    steps = torch.stack([red + (orange - red) * share for share in (0.0, 0.5, 1.0)])
    fit = color_fit(from_uint8(steps))
    first, second = (color_names().index(name) for name in ("red", "orange"))
    assert fit[0, first] == fit[2, second] == 1
    assert fit[0, second] < 0.2
    assert fit[1, first] > 0.3
    assert fit[1, second] > 0.3


def test_default_tags_are_in_their_one_spelling_and_unique():
    tags = default_tags()
    assert len(set(tags)) == len(tags)
    assert all(canonical(tag) == tag for tag in tags)
    assert {part_of(tag) for tag in tags if split_tag(tag)} <= set(PART_NAMES)
    assert {"red_hair", "blue_eyes", "long_hair", "glasses"} <= set(tags)


def test_groups_exclude_and_attributes_of_different_kinds_do_not():
    assert group_of("red_hair") == group_of("light_blue_hair") != group_of("red_eyes")
    assert group_of("long_hair") == group_of("short_hair") not in ("", "hair")
    assert group_of("smile") != group_of("glasses")
    assert group_of("red_glasses") != group_of("glasses")


def test_synonyms_mean_the_same_color_and_part():
    assert split_tag("Platinum Blonde hair") == ColorTag("blonde", "hair")
    assert color_of("crimson_dress") == color_of("dark_red_clothes")
    assert part_of("crimson_dress") == "clothes"
    assert part_of("red_gloves") is None
    assert color_of("red_gloves") == named_color("red")
    assert color_of("long_hair") is None


def test_a_list_of_other_words_is_searched_by_meaning():
    tags = ("solo", "blonde_hair", "blue_skirt", "blue_shirt", "tag_0005")
    assert find_tag("blue_skirt", tags) == "blue_skirt"
    assert find_tag("Blue shirt", tags) == "blue_shirt"
    assert find_tag("blue clothes", tags) == "blue_skirt"
    assert find_tag("platinum_blonde_hair", tags) == "blonde_hair"
    with pytest.raises(InputError, match="'blond_hiar' is no tag of this model: did you mean blonde_hair"):
        find_tag("blond_hiar", tags)
    with pytest.raises(InputError, match="irodori tags"):
        find_tag("xyzzy", tags)
