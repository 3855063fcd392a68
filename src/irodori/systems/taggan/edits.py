"""Pairs for step 2: an anchor whose tags are changed, and a target that shows what should come of it."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from irodori.data.index import PART_NAMES
from irodori.data.sample import Sample
from irodori.data.tags import ShownParts, shown_parts, tag_columns
from irodori.data.vocabulary import color_names, named_color
from irodori.image import from_uint8


class Asked(NamedTuple):
    """What a user might ask of a reference, and the picture of it.

    target: ``(B, 3, H, W)``, the reference with one part in another color.
    wanted, is_wanted: ``(B, T)``, the tag and its value; none where the reference shows no part that tags are about.
    """

    target: Tensor
    wanted: Tensor
    is_wanted: Tensor


def ask(batch: Sample, tags: tuple[str, ...]) -> Asked:
    """One color tag for each reference, at random, with a value of 0…1, often 1.

    The part goes that far from its own color to the tag's, in sRGB; its shading stays.
    """
    image, columns = batch.reference, tag_columns(tags)
    part, color = (column.to(image.device) for column in columns[:2])
    parts = shown_parts(image, batch.reference_parts)
    fits = (part >= 0) & parts.shown[:, part.clamp(min=0)]
    some = fits.any(1)
    tag = torch.multinomial(_evenly(fits, part), 1)[:, 0]
    value = torch.maximum(torch.rand_like(some, dtype=image.dtype), 1.0 * (torch.rand(len(some)) < 0.5).to(image))
    target = recolored(
        batch, parts, part[tag].clamp(min=0), _focal_colors(image)[color[tag].clamp(min=0)], value * some
    )
    chosen = torch.nn.functional.one_hot(tag, len(tags)).bool() & some[:, None]
    return Asked(target, torch.where(chosen, value[:, None], 0.0), chosen)


def _evenly(fits: Tensor, part: Tensor) -> Tensor:
    """Weights ``(B, T)`` of the tags that fit, so that every part is as likely; even where none fits."""
    per_part = torch.zeros(len(fits), len(PART_NAMES) + 1, device=fits.device).index_add_(1, part + 1, fits.float())
    return torch.where(fits.any(1, keepdim=True), fits / per_part[:, part + 1].clamp(min=1), 1.0)


def recolored(batch: Sample, parts: ShownParts, part: Tensor, color: Tensor, value: Tensor) -> Tensor:
    """References with one part ``(B,)`` each moved by `value` ``(B,)`` from its mean color to `color` ``(B, 3)``."""
    inside = (batch.reference_parts == part[:, None, None])[:, None]
    mean = parts.colors[torch.arange(len(part)), part]
    step = (value[:, None] * (color - mean))[..., None, None]
    return torch.where(inside, (batch.reference + step).clamp(-1, 1), batch.reference)


def _focal_colors(like: Tensor) -> Tensor:
    """The colors of `color_names`, ``(names, 3)`` in [-1, 1]."""
    return from_uint8(torch.tensor([named_color(name) for name in color_names()], device=like.device))
