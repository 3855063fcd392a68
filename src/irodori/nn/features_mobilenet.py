"""MobileNetV2 (Sandler et al. 2018) with TensorFlow's padding and folded batch normalization.

Read from a file with ``stem``, ``block01.expand`` …, ``head``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from irodori.nn.features_base import Embedding, Features, Frozen, resized


class _MobileNet(Frozen):
    name = "mobilenet_v2"
    _WIDTHS: ClassVar[Sequence[int]] = (16, 24, 24, 32, 32, 32, 64, 64, 64, 64, 96, 96, 96, 160, 160, 160, 320)
    _HALVES: ClassVar[frozenset[int]] = frozenset({2, 4, 7, 14})

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 32, 3, 2)
        channels = 32
        for number, width in enumerate(self._WIDTHS, start=1):
            stride = 2 if number in self._HALVES else 1
            self.add_module(f"block{number:02d}", _InvertedResidual(channels, width, stride, 1 if number == 1 else 6))
            channels = width

    def activations(self, image: Tensor) -> Iterator[tuple[str, Tensor]]:
        x = F.relu6(self.stem(_same_padding(image)))
        for number in range(1, len(self._WIDTHS) + 1):
            name = f"block{number:02d}"
            x = self.get_submodule(name)(x)
            yield name, x


class MobileNetV2(_MobileNet, Features):
    """Outputs of blocks 1, 3, 6, 13 and 17."""

    layers = ("block01", "block03", "block06", "block13", "block17")


class MobileNetV2Embedding(_MobileNet, Embedding):
    """The 1280 values that its classifier sees, pooled over the picture at 224 px."""

    num_features = 1280
    image_size = 224

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Conv2d(self._WIDTHS[-1], self.num_features, 1)

    def forward(self, image: Tensor) -> Tensor:
        *_, (_, deepest) = self.activations(resized(image, self.image_size, self.image_size))
        return F.relu6(self.head(deepest)).mean(dim=(2, 3))


class _InvertedResidual(nn.Module):
    def __init__(self, in_channels: int, out_channels: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = in_channels * expansion
        self.expand = nn.Conv2d(in_channels, wide, 1) if expansion > 1 else None
        self.depthwise = nn.Conv2d(wide, wide, 3, stride, padding=1 if stride == 1 else 0, groups=wide)
        self.project = nn.Conv2d(wide, out_channels, 1)
        self.is_residual = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        y = x if self.expand is None else F.relu6(self.expand(x))
        y = self.depthwise(y if self.depthwise.stride == (1, 1) else _same_padding(y))
        y = self.project(F.relu6(y))
        return x + y if self.is_residual else y


def _same_padding(x: Tensor) -> Tensor:
    """TensorFlow "SAME" for a 3x3 kernel with stride 2: one at the bottom and right, and at the top if odd."""
    odd_height, odd_width = x.shape[-2] % 2, x.shape[-1] % 2
    return F.pad(x, (odd_width, 1, odd_height, 1))
