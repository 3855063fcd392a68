"""Losses that ask for smooth pictures."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

_TINY = 1e-12  # keeps the slope of the root finite where nothing changes


def total_variation(image: Tensor, exponent: float = 1.0) -> Tensor:
    """``sum over pixels of (|right - here|^2 + |below - here|^2)^(exponent / 2)``, mean over the images.

    Mahendran and Vedaldi 2015; Yan et al. 2023, equation 4.  image: ``(B, C, H, W)``; norms are over the channels, and
    at the border there is no further pixel to differ from.
    """
    across = F.pad(image[..., 1:] - image[..., :-1], (0, 1))
    down = F.pad(image[..., 1:, :] - image[..., :-1, :], (0, 0, 0, 1))
    square = (across.square() + down.square()).sum(1)
    return ((square + _TINY) ** (exponent / 2) - _TINY ** (exponent / 2)).sum((1, 2)).mean()
