"""Words for what a drawing shows: tags, their groups and synonyms, and the rule between color names and Lab colors.

The words stand in `vocabulary.toml`.  A color tag is ``<color>_<part>``, as in ``red_hair``; all others are attributes.
A system has its own list of tags; the functions here read any list by the same rules.
"""

from __future__ import annotations

import difflib
import functools
import tomllib
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any, NamedTuple

import torch
from torch import Tensor

from irodori.color import delta_e_lab, parse_hex, rgb_to_lab
from irodori.errors import InputError
from irodori.image import from_uint8

SPREAD = 10.0
"""In CIEDE2000, how fast names stop fitting: a name 10 off a color that has another exactly still fits with 0.61."""


class ColorTag(NamedTuple):
    """What a color tag says: the canonical color name, and the word for the part as the tag has it."""

    color: str
    part: str


@functools.cache
def _words() -> Mapping[str, Any]:
    return tomllib.loads((files("irodori.data") / "vocabulary.toml").read_text(encoding="utf-8"))


# --- colors ----------------------------------------------------------------------------------------------------------


@functools.cache
def color_names() -> tuple[str, ...]:
    """The names of colors, such as ``red``."""
    return tuple(_words()["colors"])


def named_color(name: str) -> tuple[int, int, int]:
    """The color, ``(r, g, b)`` in 0…255, that a canonical color name stands for."""
    return parse_hex(_words()["colors"][name][0])


def color_fit(colors: Tensor) -> Tensor:
    """How well each color name fits colors ``(N, 3)`` in [-1, 1]: ``(N, number of names)`` in 0…1.

    The nearest name fits with 1; others by how much further they lie: ``exp(-(d² - d_nearest²) / 2 SPREAD²)``, d in
    CIEDE2000 to the nearest example of a name.
    """
    examples, owners = _examples(colors.device)
    lab = rgb_to_lab(colors)
    pairs = [side.expand(len(lab), len(examples), 3).flatten(0, 1) for side in (lab[:, None], examples[None])]
    distance = delta_e_lab(*pairs).view(len(lab), len(examples))
    far = distance.new_full((len(lab), len(color_names())), torch.inf)
    nearest = far.scatter_reduce(1, owners.expand(len(lab), -1), distance, "amin")
    return torch.exp((nearest.amin(1, keepdim=True).square() - nearest.square()) / (2 * SPREAD**2))


def _examples(device: torch.device) -> tuple[Tensor, Tensor]:
    """Lab colors of all examples ``(E, 3)``, and the position of each one's name ``(E,)``."""
    lab, owners = _example_table()
    return lab.to(device), owners.to(device)


@functools.cache
def _example_table() -> tuple[Tensor, Tensor]:
    rows = [(parse_hex(code), owner) for owner, codes in enumerate(_words()["colors"].values()) for code in codes]
    return rgb_to_lab(from_uint8(torch.tensor([color for color, _ in rows]))), torch.tensor(
        [owner for _, owner in rows]
    )


# --- tags ------------------------------------------------------------------------------------------------------------


@functools.cache
def default_tags() -> tuple[str, ...]:
    """The tags that prepared drawings tell of: every color of every part, then the attributes."""
    colored = [f"{color}_{part}" for part in _words()["parts"] for color in color_names()]
    return (*colored, *(name for group in _words()["attributes"].values() for name in group))


def split_tag(tag: str) -> ColorTag | None:
    """What a color tag says; None for an attribute.

    >>> split_tag("silver_hair"), split_tag("blue_skirt"), split_tag("long_hair")
    (ColorTag(color='gray', part='hair'), ColorTag(color='blue', part='skirt'), None)
    """
    words = normal(tag).split("_")
    for count in range(len(words) - 1, 0, -1):
        name = "_".join(words[:count])
        color = _words()["color_synonyms"].get(name, name)
        if color in _words()["colors"]:
            return ColorTag(color, "_".join(words[count:]))
    return None


def normal(tag: str) -> str:
    """Lower case, words joined by "_".

    >>> normal("Red hair")
    'red_hair'
    """
    return "_".join(tag.lower().replace("-", " ").replace("_", " ").split())


@functools.cache
def canonical(tag: str) -> str:
    """A tag's one spelling of this vocabulary: synonyms of it, of its color and of its part are replaced.

    >>> canonical("Crimson shirt"), canonical("loving grin"), canonical("dark skin"), canonical("gopher")
    ('dark_red_clothes', 'smile', 'dark_brown_skin', 'gopher')
    """
    name = normal(tag)
    name = _words()["tag_synonyms"].get(name, _attribute_synonyms().get(name, name))
    found = split_tag(name)
    if found is None:
        return name
    return f"{found.color}_{_words()['part_synonyms'].get(found.part, found.part)}"


@functools.cache
def _attribute_synonyms() -> Mapping[str, str]:
    groups = _words()["attributes"].values()
    return {normal(synonym): name for group in groups for name, synonyms in group.items() for synonym in synonyms}


def group_of(tag: str) -> str:
    """What excludes others: the word for the part of a color tag, an attribute's group, or "" for neither.

    >>> group_of("red_hair"), group_of("red_skirt"), group_of("long_hair"), group_of("solo")
    ('hair', 'skirt', 'hair_length', '')
    """
    found = split_tag(tag)
    if found is not None:
        return found.part
    return next((name for name, group in _words()["attributes"].items() if normal(tag) in group), "")


def part_of(tag: str) -> str | None:
    """The part of a drawing that a color tag is about, as `irodori.data.index` names it; None for any other tag.

    >>> part_of("red_skirt"), part_of("red_gloves"), part_of("long_hair")
    ('clothes', None, None)
    """
    found = split_tag(canonical(tag))
    return None if found is None else _words()["parts"].get(found.part)


def color_of(tag: str) -> tuple[int, int, int] | None:
    """The color, ``(r, g, b)`` in 0…255, that a color tag asks for; None for an attribute."""
    found = split_tag(tag)
    return None if found is None else named_color(found.color)


def find_tag(name: str, tags: Sequence[str]) -> str:
    """The tag of a list that is called so, or that means the same; InputError, with the nearest ones, if there is none.

    >>> find_tag("silver hair", ("red_hair", "gray_hair"))
    'gray_hair'
    """
    if normal(name) in tags:
        return normal(name)
    meaning = canonical(name)
    same = next((tag for tag in tags if canonical(tag) == meaning), None)
    if same is not None:
        return same
    near = nearest_tags(name, tags)
    raise InputError(f"{name!r} is no tag of this model: " + (f"did you mean {' or '.join(near)}?" if near else
                     "'irodori tags' lists its tags"))  # fmt: skip


def nearest_tags(name: str, tags: Sequence[str], count: int = 3) -> list[str]:
    """The tags of a list that a misspelled or unknown name may mean, the likeliest first."""
    return difflib.get_close_matches(canonical(name), tags, count, cutoff=0.6)
