"""Two figures in one picture, as on a character sheet, still as planes whose colors are parameters."""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np
import torch

from irodori.data.drawing import Drawing, scaled
from irodori.data.index import Part
from irodori.data.parts import Floats

_BACKGROUND = ("background", False)


def side_by_side(first: Drawing, second: Drawing, generator: np.random.Generator) -> Drawing:
    """Both figures at 0.45…0.75 of their size, one left, one right, perhaps overlapping; the second is in front.

    Parts of the same name become one part, with the first figure's color; the background fills the rest, which is
    white where neither figure has a background of its own.
    """
    size = first.planes.shape[-1]
    keys, parts = _merged(first, second)
    canvas = np.zeros((3 + len(parts), size, size), np.float32)
    if _BACKGROUND in keys:
        canvas[3 + keys[_BACKGROUND]] = 255
    else:
        canvas[:3] = 255
    mirrored = generator.random() < 0.5
    for number, figure in enumerate((first, second)):
        side = round(size * generator.uniform(0.45, 0.75))
        inset, top = (size - side) * generator.uniform((0, 0), (0.3, 1))
        left = round(inset) if (number == 0) != mirrored else size - side - round(inset)
        top = size - side if generator.random() < 0.5 else round(top)
        _paste(canvas[:, top : top + side, left : left + side], figure, [keys[key] for key in _keys(figure, number)])
    planes = torch.from_numpy(np.rint(canvas).clip(0, 255).astype(np.uint8))
    return Drawing(tuple(parts), planes, tags=tuple(dict.fromkeys((*first.tags, *second.tags))))


def _keys(figure: Drawing, number: int) -> list[Hashable]:
    """What makes parts of two figures one: name and kind; parts without a name stay apart."""
    return [(part.name, part.line) if part.name else (number, place) for place, part in enumerate(figure.parts)]


def _merged(first: Drawing, second: Drawing) -> tuple[dict[Hashable, int], list[Part]]:
    keys: dict[Hashable, int] = {}
    parts: list[Part] = []
    for number, figure in enumerate((first, second)):
        for key, part in zip(_keys(figure, number), figure.parts, strict=True):
            if key not in keys:
                keys[key] = len(parts)
                parts.append(part)
    return keys, parts


def _paste(box: Floats, figure: Drawing, places: list[int]) -> None:
    """Lays a figure over a part of the canvas; through its background one sees what is behind."""
    planes = scaled(figure.planes.numpy(), box.shape[-1]).astype(np.float32)
    is_background = [(part.name, part.line) == _BACKGROUND for part in figure.parts]
    box *= planes[3:][is_background].sum(0).clip(0, 255) / 255
    box[:3] += planes[:3]
    for plane, place, skipped in zip(planes[3:], places, is_background, strict=True):
        if not skipped:
            box[3 + place] += plane
