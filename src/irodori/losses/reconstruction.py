"""Pixel losses."""

from __future__ import annotations

from torch import Tensor


def masked_l1(image: Tensor, color: Tensor, valid: Tensor) -> Tensor:
    """Mean absolute difference over the pixels that are valid.

    image, color: ``(B, C, H, W)``.  valid: ``(B, 1, H, W)`` in [0, 1].
    """
    total = ((image - color).abs() * valid).sum()
    return total / (valid.sum() * image.shape[1]).clamp(min=1)


def keep_valid(image: Tensor, color: Tensor, valid: Tensor) -> Tensor:
    """The image with its invalid pixels replaced by the truth, so that whole-image losses ignore them."""
    return image * valid + color * (1 - valid)
