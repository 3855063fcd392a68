"""Drawings as batched planes: what `irodori.data.parts` prepares, ready to be composed on any device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor

from irodori.data.batched import Batched
from irodori.data.warp import sample_at

GRAY = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in brightness."""


@dataclass(frozen=True)
class Layers(Batched):
    """Drawings before composition: ``image = base + sum_k coverage_k * color_k / 255``; a picture is a base alone.

    planes: ``(B, 3 + P, H, W)`` uint8: base RGB, then coverages in 0…255; drawings with fewer parts have empty ones.
    palette: ``(B, P, 3)`` colors in whole levels 0…255.
    numbers: ``(B, P)`` part numbers as in `Sample.parts`, -1 for none.
    names: ``(B, P)`` names as numbers that mean something within one pair only; 0 for a part without a name.
    is_line: ``(B, P)``, true for parts that are drawn line.
    """

    planes: Tensor
    palette: Tensor
    numbers: Tensor
    names: Tensor
    is_line: Tensor

    @classmethod
    def collate(cls, members: Sequence[Self]) -> Self:
        """Joins drawings of any numbers of parts."""
        most = max(member.names.shape[1] for member in members)
        return super().collate([member._padded(most) for member in members])

    def _padded(self, parts: int) -> Self:
        missing = parts - self.names.shape[1]
        if not missing:
            return self
        return replace(
            self,
            planes=F.pad(self.planes, (0, 0, 0, 0, 0, missing)),
            palette=F.pad(self.palette, (0, 0, 0, missing)),
            numbers=F.pad(self.numbers, (0, missing), value=-1),
            names=F.pad(self.names, (0, missing)),
            is_line=F.pad(self.is_line, (0, missing)),
        )

    @cached_property
    def coverage(self) -> Tensor:
        """``(B, P, H * W)`` in levels 0…255."""
        return self.planes[:, 3:].float().flatten(2)

    @cached_property
    def base(self) -> Tensor:
        """``(B, 3, H, W)`` in levels 0…255."""
        return self.planes[:, :3].float()

    def paint(self, palette: Tensor) -> Tensor:
        """The drawings in a palette ``(B, P, 3)``: ``(B, 3, H, W)`` in whole levels 0…255.

        Sums of whole numbers below 2^24 are exact in float32, so that no result depends on its batch or device.
        """
        colored = self.levels(palette.transpose(1, 2))
        return ((self.base * 255 + colored) / 255).round().clamp(0, 255)

    def levels(self, weights: Tensor) -> Tensor:
        """``(B, C, H, W)``: sums of coverage, in levels 0…255, weighted by ``(B, C, P)``."""
        total = torch.bmm(weights.float(), self.coverage)
        return total.view(*total.shape[:2], *self.planes.shape[-2:])

    @cached_property
    def drawn(self) -> tuple[Tensor, Tensor]:
        """Coverage by line parts and by all parts, each ``(B, 1, H, W)`` in levels 0…255."""
        line, covered = self.levels(torch.stack([self.is_line, torch.ones_like(self.is_line)], 1)).split(1, 1)
        return line, covered

    def labels(self) -> Tensor:
        """``(B, H, W)`` int64: the part that covers most of a pixel, -1 where the base does."""
        best = torch.full_like(self.planes[:, 0], 127)
        label = torch.full_like(best, -1, dtype=torch.int8)
        # One by one: a maximum with positions along an axis of bytes is several times slower.
        for part in range(self.names.shape[1]):
            plane = self.planes[:, 3 + part]
            label = torch.where(plane > best, part, label)
            best = torch.maximum(plane, best)
        return label.long()

    def moved(self, points: Tensor) -> Self:
        """The drawings as seen at `points` ``(B, H, W, 2)`` (`irodori.data.warp`)."""
        return replace(self, planes=sample_at(self.planes.float(), points).round().to(torch.uint8))
