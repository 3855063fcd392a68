"""Which tags are true of the references of training pairs: colors as they are shown, attributes as the data set says.

A recolored palette changes the color tags with it, because they are read from the picture and its parts.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from irodori.data.compose import LEAST_PIXELS
from irodori.data.index import PART_NAMES
from irodori.data.sample import Sample
from irodori.data.vocabulary import canonical, color_fit, color_names, group_of, part_of, split_tag


class TagTargets(NamedTuple):
    """values: ``(B, T)`` in 0…1, how true each tag is.  known: ``(B, T)`` in {0, 1}, 0 where nobody can tell."""

    values: Tensor
    known: Tensor


class ShownParts(NamedTuple):
    """colors: ``(B, P, 3)`` in [-1, 1], the mean color of each named part.  shown: ``(B, P)`` bool.

    P counts `PART_NAMES`; the color of a part that is not shown means nothing.
    """

    colors: Tensor
    shown: Tensor


def tag_targets(batch: Sample, tags: Sequence[str]) -> TagTargets:
    """What is true of the batch's references, in the order of `tags`.

    In pictures whose parts are known, color tags are read from the parts; a part that is not shown has no color.  In
    others, color tags are those that the data set names.
    """
    named = _named(batch, tuple(tags))
    parts = shown_parts(batch.reference, batch.reference_parts)
    part, color, _ = (column.to(batch.reference.device) for column in tag_columns(tags))
    fit = color_fit(parts.colors.flatten(0, 1)).view(*parts.shown.shape, -1) * parts.shown[..., None]
    seen = fit[:, part.clamp(min=0), color]
    from_parts = (part >= 0) & parts.shown.any(1, keepdim=True)
    return TagTargets(torch.where(from_parts, seen, named.values), torch.where(from_parts, 1.0, named.known))


class PlaceWords(NamedTuple):
    """What the color tags of a list tell apart: parts by name, and colors by name."""

    parts: tuple[str, ...]
    colors: tuple[str, ...]

    def positions(self, tags: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Of each tag of a list, ``(T,)`` int64: where its part and its color stand here, -1 for attributes."""
        pairs = [(part_of(tag), split_tag(tag)) for tag in tags]
        parts = [-1 if part is None else self.parts.index(part) for part, _ in pairs]
        colors = [-1 if part is None or found is None else self.colors.index(found.color) for part, found in pairs]
        return torch.tensor(parts), torch.tensor(colors)


def place_words(tags: Sequence[str]) -> PlaceWords:
    """The parts and the colors that a list's tags are about, in the order of their first use."""
    parts = dict.fromkeys(part for tag in tags if (part := part_of(tag)) is not None)
    colors = dict.fromkeys(found.color for tag in tags if part_of(tag) and (found := split_tag(tag)))
    return PlaceWords(tuple(parts), tuple(colors))


class Places(NamedTuple):
    """What the cells of pictures show.

    parts: ``(B, number of parts + 1, h, w)``, shares of the parts, the last of all other named ones.
    colors: ``(B, number of colors, h, w)``, how well the colors fit; over all colors it sums to the shares' sum.
    """

    parts: Tensor
    colors: Tensor


def places(batch: Sample, words: PlaceWords, cell: int) -> Places:
    """What the cells of the references show, by cells of so many pixels; 0 where no part is known."""
    parts = shown_parts(batch.reference, batch.reference_parts)
    fit = color_fit(parts.colors.flatten(0, 1)).view(*parts.shown.shape, -1)
    fit = fit[..., [color_names().index(name) for name in words.colors]]
    fit = fit / fit.sum(2, keepdim=True).clamp(min=1e-6)
    numbers = torch.arange(len(PART_NAMES), device=fit.device)[:, None, None]
    shares = F.avg_pool2d((batch.reference_parts[:, None] == numbers).to(fit.dtype), cell)
    told_apart = [PART_NAMES.index(name) for name in words.parts]
    others = [number for number in range(len(PART_NAMES)) if number not in told_apart]
    by_part = torch.cat([shares[:, told_apart], shares[:, others].sum(1, keepdim=True)], dim=1)
    return Places(by_part, torch.einsum("bphw,bpk->bkhw", shares, fit))


def shown_parts(image: Tensor, parts: Tensor) -> ShownParts:
    """The named parts that pictures ``(B, 3, H, W)`` show, by their part numbers ``(B, H, W)``."""
    index = torch.where((parts >= 0) & (parts < len(PART_NAMES)), parts, len(PART_NAMES)).flatten(1)
    count = image.new_zeros(len(image), len(PART_NAMES) + 1)
    count = count.scatter_add_(1, index, torch.ones_like(index, dtype=image.dtype))[:, :-1]
    total = image.new_zeros(len(image), 3, len(PART_NAMES) + 1)
    total = total.scatter_add_(2, index[:, None].expand(-1, 3, -1), image.flatten(2))[..., :-1]
    shown = count >= LEAST_PIXELS * (image.shape[-1] / 128) ** 2
    return ShownParts((total / count.clamp(min=1)[:, None]).mT, shown)


def _named(batch: Sample, tags: tuple[str, ...]) -> TagTargets:
    """What the data set says itself: nothing is known of a drawing without a word, all of one with any."""
    values, known = [], []
    positions = _positions(tags)
    for words in batch.tags or ((),) * len(batch.reference):
        row = [0.0] * len(tags)
        for word in words:
            for position in positions.get(canonical(word), ()):
                row[position] = 1.0
        values.append(row)
        known.append([float(bool(words))] * len(tags))
    device = batch.reference.device
    return TagTargets(torch.tensor(values, device=device), torch.tensor(known, device=device))


@functools.cache
def _positions(tags: tuple[str, ...]) -> dict[str, tuple[int, ...]]:
    """Where a canonical tag stands in a list that may have several words for it."""
    found: dict[str, tuple[int, ...]] = {}
    for position, tag in enumerate(tags):
        found[canonical(tag)] = (*found.get(canonical(tag), ()), position)
    return found


class Columns(NamedTuple):
    """Of each tag of a list, ``(T,)`` int64: its part and its color, -1 for none, and its group, 0 for none."""

    part: Tensor
    color: Tensor
    group: Tensor


def tag_columns(tags: Sequence[str]) -> Columns:
    """Part, color and group of each tag of a list."""
    return _columns(tuple(tags))


@functools.cache
def _columns(tags: tuple[str, ...]) -> Columns:
    groups = ["", *dict.fromkeys(group for tag in tags if (group := group_of(tag)))]
    parts = [-1 if (part := part_of(tag)) is None else PART_NAMES.index(part) for tag in tags]
    colors = [-1 if (found := split_tag(tag)) is None else color_names().index(found.color) for tag in tags]
    return Columns(*(torch.tensor(column) for column in (parts, colors, [groups.index(group_of(t)) for t in tags])))
