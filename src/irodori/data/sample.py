"""One training example, or a batch of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor


@dataclass(frozen=True)
class Sample:
    """Sketch, reference and truth, in the internal form (`irodori.image`); every field has a leading batch axis.

    sketch: ``(B, 1, H, W)``, lines -1, paper +1.
    color: ``(B, 3, H, W)`` in [-1, 1], the ground truth.
    reference: ``(B, 3, H, W)`` in [-1, 1]; all zero means "no reference".
    valid: ``(B, 1, H, W)``, 1 where `color` is known; 0 on parts whose color the reference does not show.
    correspondence: ``(B, 2, H, W)``, for each sketch pixel the ``(x, y)`` in reference pixels where its color is;
        NaN where that is unknown or outside the reference.
    parts: ``(B, H, W)`` part number of each sketch pixel (`irodori.data.index.PART_NAMES`), -1 where unknown.
    reference_parts: the same for the reference.
    lines: ``(B, 1, H, W)`` in 0…1, how much of a pixel is drawn line in the art; 0 where that is unknown.
    """

    sketch: Tensor
    color: Tensor
    reference: Tensor
    valid: Tensor
    correspondence: Tensor
    parts: Tensor
    reference_parts: Tensor
    lines: Tensor

    def to(self, device: torch.device) -> Sample:
        return Sample(**{f.name: getattr(self, f.name).to(device, non_blocking=True) for f in fields(self)})

    def pin_memory(self) -> Sample:
        """The same in page-locked memory, which the loader of a GPU run asks for."""
        return Sample(**{f.name: getattr(self, f.name).pin_memory() for f in fields(self)})

    @staticmethod
    def collate(samples: Sequence[Sample]) -> Sample:
        """Joins samples along the batch axis."""
        return Sample(**{f.name: torch.cat([getattr(s, f.name) for s in samples]) for f in fields(Sample)})
