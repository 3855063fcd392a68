"""One training example, or a batch of them."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from irodori.data.batched import Batched


@dataclass(frozen=True)
class Sample(Batched):
    """Sketch, reference and truth, in the internal form (`irodori.image`); every field has a leading batch axis.

    sketch: ``(B, 1, H, W)``, lines -1, paper +1.
    color: ``(B, 3, H, W)`` in [-1, 1], the ground truth.
    reference: ``(B, 3, H, W)`` in [-1, 1]; all zero means "no reference".
    valid: ``(B, 1, H, W)``, 1 where `color` is known; 0 on parts whose color the reference does not show.
    correspondence: ``(B, 2, H, W)``, for each sketch pixel the ``(x, y)`` in reference pixels where its color is;
        NaN where that is unknown or outside the reference.
    parts: ``(B, H, W)`` part number of each sketch pixel, -1 where unknown: a position in `PART_NAMES`
        (`irodori.data.index`); in self pairs, areas without a shared name have numbers from ``len(PART_NAMES)`` on.
    reference_parts: the same for the reference.
    lines: ``(B, 1, H, W)`` in 0…1, the share of a pixel of `color` that is drawn line; 0 in pictures, where nobody
        knows.
    tags: for each image what the data set says of the drawing that the reference shows; empty where nothing is known.
        Words for colors are those of the drawing as it was prepared, before any palette or offset.
    similar: ``(B, 3, H, W)``, another picture of about the reference's colors; None where nobody asked for one.
    """

    sketch: Tensor
    color: Tensor
    reference: Tensor
    valid: Tensor
    correspondence: Tensor
    parts: Tensor
    reference_parts: Tensor
    lines: Tensor
    tags: tuple[tuple[str, ...], ...] = ()
    similar: Tensor | None = None
