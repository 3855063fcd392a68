"""Does a place have the color of the reference's corresponding place?"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from irodori.metrics.checks import check_image
from irodori.metrics.images import decibels

Points = Sequence[tuple[float, float, float, float]]
"""``(x, y, reference x, reference y)`` in pixels."""


def sc_psnr(image: Tensor, reference: Tensor, points: Points, radius_px: int = 4) -> float | None:
    """SC-PSNR, the PSNR over patches around corresponding points of a coloring and its reference, in dB.

    Lee et al. 2020, section 4.2: the mean squared error over all pixels of all patches, then the PSNR of it.  How large
    "a certain size of patch" is, is not told there: ours are squares of 9 px around the nearest pixel.  A point whose
    patch leaves one of the pictures is left out; None when none remains.

    image, reference: ``(3, H, W)`` in [-1, 1], of any sizes; a pixel is compared with a pixel.
    """
    check_image("image", image)
    check_image("reference", reference)
    errors = []
    for x, y, reference_x, reference_y in points:
        ours, theirs = _patch(image, x, y, radius_px), _patch(reference, reference_x, reference_y, radius_px)
        if ours is not None and theirs is not None:
            errors.append((ours - theirs).square().mean())
    return decibels(torch.stack(errors).mean().item()) if errors else None


def _patch(image: Tensor, x: float, y: float, radius: int) -> Tensor | None:
    """The square around a point, ``(3, 2 radius + 1, 2 radius + 1)``; None when it leaves the picture."""
    height, width = image.shape[-2:]
    left, top = round(x) - radius, round(y) - radius
    side = 2 * radius + 1
    if left < 0 or top < 0 or left + side > width or top + side > height:
        return None
    return image[:, top : top + side, left : left + side]
