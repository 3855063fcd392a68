"""A system without training and small drawings, with colors and correspondences that are known by construction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from irodori.data.sample import Sample
from irodori.image import Pixels
from irodori.systems.base import Attention, Guidance, Noise, Output, Phase, System


@dataclass(frozen=True, kw_only=True)
class FakeConfig:
    """Settings of `FakeSystem`."""

    image_size: int = 64


class FakeSystem(System):
    """Paints everything in the mean color of the references plus a little seeded noise, and attends evenly.

    Without a reference it paints mid-gray.  Counts how often each part is called.
    """

    name: ClassVar[str] = "fake"
    config_type: ClassVar[type] = FakeConfig
    size_multiple: ClassVar[int] = 8

    def __init__(self, config: FakeConfig | None = None) -> None:
        super().__init__(config or FakeConfig())
        self.calls: Counter[str] = Counter()

    def phases(self) -> tuple[Phase, ...]:
        return ()

    def losses(self, phase: str, batch: Sample) -> dict[str, Tensor]:
        return {}

    def encode_sketch(self, sketch: Tensor) -> Tensor:
        self.calls["sketch"] += 1
        return sketch

    def encode_references(self, references: Sequence[Tensor], like: Tensor) -> Any:
        self.calls["references"] += 1
        if not references:
            return like.new_zeros(1, 3, 1, 1), ()
        mean = torch.stack([reference.mean(dim=(2, 3), keepdim=True) for reference in references]).mean(dim=0)
        return mean, tuple((r.shape[-2] // 8, r.shape[-1] // 8) for r in references)

    def paint(self, sketch_code: Tensor, reference_code: Any, noise: Noise, guidance: Guidance) -> Output:
        self.calls["paint"] += 1
        height, width = sketch_code.shape[-2:]
        color, grids = reference_code
        image = (color + 0.05 * noise.normal((3, 1, 1), color.device)).expand(1, 3, height, width)
        image = torch.where(sketch_code < 0, -1.0, image)
        if not grids:
            return Output(image)
        queries, keys = height * width // 64, sum(rows * columns for rows, columns in grids)
        return Output(image, Attention.of(torch.full((1, queries, keys), 1 / keys), (height // 8, width // 8), grids))


def box_drawing(height: int, width: int, box: tuple[int, int, int, int], thickness: int = 1) -> Pixels:
    """White paper ``(height, width)`` with the outline of a closed box ``(top, left, bottom, right)``, inclusive."""
    lines = np.full((height, width), 255, np.uint8)
    top, left, bottom, right = box
    lines[top : bottom + 1, left : right + 1] = 0
    lines[top + thickness : bottom + 1 - thickness, left + thickness : right + 1 - thickness] = 255
    return lines


class MirrorSystem(FakeSystem):
    """Paints the first reference mirrored left to right and attends there; takes all guidance and remembers it.

    confidence: 1 in the upper three quarters, 0 below.  The warped reference is the painted image.
    """

    name: ClassVar[str] = "mirror"
    takes: ClassVar[frozenset[str]] = frozenset({"hints", "palette", "uses"})

    def __init__(self, config: FakeConfig | None = None) -> None:
        super().__init__(config)
        self.given: list[Guidance] = []
        self.encoded: list[Tensor] = []

    def encode_references(self, references: Sequence[Tensor], like: Tensor) -> Any:
        self.calls["references"] += 1
        self.encoded = list(references)
        return list(references)

    def paint(self, sketch_code: Tensor, reference_code: Any, noise: Noise, guidance: Guidance) -> Output:
        self.calls["paint"] += 1
        self.given.append(guidance)
        size = sketch_code.shape[-2:]
        confidence = torch.ones(1, 1, *size)
        confidence[..., size[0] * 3 // 4 :, :] = 0
        if not reference_code:
            return Output(torch.zeros(1, 3, *size), None, None, 0 * confidence)
        image = torch.nn.functional.interpolate(reference_code[0].flip(-1), size=size, mode="nearest")
        return Output(image, mirror_attention(size, reference_code), image, confidence)


def mirror_attention(size: Sequence[int], references: Sequence[Tensor]) -> Attention:
    """Each cell of 8x8 pixels looks, with 0.9 of its attention, at the mirrored place in the first reference."""
    rows, columns = size[0] // 8, size[1] // 8
    grids = tuple((r.shape[-2] // 8, r.shape[-1] // 8) for r in references)
    weights = torch.full((1, rows * columns, sum(h * w for h, w in grids)), 1e-4)
    height, width = grids[0]
    for row in range(rows):
        for column in range(columns):
            key = (row * height // rows) * width + width - 1 - column * width // columns
            weights[0, row * columns + column, key] = 0.9
    return Attention.of(weights, (rows, columns), grids)
