"""Shift: one sketch and one answer, while the reference slides from the answer itself to an unrelated picture.

All figures wear one palette on white, so the truth stays the same at every step; what is scored are the parts that all
of them show.  The unrelated picture tells the background at most.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from irodori.benchmark.art import Art, Picture, Recolored
from irodori.benchmark.cases import Case
from irodori.benchmark.landmarks import BACKGROUND, Landmark, center_landmarks, field_landmarks
from irodori.benchmark.moving import points_of
from irodori.benchmark.recolor import MISMATCHES, Pair, partners
from irodori.benchmark.tracks.aligned import bent, random_bend
from irodori.benchmark.tracks.base import Unit
from irodori.data.index import Item, Part
from irodori.data.palette import Color, own_palette, random_palette
from irodori.data.warp import Warp, no_warp, random_warp
from irodori.image import Pixels

STEPS = ("aligned", "bent", "moved", "same style", "other style", "other style, moved", "unrelated")
"""Conditions in order.  bent: by `BEND`.  moved: shifted, scaled, perhaps mirrored.  The styles: another figure
in the same colors, of the sketch's and of another style.  unrelated: no figure at all."""

BEND = 0.1
"""The largest displacement, in shares of the image side."""

_MOVED = MISMATCHES["same style, moved"].warp
_WHITE = (255, 255, 255)


@dataclass(frozen=True)
class _Step:
    """What the reference shows: the drawing `item`, of which the parts `told` have the truth's colors."""

    item: Item
    reference: Pixels
    told: set[int]
    landmarks: tuple[Landmark, ...] = ()


def cases(art: Art, unit: Unit) -> Iterator[Case]:
    """None where there are no other figures of both kinds, or no unrelated picture."""
    unrelated = art.objects or art.paintings
    item = unit.in_turn(art.figures) if art.figures else None
    if item is None or not unrelated or not all(partners(art.pairs, item, style) for style in ("same", "other")):
        return
    generator = unit.generator()
    colors = _colors(item.parts, generator)
    sketch, truth = art.drawn(item, _wearing(item.parts, colors), unit.generator())
    figures = [
        *_own_steps(art, item, sketch, truth, generator),
        *_other_steps(art, item, colors, generator),
    ]
    common = set.intersection(truth.shown(), *(step.told for step in figures))
    last = _unrelated_step(art, unit.in_turn(unrelated), generator)
    for number, (name, step) in enumerate(zip(STEPS, (*figures, last), strict=True)):
        yield unit.case(
            name, [item, step.item], sketch, [step.reference], truth.color, truth.parts,
            scored_parts=tuple(sorted(common & step.told)), correspondence=step.landmarks,
            sequence=unit.id("slide"), position=float(number),
        )  # fmt: skip


def _colors(parts: Sequence[Part], generator: np.random.Generator) -> dict[str, Color]:
    """One color for each name of an area, the figure's own or random; the background is white."""
    palette = own_palette(parts) if generator.random() < 0.5 else random_palette(parts, generator)
    colors: dict[str, Color] = {}
    for part, color in zip(parts, palette, strict=True):
        if part.name and not part.line:
            colors.setdefault(part.name, _WHITE if part.name == "background" else color)
    return colors


def _wearing(parts: Sequence[Part], colors: Mapping[str, Color]) -> list[Color]:
    """A figure's palette, in these colors where they name its parts."""
    return [colors.get(part.name, part.color) for part in parts]


def _own_steps(art: Art, item: Item, sketch: Pixels, truth: Picture, generator: np.random.Generator) -> Iterator[_Step]:
    """The truth itself: as it is, bent, and moved."""
    warps = no_warp(), bent(random_bend(generator), BEND * art.size), random_warp(art.size, _MOVED, generator)
    for warp in warps:
        points = points_of(warp, art.size)
        reference = truth.moved(points)
        landmarks = field_landmarks(sketch, truth, reference, points, generator)
        yield _Step(item, reference.color, reference.shown(), landmarks)


def _other_steps(art: Art, item: Item, colors: Mapping[str, Color], generator: np.random.Generator) -> Iterator[_Step]:
    """Other figures in the same colors: of the same style, of another one, the latter also moved."""
    same, other = (_alike(partners(art.pairs, item, style), colors, generator) for style in ("same", "other"))
    moved = random_warp(art.size, _MOVED, generator)
    for figure, warp in ((same, no_warp()), (other, no_warp()), (other, moved)):
        pair = _recolored(art, item, figure, colors, warp)
        yield _Step(figure, pair.reference.color, set(pair.scored), center_landmarks(pair))


def _alike(figures: Sequence[Item], colors: Mapping[str, Color], generator: np.random.Generator) -> Item:
    """A figure that shows as many of the named colors as any."""
    shared = [len(colors.keys() & {part.name for part in figure.parts}) for figure in figures]
    best = [figure for figure, count in zip(figures, shared, strict=True) if count == max(shared)]
    return best[generator.integers(len(best))]


def _recolored(art: Art, item: Item, figure: Item, colors: Mapping[str, Color], warp: Warp) -> Recolored:
    palette = _wearing(figure.parts, colors)
    pair = Pair((item, figure), art.load(item), art.load(figure), palette, warp)
    return art.recolored(pair, np.random.default_rng(0))  # it draws the sketch's lines, which are not used


def _unrelated_step(art: Art, item: Item, generator: np.random.Generator) -> _Step:
    color = art.drawn(item, own_palette(item.parts), generator)[1].color
    edge = np.concatenate([color[0], color[-1], color[:, 0], color[:, -1]])
    is_on_white = (edge == 255).all(1).mean() > 0.5
    return _Step(item, color, {BACKGROUND} if is_on_white else set())
