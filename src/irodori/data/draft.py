"""Training pairs before composition: what the loader hands over, to be composed on the training device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from irodori.data.batched import Batched
from irodori.data.jitter import Jitter
from irodori.data.layers import Layers
from irodori.data.light import Light
from irodori.data.line_variation import Variation
from irodori.data.warp import Warp

Kind = Literal["self", "recolor", "shuffled", "lone"]


@dataclass(frozen=True)
class Draft(Batched):
    """Everything about pairs before composition (`irodori.data.compose`); B pairs of ``H x H`` pixels.

    kinds: "self" (the reference is the moved truth), "recolor" (another figure), "shuffled" (any other drawing, truth
        unknown) or "lone" (no reference).
    drawing: what the sketch shows, with the truth's palette; of recolor pairs, with the drawing's own, which stays
        where the reference shows nothing else.
    source: what the reference shows, in its palette; empty planes in "self" and "lone" pairs.
    own_sketch: ``(B, 1, H, H)`` uint8, the artist's line drawing; white where there is none.
    line_kinds: kind of line of each pair, one of `irodori.data.lines.KINDS` or "own".
    thickness: ``(B,)`` of the borders of regions in ink, 1 or 2 pixels.
    variation: how lines differ from clean ones.
    moves_drawing: whether `drawing_warp` does anything.  drawing_warp: moves the drawing before anything else.
    warp: moves the reference.
    offset: ``(B, 3)`` levels added to the truth, and so to the reference, of self pairs.
    jitter: changes the colors of the truth, and so of the reference, of self pairs, before the offset.
    light: multiplied onto the reference.
    tags: of what the reference shows (`Sample.tags`).
    similar: another drawing of about the reference's colors, for systems that ask for one.
    """

    kinds: tuple[Kind, ...]
    drawing: Layers
    source: Layers
    own_sketch: Tensor
    line_kinds: tuple[str, ...]
    thickness: Tensor
    variation: Variation
    moves_drawing: tuple[bool, ...]
    drawing_warp: Warp
    warp: Warp
    offset: Tensor
    jitter: Jitter
    light: Light
    tags: tuple[tuple[str, ...], ...]
    similar: Layers | None = None
