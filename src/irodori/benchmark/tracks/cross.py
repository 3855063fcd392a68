"""Cross: sketches with randomly drawn references, for which there is no truth (Yan 2025, the tables' "†")."""

from __future__ import annotations

from collections.abc import Iterator

from irodori.benchmark.art import Art
from irodori.benchmark.cases import Case
from irodori.benchmark.tracks.base import Unit
from irodori.data.palette import own_palette


def cases(art: Art, unit: Unit) -> Iterator[Case]:
    """Sketch and reference of one kind of art, then of any kind."""
    kinds = {"figures": art.figures, "objects": art.objects, "paintings": art.paintings}
    known = {name: groups for name, groups in kinds.items() if groups}
    everything = [item for groups in known.values() for items in groups.values() for item in items]
    mixed = list(known)[unit.number % len(known)]
    for condition, kind in (*zip(known, known, strict=True), ("any art", mixed)):
        generator, item = unit.generator(), unit.in_turn(known[kind])
        same_kind = [one for items in known[kind].values() for one in items]
        others = everything if condition == "any art" else same_kind
        others = [one for one in others if one.identity != item.identity]
        if not others:
            continue
        other = others[generator.integers(len(others))]
        sketch, _ = art.drawn(item, own_palette(item.parts), unit.generator())
        _, reference = art.drawn(other, own_palette(other.parts), unit.generator())
        yield unit.case(condition, [item, other], sketch, [reference.color])
