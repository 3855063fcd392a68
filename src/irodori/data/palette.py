"""Palettes for art whose colors are parameters."""

from __future__ import annotations

import colorsys
from collections.abc import Callable, Sequence

import numpy as np

from irodori.data.index import Part

Color = tuple[int, int, int]


def random_color(generator: np.random.Generator) -> Color:
    """A color with uniform hue; saturation and value lean towards what illustrators use."""
    hue, saturation = generator.random(), generator.beta(1.6, 1.6)
    value = generator.beta(3.0, 1.5)
    red, green, blue = (round(255 * channel) for channel in colorsys.hsv_to_rgb(hue, saturation, value))
    return red, green, blue


def _color(generator: np.random.Generator, saturation: tuple[float, float], value: tuple[float, float]) -> Color:
    """A color with uniform hue, saturation and value."""
    channels = colorsys.hsv_to_rgb(generator.random(), generator.uniform(*saturation), generator.uniform(*value))
    red, green, blue = (round(255 * channel) for channel in channels)
    return red, green, blue


def random_palette(
    parts: Sequence[Part],
    generator: np.random.Generator,
    choose: Callable[[np.random.Generator], Color] = random_color,
) -> list[Color]:
    """A random color for every area, one for all parts of the same name; drawn lines stay dark."""
    named: dict[str, Color] = {}
    palette = []
    for part in parts:
        color = _gray(generator, 0, 50) if part.line else choose(generator)
        palette.append(named.setdefault(part.name, color) if part.name else color)
    return palette


def _gray(generator: np.random.Generator, least: int, end: int) -> Color:
    level = int(generator.integers(least, end))
    return level, level, level


def own_palette(parts: Sequence[Part]) -> list[Color]:
    """The colors the artist (or the pack) gave."""
    return [part.color for part in parts]


PALETTES = ("random", "near", "gray", "pastel", "dark")
"""Kinds of palette that `DataOptions.palettes` may name; "near": several parts in nearly the same color."""


def palette_of(kind: str, parts: Sequence[Part], generator: np.random.Generator) -> list[Color]:
    """Draws a palette of one of the kinds in `PALETTES`."""
    if kind == "near":
        return _near_palette(parts, generator)
    choose = {
        "random": random_color,
        "gray": lambda generator: _gray(generator, 0, 256),
        "pastel": lambda generator: _color(generator, (0.1, 0.35), (0.85, 1.0)),
        "dark": lambda generator: _color(generator, (0.2, 0.9), (0.08, 0.4)),
    }[kind]
    return random_palette(parts, generator, choose)


def _near_palette(parts: Sequence[Part], generator: np.random.Generator, levels: int = 14) -> list[Color]:
    """A random palette in which about half of the parts lie close around one color, but differ."""
    center = np.clip(random_color(generator), levels, 255 - levels)
    taken: set[Color] = set()

    def choose(generator: np.random.Generator) -> Color:
        if generator.random() < 0.4:
            return random_color(generator)
        red, green, blue = (center + generator.integers(-levels, levels + 1, 3)).tolist()
        color = (red, green, blue)
        if color in taken:
            return choose(generator)
        taken.add(color)
        return color

    return random_palette(parts, generator, choose)
