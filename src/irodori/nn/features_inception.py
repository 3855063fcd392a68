"""Inception-v3 (Szegedy et al. 2016) as FID uses it: TensorFlow's network of 2015-12-05, ported by pytorch-fid.

It differs from torchvision's in its weights and in three ways of pooling: averages leave the padding out, and the last
block takes the maximum instead of the average.  A FID made with torchvision's Inception is another figure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from irodori.nn.features_base import Embedding, resized

_Shape = int | tuple[int, int]


class Inception3FID(Embedding):
    """The 2048 values of the last pooling (pool3) for pictures at 299 px, resized as clean-fid does."""

    name = "inception_v3_fid"
    num_features = 2048
    image_size = 299

    def __init__(self) -> None:
        super().__init__()
        self.Conv2d_1a_3x3 = _Convolution(3, 32, 3, stride=2)
        self.Conv2d_2a_3x3 = _Convolution(32, 32, 3)
        self.Conv2d_2b_3x3 = _Convolution(32, 64, 3, padding=1)
        self.Conv2d_3b_1x1 = _Convolution(64, 80, 1)
        self.Conv2d_4a_3x3 = _Convolution(80, 192, 3)
        self.Mixed_5b, self.Mixed_5c, self.Mixed_5d = _fine(192, 32), _fine(256, 64), _fine(288, 64)
        self.Mixed_6a = _halving_fine(288)
        self.Mixed_6b, self.Mixed_6c = _middle(768, 128), _middle(768, 160)
        self.Mixed_6d, self.Mixed_6e = _middle(768, 160), _middle(768, 192)
        self.Mixed_7a = _halving_middle(768)
        self.Mixed_7b, self.Mixed_7c = _Coarse(1280, _average), _Coarse(2048, _maximum)

    def forward(self, image: Tensor) -> Tensor:
        x = resized(image, self.image_size, self.image_size)
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x)))
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(F.max_pool2d(x, 3, 2)))
        x = self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(F.max_pool2d(x, 3, 2))))
        x = self.Mixed_6e(self.Mixed_6d(self.Mixed_6c(self.Mixed_6b(self.Mixed_6a(x)))))
        return self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(x))).mean(dim=(2, 3))


class _Convolution(nn.Module):
    def __init__(
        self, in_channels: int, out_channels: int, kernel: _Shape, stride: int = 1, padding: _Shape = 0
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel, stride, padding, bias=False)
        self.bn = _Normalization(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(x)))


class _Normalization(nn.Module):
    """Batch normalization with stored statistics alone: files have no count of batches, or one that nobody needs."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels))
        self.running_mean: Tensor
        self.running_var: Tensor
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=1e-3)


def _average(x: Tensor) -> Tensor:
    return F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)


def _maximum(x: Tensor) -> Tensor:
    return F.max_pool2d(x, 3, 1, 1)


class _Branches(nn.Module):
    """Chains of convolutions side by side, then perhaps a pooled branch; their outputs are joined."""

    def __init__(
        self,
        chains: Mapping[str, tuple[_Convolution, ...]],
        pool: Callable[[Tensor], Tensor],
        pooled: _Convolution | None = None,
    ) -> None:
        super().__init__()
        self.chains: list[list[str]] = []
        for name, chain in chains.items():
            keys = [name] if len(chain) == 1 else [f"{name}_{number}" for number in range(1, len(chain) + 1)]
            for key, convolution in zip(keys, chain, strict=True):
                self.add_module(key, convolution)
            self.chains.append(keys)
        self.pool = pool
        self.branch_pool = pooled

    def forward(self, x: Tensor) -> Tensor:
        outputs = []
        for keys in self.chains:
            y = x
            for key in keys:
                y = self.get_submodule(key)(y)
            outputs.append(y)
        pooled = self.pool(x)
        return torch.cat([*outputs, pooled if self.branch_pool is None else self.branch_pool(pooled)], dim=1)


def _fine(channels: int, pool_channels: int) -> _Branches:
    """35 x 35: "InceptionA"."""
    return _Branches(
        {
            "branch1x1": (_Convolution(channels, 64, 1),),
            "branch5x5": (_Convolution(channels, 48, 1), _Convolution(48, 64, 5, padding=2)),
            "branch3x3dbl": (
                _Convolution(channels, 64, 1),
                _Convolution(64, 96, 3, padding=1),
                _Convolution(96, 96, 3, padding=1),
            ),
        },
        _average,
        _Convolution(channels, pool_channels, 1),
    )


def _halving_fine(channels: int) -> _Branches:
    """35 x 35 to 17 x 17: "InceptionB"."""
    return _Branches(
        {
            "branch3x3": (_Convolution(channels, 384, 3, stride=2),),
            "branch3x3dbl": (
                _Convolution(channels, 64, 1),
                _Convolution(64, 96, 3, padding=1),
                _Convolution(96, 96, 3, stride=2),
            ),
        },
        lambda x: F.max_pool2d(x, 3, 2),
    )


def _middle(channels: int, narrow: int) -> _Branches:
    """17 x 17: "InceptionC"."""
    return _Branches(
        {
            "branch1x1": (_Convolution(channels, 192, 1),),
            "branch7x7": (_Convolution(channels, narrow, 1), _across(narrow, narrow), _down(narrow, 192)),
            "branch7x7dbl": (
                _Convolution(channels, narrow, 1),
                _down(narrow, narrow),
                _across(narrow, narrow),
                _down(narrow, narrow),
                _across(narrow, 192),
            ),
        },
        _average,
        _Convolution(channels, 192, 1),
    )


def _halving_middle(channels: int) -> _Branches:
    """17 x 17 to 8 x 8: "InceptionD"."""
    return _Branches(
        {
            "branch3x3": (_Convolution(channels, 192, 1), _Convolution(192, 320, 3, stride=2)),
            "branch7x7x3": (
                _Convolution(channels, 192, 1),
                _across(192, 192),
                _down(192, 192),
                _Convolution(192, 192, 3, stride=2),
            ),
        },
        lambda x: F.max_pool2d(x, 3, 2),
    )


def _across(in_channels: int, out_channels: int) -> _Convolution:
    return _Convolution(in_channels, out_channels, (1, 7), padding=(0, 3))


def _down(in_channels: int, out_channels: int) -> _Convolution:
    return _Convolution(in_channels, out_channels, (7, 1), padding=(3, 0))


class _Coarse(nn.Module):
    """8 x 8: "InceptionE", whose 3 x 3 branches end in a row and a column side by side."""

    def __init__(self, channels: int, pool: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.branch1x1 = _Convolution(channels, 320, 1)
        self.branch3x3_1 = _Convolution(channels, 384, 1)
        self.branch3x3_2a = _Convolution(384, 384, (1, 3), padding=(0, 1))
        self.branch3x3_2b = _Convolution(384, 384, (3, 1), padding=(1, 0))
        self.branch3x3dbl_1 = _Convolution(channels, 448, 1)
        self.branch3x3dbl_2 = _Convolution(448, 384, 3, padding=1)
        self.branch3x3dbl_3a = _Convolution(384, 384, (1, 3), padding=(0, 1))
        self.branch3x3dbl_3b = _Convolution(384, 384, (3, 1), padding=(1, 0))
        self.pool = pool
        self.branch_pool = _Convolution(channels, 192, 1)

    def forward(self, x: Tensor) -> Tensor:
        single = self.branch3x3_1(x)
        double = self.branch3x3dbl_2(self.branch3x3dbl_1(x))
        outputs = [
            self.branch1x1(x),
            *(self.branch3x3_2a(single), self.branch3x3_2b(single)),
            *(self.branch3x3dbl_3a(double), self.branch3x3dbl_3b(double)),
            self.branch_pool(self.pool(x)),
        ]
        return torch.cat(outputs, dim=1)
