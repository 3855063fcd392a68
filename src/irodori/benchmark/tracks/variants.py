"""Variants: line art that its artists colored several times; the reference is another figure in the wanted variant.

The variants are those of emoji: five skin tones and the plain one, with which the hair of most figures changes too.
Scored is what changes between the variants of a drawing, where the reference has the same color in what changes there.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from irodori.benchmark.art import Art, Groups, least_pixels
from irodori.benchmark.cases import NO_PART, Case
from irodori.benchmark.tracks.base import Unit
from irodori.data.index import PART_NAMES, Item
from irodori.data.palette import Color, own_palette
from irodori.image import Pixels

_TONE = re.compile("1f3f[b-f]")
"""Codes of skin tones in the names of emoji (Unicode Technical Standard 51, "Emoji Modifiers")."""

Variants = Mapping[str, Item]
"""The variants of one drawing by skin tone; "" is the plain one."""

_CHANGED = 8
"""Levels by which colors must differ to count as two."""

_FLAT, _MOST_OFF = 32, 0.15
"""Two drawings have the same shapes if at most this share of their pixels is so many levels off its region's color."""


@dataclass(frozen=True)
class _Colored:
    """A variant: its lines, its colors, and the regions that change, by color."""

    item: Item
    sketch: Pixels
    color: Pixels
    changing: Mapping[Color, NDArray[np.bool_]]


def cases(art: Art, unit: Unit) -> Iterator[Case]:
    by_artists = {source: items for source, items in art.emoji.items() if any(item.sketch for item in items)}
    traced = {source: items for source, items in art.emoji.items() if source not in by_artists}
    for condition, groups in (("artists' lines", by_artists), ("traced lines", traced)):
        case = _case(art, unit, condition, groups)
        if case:
            yield case


def _case(art: Art, unit: Unit, condition: str, groups: Groups) -> Case | None:
    drawings = {source: found for source, items in groups.items() if len(found := _drawings(items)) > 1}
    if not drawings:
        return None
    generator = unit.generator()
    first = unit.in_turn({source: [next(iter(one.values())) for one in found] for source, found in drawings.items()})
    same_source = drawings[first.source]
    wanted = next(one for one in same_source if first in one.values())
    tone = list(wanted)[generator.integers(len(wanted))]
    truth = _colored(art, wanted, tone)
    others = [one for one in same_source if one is not wanted and tone in one]
    for place in generator.permutation(len(others)) if truth else ():
        reference = _colored(art, others[place], tone)
        if truth and reference and (told := _told(truth, reference)):
            parts, scored = _part_map(truth, told, _skin(same_source, tone))
            return unit.case(
                condition, [truth.item, reference.item], truth.sketch, [reference.color], truth.color, parts,
                scored_parts=scored,
            )  # fmt: skip
    return None


def _drawings(items: Sequence[Item]) -> list[Variants]:
    """Drawings with at least two variants; those of two people in two tones are left out."""
    found: dict[str, dict[str, Item]] = defaultdict(dict)
    for item in items:
        tones = set(_TONE.findall(item.id.lower()))
        if len(tones) < 2:
            found[item.identity].setdefault("".join(tones), item)
    return [dict(sorted(variants.items())) for variants in found.values() if len(variants) > 1]


def _colored(art: Art, variants: Variants, tone: str) -> _Colored | None:
    """A variant, compared with the plain or, if it is that, with another one; None when their shapes differ."""
    item = variants[tone]
    other = next(one for name, one in variants.items() if name != tone)
    # Lines and regions of the one with more colors: where two regions have one color, no border is left.
    richer = other if len(other.parts) > len(item.parts) else item
    (sketch, _), (_, color), (_, compared) = (_drawn(art, one) for one in (richer, item, other))
    labels = art.labels(richer)
    if richer.sketch:
        labels[sketch < 128] = -1
    changes = np.abs(color.astype(int) - compared).max(-1) > _CHANGED
    changing: dict[Color, NDArray[np.bool_]] = {}
    off = 0
    for label in np.unique(labels[labels >= 0]):
        inside = labels == label
        own = np.median(color[inside], axis=0)
        off += int((np.abs(color[inside] - own).max(1) > _FLAT).sum())
        if changes[inside].mean() > 0.5:
            red, green, blue = (int(level) for level in own)
            changing[red, green, blue] = (inside & changes) | changing.get((red, green, blue), False)
    if off > _MOST_OFF * (labels >= 0).sum():
        return None
    return _Colored(item, sketch, color, changing)


def _drawn(art: Art, item: Item) -> tuple[Pixels, Pixels]:
    sketch, picture = art.drawn(item, own_palette(item.parts), np.random.default_rng(0))
    return sketch, picture.color


def _told(truth: _Colored, reference: _Colored) -> set[Color]:
    """The colors of the truth's changing regions that the reference has in its own."""
    least = least_pixels(len(truth.sketch))
    large = [color for color, inside in truth.changing.items() if inside.sum() >= least]
    shown = [color for color, inside in reference.changing.items() if inside.sum() >= least]
    return {color for color in large if any(np.abs(np.subtract(color, one)).max() <= _CHANGED for one in shown)}


def _skin(drawings: Sequence[Variants], tone: str) -> Color:
    """The color that tells the drawings of a tone from those of all others most clearly."""
    excess = Counter[Color]()
    for variants in drawings:
        for name, item in variants.items():
            for color in {part.color for part in item.parts}:
                excess[color] += len(variants) - 1 if name == tone else -1
    return max(sorted(excess), key=excess.__getitem__)


def _part_map(truth: _Colored, told: set[Color], skin: Color) -> tuple[Pixels, tuple[int, ...]]:
    """The changing parts and the numbers of those that are told; skin has its name's number."""
    parts = np.full(truth.sketch.shape, NO_PART, np.uint8)
    scored = []
    numbers = iter(range(len(PART_NAMES), NO_PART))
    for color, inside in sorted(truth.changing.items(), key=lambda one: -int(one[1].sum())):
        number = PART_NAMES.index("skin") if color == skin else next(numbers)
        parts[inside] = number
        if color in told:
            scored.append(number)
    return parts, tuple(sorted(scored))
