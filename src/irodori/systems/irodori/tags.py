"""Color tags: a part in a named color, and the names of the colors that a picture shows."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from irodori.data.index import PART_NAMES
from irodori.data.tags import tag_columns
from irodori.data.vocabulary import color_fit, color_of, default_tags, find_tag, part_of
from irodori.image import from_uint8
from irodori.systems.irodori.networks import CELL, Transported

COLOR_TAGS = tuple(tag for tag in default_tags() if part_of(tag) is not None)
"""The tags that the system takes: every color of every part that has tags."""


def with_tags(transported: Transported, part_logits: Tensor, tags: Sequence[tuple[str, float]]) -> Transported:
    """What the attention brought, after the tags' colors took their share of it.

    The share is how sure a cell is to be the tag's part, times the value; a value above 1 counts as 1.  Several tags of
    one part are mixed.  part_logits: ``(B, 20, h, w)``, part names of the sketch's cells.
    """
    certainty = part_logits.softmax(1)
    colors, confidence = transported.colors, transported.confidence
    for part, color, value in _by_part(tags):
        share = (value * certainty[:, PART_NAMES.index(part)])[:, None, None]
        wanted = color.to(colors)[:, None, None]
        colors, confidence = colors.lerp(wanted, share), confidence.lerp(torch.ones_like(confidence), share)
    return transported._replace(colors=colors, confidence=confidence)


def _by_part(tags: Sequence[tuple[str, float]]) -> list[tuple[str, Tensor, float]]:
    """For each part that tags are about: its name, the color ``(3,)`` that they ask for, and how strongly, 0…1."""
    asked: dict[str, list[tuple[Tensor, float]]] = {}
    for name, value in tags:
        tag = find_tag(name, COLOR_TAGS)
        part, color = part_of(tag), color_of(tag)
        assert part is not None
        assert color is not None
        asked.setdefault(part, []).append((from_uint8(torch.tensor(color)), value))
    return [(part, *_mixed(colors)) for part, colors in asked.items()]


def _mixed(colors: Sequence[tuple[Tensor, float]]) -> tuple[Tensor, float]:
    total = sum(value for _, value in colors)
    mean = sum((color * value for color, value in colors), torch.zeros(3)) / max(total, 1e-6)
    return mean, min(total, 1.0)


def seen_tags(image: Tensor, part_logits: Tensor) -> Tensor:
    """How well each of `COLOR_TAGS` fits pictures ``(B, 3, H, W)``: ``(B, T)`` in 0…1, 0 for a part that is not there.

    part_logits: ``(B, 20, H / 4, W / 4)``.
    """
    certainty = part_logits.softmax(1)
    certain = (certainty * (certainty > 0.5)).flatten(2)  # (B, 20, cells)
    area = certain.sum(2)
    means = (
        torch.einsum("bpn,bcn->bpc", certain, F.avg_pool2d(image, CELL).flatten(2)) / area.clamp(min=1e-6)[..., None]
    )
    fit = color_fit(means.flatten(0, 1)).view(*area.shape, -1) * area.clamp(max=1)[..., None]
    columns = tag_columns(COLOR_TAGS)
    return fit[:, columns.part, columns.color]
