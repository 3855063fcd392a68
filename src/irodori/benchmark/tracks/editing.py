"""Editing: a figure in another's colors, then one wish for a changed color at growing strength."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import numpy as np

from irodori.benchmark.art import Art, Recolored, least_pixels
from irodori.benchmark.cases import Case, Edit
from irodori.benchmark.recolor import MISMATCHES, Pair, draw_pair, partners
from irodori.benchmark.tracks.base import Unit
from irodori.data.index import PART_NAMES
from irodori.data.palette import Color

TAGS: dict[str, tuple[str, Color]] = {
    "red_hair": ("hair", (196, 40, 32)),
    "green_clothes": ("clothes", (40, 150, 72)),
    "blue_eyes": ("eyes", (48, 112, 216)),
    "blue_hair": ("hair", (52, 92, 200)),
    "brown_skin": ("skin", (140, 86, 54)),
    "yellow_background": ("background", (250, 214, 90)),
}
"""Name → part and color."""

SCALES = (0.0, 0.5, 1.0, 1.5, 2.0)
LEAST_CHANGE = 64
"""Levels of some channel by which a wish must differ from what is there: one that changes nothing measures nothing."""

LEAST_AREA = 4
"""Times the pixels from which on a part counts as shown."""


def cases(art: Art, unit: Unit) -> Iterator[Case]:
    mismatch = MISMATCHES["same style, centered"]
    item = unit.in_turn(art.figures) if art.figures else None
    if item is None or not partners(art.pairs, item, mismatch.style):
        return
    pair = draw_pair(art.pairs, item, mismatch, unit.generator())
    before = art.recolored(pair, unit.generator())
    tags = [tag for tag in TAGS if _is_worth_asking(before, tag)]
    if not tags:
        return
    tag = tags[unit.generator().integers(len(tags))]
    name, color = TAGS[tag]
    after = art.recolored(_wished(pair, name, color), unit.generator())
    truths = {0.0: before.truth.color, 1.0: after.truth.color}
    case = partial(
        unit.case, items=pair.items, sketch=before.sketch, references=[before.reference.color],
        parts=before.truth.parts, scored_parts=before.scored,
    )  # fmt: skip
    yield case("before", truth=before.truth.color)
    for scale in SCALES:
        edit = Edit(before=unit.id("before"), tag=tag, part=PART_NAMES.index(name), color=color, scale=scale)
        yield case(
            tag, truth=truths.get(scale), name=f"{tag} {scale:g}", edit=edit, sequence=unit.id(tag), position=scale
        )


def _is_worth_asking(before: Recolored, tag: str) -> bool:
    """Whether the part is told, large enough to be seen, and of quite another color."""
    name, color = TAGS[tag]
    inside = before.truth.parts == PART_NAMES.index(name)
    if PART_NAMES.index(name) not in before.scored or inside.sum() < LEAST_AREA * least_pixels(len(inside)):
        return False
    change = np.abs(np.median(before.truth.color[inside], axis=0) - color).max()
    return bool(change >= LEAST_CHANGE)


def _wished(pair: Pair, name: str, color: Color) -> Pair:
    """The pair whose reference has the part in the wanted color: its truth is the edited one."""
    palette = [color if part.name == name else own for part, own in zip(pair.source.parts, pair.palette, strict=True)]
    return replace(pair, palette=palette)
