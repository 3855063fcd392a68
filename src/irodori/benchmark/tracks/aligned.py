"""Aligned: the reference is the truth itself, bent ever more; figures in their own and in random colors, paintings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch

from irodori.benchmark.art import Art, Groups
from irodori.benchmark.cases import Case
from irodori.benchmark.landmarks import field_landmarks
from irodori.benchmark.moving import points_of
from irodori.benchmark.tracks.base import Unit
from irodori.data.index import Part
from irodori.data.palette import Color, own_palette, random_palette
from irodori.data.warp import CONTROL_POINTS, Warp

STRENGTHS = (0.0, 0.1, 0.2, 0.4)
"""Of the bend: the largest displacement of a control point, in shares of the image side."""


def cases(art: Art, unit: Unit) -> Iterator[Case]:
    yield from _sequence(art, unit, "figures", art.figures, lambda parts, _: own_palette(parts))
    yield from _sequence(art, unit, "recolored figures", art.figures, random_palette)
    yield from _sequence(art, unit, "paintings", art.paintings, lambda parts, _: own_palette(parts))


def _sequence(
    art: Art,
    unit: Unit,
    name: str,
    groups: Groups,
    palette_of: Callable[[Sequence[Part], np.random.Generator], list[Color]],
) -> Iterator[Case]:
    if not groups:
        return
    generator, item = unit.generator(), unit.in_turn(groups)
    bend = random_bend(generator)
    sketch, truth = art.drawn(item, palette_of(item.parts, generator), generator)
    for strength in STRENGTHS:
        points = points_of(bent(bend, strength * art.size), art.size)
        reference = truth.moved(points)
        yield unit.case(
            f"{name}, warp {strength:g}", [item, item], sketch, [reference.color], truth.color,
            truth.parts if item.parts else None,
            scored_parts=tuple(sorted(truth.shown() & reference.shown())),
            correspondence=field_landmarks(sketch, truth, reference, points, unit.generator()),
            sequence=unit.id(name), position=strength,
        )  # fmt: skip


def random_bend(generator: np.random.Generator) -> torch.Tensor:
    """Displacements ``(1, 16, 2)`` of the control points, of which the longest has length 1."""
    displacement = generator.normal(size=(CONTROL_POINTS**2, 2))
    longest = np.sqrt((displacement**2).sum(1).max())
    return torch.from_numpy((displacement / longest).astype(np.float32))[None]


def bent(bend: torch.Tensor, pixels: float) -> Warp:
    """The warp that moves the farthest control point by so many pixels."""
    return Warp(torch.eye(2, 3)[None], bend * pixels)
