"""What every figure asks of its pictures, checked once: a wrong range gives a wrong number, not a crash.

Differences of bytes wrap around at 256: errors measured so are nearly random, and every method gets about 28 dB.
"""

from __future__ import annotations

import importlib
from typing import Any

import torch
from torch import Tensor

from irodori.errors import ConfigError, InputError

_SLACK = 1e-3  # rounding of resizing and color conversion


def check_image(name: str, image: Tensor, channels: int = 3) -> None:
    """InputError unless `image` is ``(channels, H, W)``, floating-point, finite and within [-1, 1]."""
    if not image.is_floating_point():
        kind = str(image.dtype).removeprefix("torch.")
        raise InputError(f"{name}: expected floats in [-1, 1], got {kind}; convert with irodori.image.from_uint8")
    if image.ndim != 3 or image.shape[0] != channels or image.numel() == 0:
        raise InputError(f"{name}: expected the shape ({channels}, height, width), got {tuple(image.shape)}")
    low, high = image.aminmax()
    if not (low >= -1 - _SLACK and high <= 1 + _SLACK):  # false for NaN too
        raise InputError(
            f"{name}: expected values in [-1, 1], got {low.item():g} to {high.item():g}; divide 0…255 by 127.5, less 1"
        )


def check_pair(image: Tensor, truth: Tensor) -> None:
    """InputError unless both are pictures of the same size."""
    check_image("image", image)
    check_image("truth", truth)
    check_size("truth", truth, image)


def check_size(name: str, other: Tensor, image: Tensor) -> None:
    """InputError unless `other` has height and width of `image`."""
    if other.shape[-2:] != image.shape[-2:]:
        sizes = " and ".join("x".join(map(str, each.shape[-2:])) for each in (image, other))
        raise InputError(f"image and {name} must have the same height and width, got {sizes}")


def check_weights(where: Tensor, image: Tensor) -> None:
    """InputError unless `where` is ``(H, W)`` in 0…1 with something in it."""
    check_size("where", where, image)
    if where.ndim != 2 or where.dtype == torch.uint8 or where.min() < 0 or where.max() > 1:
        raise InputError("where: expected a mask (height, width) with weights in 0…1")
    if not where.any():
        raise InputError("where: the mask is empty, so there is nothing to measure")


def check_parts(parts: Tensor, image: Tensor) -> None:
    """InputError unless `parts` is an integer map ``(H, W)``; unsigned bytes cannot say "none" (negative)."""
    check_size("parts", parts, image)
    if parts.ndim != 2 or parts.is_floating_point() or parts.dtype in (torch.uint8, torch.bool):
        raise InputError("parts: expected signed integers (height, width), negative where there is no part")


def optional(module: str) -> Any:
    """A module of the extra "benchmark"; ConfigError that names the extra when it is not installed."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise ConfigError(f"this figure needs {package}: pip install 'irodori[benchmark]'") from error
