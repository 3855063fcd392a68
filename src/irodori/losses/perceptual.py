"""Losses in the space of a frozen feature network (Johnson et al. 2016, Sajjadi et al. 2017)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def perceptual(image_features: Sequence[Tensor], color_features: Sequence[Tensor]) -> Tensor:
    """Sum over layers of the mean absolute difference of the activations (Lee et al. 2020, equation 8)."""
    pairs = zip(image_features, color_features, strict=True)
    return torch.stack([(a - b).abs().mean() for a, b in pairs]).sum()


def squared_perceptual(image_features: Sequence[Tensor], color_features: Sequence[Tensor]) -> Tensor:
    """Sum over layers of the mean squared difference of the activations (Johnson et al. 2016, equation 2)."""
    pairs = zip(image_features, color_features, strict=True)
    return torch.stack([(a - b).square().mean() for a, b in pairs]).sum()


def style(image_features: Sequence[Tensor], color_features: Sequence[Tensor]) -> Tensor:
    """Sum over layers of the mean absolute difference of the Gram matrices (Lee et al. 2020, equation 9)."""
    pairs = zip(image_features, color_features, strict=True)
    return torch.stack([(gram(a) - gram(b)).abs().mean() for a, b in pairs]).sum()


def gram(features: Tensor) -> Tensor:
    """``(B, C, H, W)`` to the Gram matrices ``(B, C, C)``, divided by ``C * H * W``."""
    _, channels, height, width = features.shape
    flat = features.flatten(2)
    return flat @ flat.mT / (channels * height * width)
