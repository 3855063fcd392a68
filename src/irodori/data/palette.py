"""Palettes for art whose colors are parameters."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence

import numpy as np

from irodori.data.index import Item, Part

Color = tuple[int, int, int]


def random_color(generator: np.random.Generator) -> Color:
    """A color with uniform hue; saturation and value lean towards what illustrators use."""
    hue, saturation = generator.random(), generator.beta(1.6, 1.6)
    value = generator.beta(3.0, 1.5)
    red, green, blue = (round(255 * channel) for channel in colorsys.hsv_to_rgb(hue, saturation, value))
    return red, green, blue


def random_palette(parts: Sequence[Part], generator: np.random.Generator) -> list[Color]:
    """A random color for every area, one for all parts of the same name; drawn lines stay dark."""
    named: dict[str, Color] = {}
    palette = []
    for part in parts:
        color = _ink(generator) if part.line else random_color(generator)
        palette.append(named.setdefault(part.name, color) if part.name else color)
    return palette


def _ink(generator: np.random.Generator) -> Color:
    level = int(generator.integers(0, 50))
    return level, level, level


def own_palette(parts: Sequence[Part]) -> list[Color]:
    """The colors the artist (or the pack) gave."""
    return [part.color for part in parts]


def recolor(
    parts: Sequence[Part], source: Item, palette: Sequence[Color], visible: Sequence[bool] | None = None
) -> tuple[list[Color], list[bool]]:
    """The colors of another figure, part by part: ``(colors, known)``.

    A part whose name `source` lacks, or has in several colors, keeps its own color and is not `known`.
    visible: for each part of `source`, whether the reference shows it; hidden ones count as lacking.
    """
    found: dict[str, set[Color]] = {}
    for part, color, is_visible in zip(source.parts, palette, visible or [True] * len(palette), strict=True):
        if part.name and is_visible:
            found.setdefault(part.name, set()).add(color)
    wanted = {name: next(iter(colors)) for name, colors in found.items() if len(colors) == 1}
    return [wanted.get(part.name, part.color) for part in parts], [part.name in wanted for part in parts]
