"""Figures of a picture against its exact answer, pixel by pixel and window by window.

Pictures are ``(3, H, W)`` sRGB in [-1, 1], so the range of the data is 2; it is always stated, never guessed.
"""

from __future__ import annotations

import math

from torch import Tensor

from irodori.color import delta_e
from irodori.metrics.checks import check_pair, check_weights, optional

DATA_RANGE = 2.0
MAX_DECIBELS = 100.0
"""PSNR of identical pictures, which has no finite value; a mean over many pictures stays finite."""

_FILTER = 11  # pixels, side of the Gaussian window of SSIM (Wang et al. 2004)
_SCALES = 5  # of MS-SSIM (Wang, Simoncelli, Bovik 2003)


def psnr(image: Tensor, truth: Tensor, where: Tensor | None = None) -> float:
    """Peak signal-to-noise ratio in dB over all pixels and channels; at most `MAX_DECIBELS`.

    where: ``(H, W)`` weights in 0…1 of the pixels that count.
    """
    check_pair(image, truth)
    if where is None:
        functional = optional("torchmetrics.functional.image")
        value = functional.peak_signal_noise_ratio(image, truth, data_range=DATA_RANGE).item()
        return min(value, MAX_DECIBELS)
    check_weights(where, image)
    return decibels(_mean((image - truth).square().mean(dim=0), where))


def decibels(mean_square: float) -> float:
    """The PSNR of a mean squared error of values in [-1, 1]."""
    least = DATA_RANGE**2 / 10 ** (MAX_DECIBELS / 10)
    return 10 * math.log10(DATA_RANGE**2 / max(mean_square, least))


def ssim(image: Tensor, truth: Tensor) -> float:
    """Structural similarity, -1…1, Gaussian window of 11 px (Wang et al. 2004), mean over the color channels.

    Computed on [0, 1]: the formula's means are intensities, which are not negative.  In single precision a flat area's
    variance comes out as ±1e-7 instead of 0, so identical flat pictures reach 0.9995 to 1.
    """
    check_pair(image, truth)
    functional = optional("torchmetrics.functional.image")
    return functional.structural_similarity_index_measure(*_unit(image, truth), data_range=1.0).item()


def ms_ssim(image: Tensor, truth: Tensor) -> float | None:
    """Structural similarity over five scales, 0…1 (Wang, Simoncelli, Bovik 2003); None for sides below 176 px."""
    check_pair(image, truth)
    if min(image.shape[-2:]) // 2 ** (_SCALES - 1) < _FILTER:
        return None
    functional = optional("torchmetrics.functional.image")
    pair = _unit(image, truth)
    return functional.multiscale_structural_similarity_index_measure(*pair, data_range=1.0).item()


def delta_e_mean(image: Tensor, truth: Tensor, where: Tensor | None = None) -> float:
    """Mean CIEDE2000 per pixel: 0 = same, about 1 = just visible, black against white 100.

    where: ``(H, W)`` weights in 0…1 of the pixels that count.
    """
    check_pair(image, truth)
    if where is not None:
        check_weights(where, image)
    return _mean(pixel_delta_e(image, truth), where)


def pixel_delta_e(image: Tensor, truth: Tensor) -> Tensor:
    """CIEDE2000 of each pixel, ``(H, W)``: the map of where a picture is wrong."""
    return delta_e(image[None], truth[None])[0]


def _mean(values: Tensor, where: Tensor | None) -> float:
    if where is None:
        return values.mean().item()
    return ((values * where).sum() / where.sum()).item()


def _unit(image: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    return (image[None].clamp(-1, 1) + 1) / 2, (truth[None].clamp(-1, 1) + 1) / 2
