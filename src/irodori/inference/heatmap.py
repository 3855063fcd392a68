"""Which regions of a reference the thresholds of a text edit separate (Yan 2025, equation 5.10), as a picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from irodori.image import Pixels
from irodori.systems.text import Thresholds

REGION_COLORS = ((40, 70, 200), (60, 170, 220), (235, 235, 235), (240, 190, 90), (200, 50, 40))
"""From what fits least to what fits best; the middle one is hardly touched by edits."""


def heatmap(reference: Pixels, fits: Tensor, thresholds: Sequence[Thresholds]) -> Pixels:
    """The reference ``(H, W, 3)``, tinted by region, once for each prompt, one beside the other.

    fits: ``(P, h, w)``, see `System.text_fit`.  thresholds: for each prompt.
    """
    size = (reference.shape[0], reference.shape[1])
    gray = reference.mean(2, keepdims=True)
    tiles = []
    for fit, ts in zip(fits, thresholds, strict=True):
        tint = np.array(REGION_COLORS, np.float64)[regions(fit, size, ts).numpy()]
        tiles.append((0.45 * gray + 0.55 * tint).round().astype(np.uint8))
    return np.concatenate(tiles, axis=1)


def regions(fit: Tensor, size: tuple[int, int], ts: Thresholds) -> Tensor:
    """``(H, W)``: how many of the four thresholds m reaches.

    fit: ``(h, w)``.  It is enlarged to `size` by cubic interpolation and then normalized, as the release shows it.
    """
    large = F.interpolate(fit[None, None].float(), size, mode="bicubic")[0, 0]
    m = (large - large.min()) / (large.max() - large.min()).clamp(min=torch.finfo(large.dtype).tiny)
    return torch.stack([m >= threshold for threshold in ts]).sum(0)
