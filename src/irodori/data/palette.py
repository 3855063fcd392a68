"""Palettes for art whose colours are parameters."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence

import numpy as np

from irodori.data.index import Item, Part

Color = tuple[int, int, int]


def random_color(generator: np.random.Generator) -> Color:
    """A colour with uniform hue; saturation and value lean towards what illustrators use."""
    hue, saturation = generator.random(), generator.beta(1.6, 1.6)
    value = generator.beta(3.0, 1.5)
    red, green, blue = (round(255 * channel) for channel in colorsys.hsv_to_rgb(hue, saturation, value))
    return red, green, blue


def random_palette(parts: Sequence[Part], generator: np.random.Generator) -> list[Color]:
    """A random colour for every area, one for all parts of the same name; drawn lines stay dark."""
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
    """The colours the artist (or the pack) gave."""
    return [part.color for part in parts]


def recolor(parts: Sequence[Part], source: Item, palette: Sequence[Color]) -> tuple[list[Color], list[bool]]:
    """The colours of another figure, part by part: ``(colours, known)``.

    A part whose name `source` lacks keeps its own colour and is not `known`.
    """
    wanted = {part.name: color for part, color in zip(source.parts, palette, strict=True) if part.name}
    return [wanted.get(part.name, part.color) for part in parts], [part.name in wanted for part in parts]
