"""Frozen networks that say how alike two pictures look, behind one interface that reports its name.

VGG19 is read from a safetensors file in torchvision's layout (``features.0.weight`` …), MobileNetV2 from one with
folded batch normalization (``stem``, ``block01.expand`` …).  Figures made with different features are never comparable.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from irodori.checkpoint import check_keys, read_tensors
from irodori.errors import ConfigError


class Features(nn.Module):
    """A frozen feature network: ``(B, 3, H, W)`` in [-1, 1] to a list of feature maps, shallow to deep."""

    name: ClassVar[str]

    def owns(self, key: str) -> bool:
        """True for the tensors of a file that belong to this network (a file may hold a classifier too)."""
        return True

    def load(self, path: Path) -> Features:
        """Fills the network from a safetensors file, strictly, and freezes it."""
        found = {key: value.float() for key, value in read_tensors(path).items() if self.owns(key)}
        check_keys(path, self.state_dict(), found)
        self.load_state_dict(found)
        return self.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> Features:
        """Stays in evaluation mode whatever is asked."""
        return super().train(False)


class VGG19(Features):
    """relu1_1 … relu5_1 of VGG19 (Simonyan, Zisserman 2015), the layers of SCFT's equations 8 and 9."""

    name = "vgg19"
    mean: Tensor
    deviation: Tensor
    _PLAN: ClassVar[tuple[tuple[int, int], ...]] = ((64, 2), (128, 2), (256, 4), (512, 4), (512, 1))
    _TAP: ClassVar[int] = 0  # which convolution of each block

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        self.taps: list[int] = []
        channels = 3
        for width, depth in self._PLAN:
            if layers:
                layers.append(nn.MaxPool2d(2))
            for position in range(depth):
                layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
                channels = width
                if position == self._TAP:
                    self.taps.append(len(layers) - 1)
        self.features = nn.Sequential(*layers)
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("deviation", torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1), persistent=False)

    def owns(self, key: str) -> bool:
        return key in self.state_dict()

    def forward(self, image: Tensor) -> list[Tensor]:
        x = ((image + 1) / 2 - self.mean) / self.deviation
        found = []
        for position, layer in enumerate(self.features):
            x = layer(x)
            if position in self.taps:
                found.append(x)
        return found


class VGG19Second(VGG19):
    """relu1_2 … relu5_2 of VGG19, the layers of CSFT's equations 10 to 12; the same file as `VGG19`."""

    name = "vgg19_2"
    _PLAN = ((64, 2), (128, 2), (256, 4), (512, 4), (512, 2))
    _TAP = 1


class MobileNetV2(Features):
    """Outputs of blocks 1, 3, 6, 13 and 17 of MobileNetV2 (Sandler et al. 2018), TensorFlow padding, folded norms."""

    name = "mobilenet_v2"
    _WIDTHS: ClassVar[Sequence[int]] = (16, 24, 24, 32, 32, 32, 64, 64, 64, 64, 96, 96, 96, 160, 160, 160, 320)
    _HALVES: ClassVar[frozenset[int]] = frozenset({2, 4, 7, 14})
    _TAPS: ClassVar[frozenset[int]] = frozenset({1, 3, 6, 13, 17})

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 32, 3, 2)
        channels = 32
        for number, width in enumerate(self._WIDTHS, start=1):
            stride = 2 if number in self._HALVES else 1
            self.add_module(f"block{number:02d}", _InvertedResidual(channels, width, stride, 1 if number == 1 else 6))
            channels = width

    def owns(self, key: str) -> bool:
        return not key.startswith(("head.", "classifier."))

    def forward(self, image: Tensor) -> list[Tensor]:
        x = F.relu6(self.stem(_same_padding(image)))
        found = []
        for number in range(1, len(self._WIDTHS) + 1):
            x = self.get_submodule(f"block{number:02d}")(x)
            if number in self._TAPS:
                found.append(x)
        return found


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


FEATURES: Mapping[str, type[Features]] = {network.name: network for network in (VGG19, VGG19Second, MobileNetV2)}


def load_features(name: str, path: Path) -> Features:
    """A frozen feature network, filled from a file; ConfigError for an unknown name, WeightsError for the file."""
    if name not in FEATURES:
        raise ConfigError(f"unknown features '{name}'; choose one of {', '.join(FEATURES)}")
    return FEATURES[name]().load(path)
