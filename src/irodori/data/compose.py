"""From drafts to samples: batched, without random numbers, on whatever device the draft lies.

Nothing here depends on what else is in the batch, so that a pair is the same alone and in any batch.
"""

from __future__ import annotations

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from irodori.data.batched import rows_where
from irodori.data.draft import Draft
from irodori.data.layers import Layers
from irodori.data.lines import draw_lines, line_share
from irodori.data.sample import Sample
from irodori.data.warp import nearest_at, sample_at
from irodori.image import from_uint8

LEAST_PIXELS = 4.0
"""A part of the reference counts as shown from so many pixels of 128 x 128 on."""


@torch.no_grad()
def compose(draft: Draft) -> Sample:
    """The finished pairs of a draft."""
    draft = _with_moved_drawings(draft)
    device, size = draft.offset.device, draft.own_sketch.shape[-1]
    recolored = rows_where([kind == "recolor" for kind in draft.kinds], device)
    shuffled = rows_where([kind == "shuffled" for kind in draft.kinds], device)
    source = draft.source.take(recolored)
    lone = rows_where([kind == "lone" for kind in draft.kinds], device)
    points = draft.warp.backward(size)
    drawing, labels = draft.drawing, draft.drawing.labels()
    colors, known = _colors(draft.drawing, source, recolored, points)
    flat = drawing.paint(colors)
    sketch = draw_lines(flat, drawing, labels, draft.own_sketch, draft.line_kinds, draft.thickness)
    color = (draft.jitter.apply(flat) + draft.offset[:, :, None, None]).round().clamp(0, 255)
    parts = part_numbers(drawing, labels)
    reference, reference_parts = _reference(draft, torch.cat([recolored, shuffled]), color, parts, points)
    return Sample(
        sketch=from_uint8(draft.variation.vary(sketch).round()),
        color=from_uint8(color),
        reference=from_uint8(reference).index_fill(0, lone, 0.0),
        valid=(drawing.levels(~known[:, None]) < 0.05 * 255).float().index_fill(0, shuffled, 0.0),
        correspondence=_correspondence(draft, size),
        parts=parts,
        reference_parts=reference_parts.index_fill(0, lone, -1),
        lines=line_share(drawing),
        tags=draft.tags,
        similar=None if draft.similar is None else from_uint8(draft.similar.paint(draft.similar.palette)),
    )


def _with_moved_drawings(draft: Draft) -> Draft:
    """The draft after its drawings were moved."""
    rows = rows_where(draft.moves_drawing, draft.offset.device)
    if not len(rows):
        return draft
    points = draft.drawing_warp.take(rows).backward(draft.own_sketch.shape[-1])
    moved = draft.drawing.take(rows).moved(points).planes
    own_sketch = sample_at(draft.own_sketch[rows].float(), points).round().to(torch.uint8)
    return replace(
        draft,
        drawing=replace(draft.drawing, planes=draft.drawing.planes.index_copy(0, rows, moved)),
        own_sketch=draft.own_sketch.index_copy(0, rows, own_sketch),
    )


def _colors(drawing: Layers, source: Layers, recolored: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
    """The truth's palettes ``(B, P, 3)``, and which of its colors are known ``(B, P)``; `source` of recolored rows."""
    known = torch.ones_like(drawing.is_line)
    if not len(recolored):
        return drawing.palette, known
    visible = visible_parts(source, points[recolored])
    taken, found = transferred(drawing.palette[recolored], drawing.names[recolored], source, visible)
    return drawing.palette.index_copy(0, recolored, taken), known.index_copy(0, recolored, found)


def visible_parts(source: Layers, points: Tensor) -> Tensor:
    """``(B, Q)``: whether the drawing, seen at `points`, still shows some pixels of each part."""
    coverage = source.coverage.unflatten(2, points.shape[1:3])
    shown = sample_at(coverage, points).sum((2, 3)) / 255
    return shown >= LEAST_PIXELS * (points.shape[1] / 128) ** 2


def transferred(palette: Tensor, names: Tensor, source: Layers, visible: Tensor) -> tuple[Tensor, Tensor]:
    """A drawing's palette in the colors of `source`, part by part: ``((B, P, 3), (B, P))``, colors and known.

    A part whose name `source` lacks, hides (`visible` is ``(B, Q)``) or has in several colors, keeps its own color
    and is not known.
    """
    same = (names[:, :, None] == source.names[:, None]) & (source.names > 0)[:, None] & visible[:, None]
    red, green, blue = source.palette.long().unbind(-1)
    code = ((red << 16) + (green << 8) + blue)[:, None]
    highest = torch.where(same, code, -1).amax(-1)
    known = (highest >= 0) & (highest == torch.where(same, code, 1 << 24).amin(-1))
    colors = torch.stack([highest >> 16, (highest >> 8) & 255, highest & 255], -1).float()
    return torch.where(known[..., None], colors, palette), known


def part_numbers(drawing: Layers, labels: Tensor) -> Tensor:
    """``(B, H, W)`` part numbers (`Sample.parts`) of the pixels with these labels."""
    table = F.pad(drawing.numbers, (0, 1), value=-1)  # one more, read where no part is
    return table.gather(1, (labels % table.shape[1]).flatten(1)).view_as(labels)


def _reference(draft: Draft, others: Tensor, color: Tensor, parts: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
    """The moved, lit references ``(B, 3, H, W)`` in levels, and their part numbers.

    others: rows whose reference is the draft's source.
    """
    if len(others):
        source = draft.source.take(others)
        color = color.index_copy(0, others, source.paint(source.palette))
        parts = parts.index_copy(0, others, part_numbers(source, source.labels()))
    moved = sample_at(color, points).round()
    return (moved * draft.light.field(moved.shape[-1])).round(), nearest_at(parts, points)


def _correspondence(draft: Draft, size: int) -> Tensor:
    """``(B, 2, H, W)``; known in self pairs."""
    rows = rows_where([kind == "self" for kind in draft.kinds], draft.offset.device)
    nowhere = draft.offset.new_full((len(draft.kinds), 2, size, size), torch.nan)
    return nowhere.index_copy(0, rows, draft.warp.take(rows).correspondence(size))
