"""What can be said of a picture with named parts: "red hair", "pale blue background"."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from irodori.color import rgb_to_lab
from irodori.data.index import PART_NAMES

COLORS: dict[str, tuple[int, int, int]] = {
    "black": (20, 20, 20), "dark gray": (80, 80, 80), "gray": (140, 140, 140), "light gray": (205, 205, 205),
    "white": (250, 250, 250), "red": (205, 40, 40), "dark red": (120, 25, 30), "pink": (240, 150, 185),
    "magenta": (205, 50, 165), "orange": (235, 130, 35), "brown": (120, 75, 40), "dark brown": (65, 42, 32),
    "tan": (205, 160, 115), "beige": (238, 215, 185), "yellow": (240, 215, 60), "blonde": (228, 195, 115),
    "olive": (130, 130, 45), "green": (55, 150, 65), "dark green": (25, 80, 45), "light green": (165, 220, 155),
    "teal": (35, 140, 140), "turquoise": (95, 210, 205), "light blue": (160, 205, 240), "blue": (50, 95, 205),
    "dark blue": (28, 40, 105), "purple": (125, 60, 165), "dark purple": (70, 32, 92), "lavender": (195, 175, 230),
}  # fmt: skip
"""Names of colors, with the level of each channel where the name fits best."""

LEAST_SHARE = 0.01
"""A part that covers less of a picture is not spoken of."""

ANY_COLOR = -1
"""Instead of a color's number: the part alone, "hair"."""

Phrase = tuple[int, int]
"""A color and a part, by number."""


def phrases(image: Tensor, parts: Tensor) -> list[list[Phrase]]:
    """For each picture what its parts look like.

    image: ``(B, 3, H, W)`` in [-1, 1].  parts: ``(B, H, W)``, positions in `PART_NAMES`, others are not spoken of.
    """
    named = color_numbers(image)
    return [_phrases_of(named[row], parts[row]) for row in range(len(image))]


def color_numbers(image: Tensor) -> Tensor:
    """The position in `COLORS` of the nearest color in Lab: ``(B, 3, H, W)`` in [-1, 1] to ``(B, H, W)``."""
    known = torch.tensor(list(COLORS.values()), device=image.device) / 127.5 - 1
    pixels, wanted = rgb_to_lab(image).flatten(2).mT, rgb_to_lab(known)
    return torch.cdist(pixels, wanted.expand(len(image), -1, -1)).argmin(-1).view(len(image), *image.shape[2:])


def text(phrase: Phrase) -> str:
    """The words of a phrase.

    >>> text((5, 2)), text((ANY_COLOR, 2))
    ('red hair', 'hair')
    """
    color, part = phrase
    return PART_NAMES[part] if color == ANY_COLOR else f"{list(COLORS)[color]} {PART_NAMES[part]}"


def _phrases_of(colors: Tensor, parts: Tensor) -> list[Phrase]:
    """colors: ``(H, W)`` color numbers; the most frequent one of a part is its color."""
    found = []
    for part in parts.unique().tolist():
        inside = parts == part
        if 0 <= part < len(PART_NAMES) and inside.float().mean() >= LEAST_SHARE:
            found += [(int(colors[inside].mode().values), part), (ANY_COLOR, part)]
    return found


def part_of_patches(parts: Tensor, grid: int) -> Tensor:
    """The part that covers more than half of each patch: ``(B, H, W)`` to ``(B, grid * grid)``, -1 where none does."""
    known = torch.where(parts < len(PART_NAMES), parts, -1)
    planes = F.one_hot(known + 1, len(PART_NAMES) + 1).permute(0, 3, 1, 2)[:, 1:].float()
    share, part = F.adaptive_avg_pool2d(planes, grid).flatten(2).max(1)
    return torch.where(share > 0.5, part, -1)
