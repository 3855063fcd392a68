"""A system of few operations, so that its graphs are made in a moment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fakes import FakeConfig
from irodori.data.sample import Sample
from irodori.systems.base import Attention, Guidance, Noise, Output, Phase, System


class StampCode(NamedTuple):
    """features: ``(B, 4, H/4, W/4)``.  size: of the sketch; for attention alone."""

    features: Tensor
    size: tuple[int, int]


class Stamp(System):
    """One convolution of the sketch, tinted by the references' mean color; takes a palette; attends evenly."""

    name: ClassVar[str] = "stamp"
    config_type: ClassVar[type] = FakeConfig
    size_multiple: ClassVar[int] = 4
    takes: ClassVar[frozenset[str]] = frozenset({"palette"})

    def __init__(self, config: FakeConfig | None = None) -> None:
        super().__init__(config or FakeConfig())
        torch.manual_seed(0)
        self.conv, self.paint_conv = nn.Conv2d(1, 4, 4, stride=4), nn.Conv2d(4, 48, 1)
        self.calls: Counter[str] = Counter()

    def phases(self) -> tuple[Phase, ...]:
        return ()

    def losses(self, phase: str, batch: Sample) -> dict[str, Tensor]:
        return {}

    def encode_sketch(self, sketch: Tensor) -> StampCode:
        self.calls["sketch"] += 1
        return StampCode(self.conv(sketch), (sketch.shape[-2], sketch.shape[-1]))

    def encode_references(self, references: Sequence[Tensor], like: Tensor) -> list[Any]:
        self.calls["references"] += 1
        if not references:
            return [like.new_zeros(1, 3, 1, 1), ()]
        mean = sum(reference.mean((2, 3), keepdim=True) for reference in references) / len(references)
        return [mean, tuple((one.shape[-2] // 2, one.shape[-1] // 2) for one in references)]

    def paint(self, sketch_code: StampCode, reference_code: list[Any], noise: Noise, guidance: Guidance) -> Output:
        self.calls["paint"] += 1
        mean, grids = reference_code
        color = mean if guidance.palette is None else guidance.palette.mean(1)[..., None, None]
        image = torch.tanh(F.pixel_shuffle(self.paint_conv(sketch_code.features), 4) + color)
        grid = (sketch_code.size[0] // 4, sketch_code.size[1] // 4)
        count = sum(height * width for height, width in grids)
        attention = Attention(lambda cells: image.new_full((1, len(cells), count), 1 / count), grid, grids)
        return Output(image, attention if grids else None, warped_reference=color.expand_as(image))
