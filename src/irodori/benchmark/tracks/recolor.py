"""Recolor: a figure in the colors of another one, under growing mismatch."""

from __future__ import annotations

from collections.abc import Iterator

from irodori.benchmark.art import Art
from irodori.benchmark.cases import Case
from irodori.benchmark.landmarks import center_landmarks
from irodori.benchmark.recolor import MISMATCHES, Mismatch, draw_pair, partners
from irodori.benchmark.tracks.base import Unit

CONDITIONS = {
    **MISMATCHES,
    "same style, three figures": Mismatch(figures=3),
    "other style, three figures": Mismatch(style="other", figures=3),
}


def cases(art: Art, unit: Unit) -> Iterator[Case]:
    if not art.figures:
        return
    item = unit.in_turn(art.figures)
    for condition, mismatch in CONDITIONS.items():
        if not partners(art.pairs, item, mismatch.style):
            continue
        pair = draw_pair(art.pairs, item, mismatch, unit.generator())
        pictures = art.recolored(pair, unit.generator())
        yield unit.case(
            condition, pair.items, pictures.sketch, [pictures.reference.color], pictures.truth.color,
            pictures.truth.parts, scored_parts=pictures.scored, correspondence=center_landmarks(pictures),
        )  # fmt: skip
