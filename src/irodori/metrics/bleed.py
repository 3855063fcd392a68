"""Did colors stay within their parts?"""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from irodori.color import delta_e_lab, rgb_to_lab
from irodori.metrics.checks import check_pair, check_parts

DISTINCT_DELTA_E = 10.0
"""Parts whose true colors are nearer to each other do not count: nobody could say which of the two a pixel shows."""


def bleed(image: Tensor, truth: Tensor, parts: Tensor, reach_px: float = 6) -> float | None:
    """Share of pixels near a border between parts whose color is nearer to the neighbor's than to their own, 0…1.

    A pixel counts when another part lies within `reach_px`, across drawn lines too (no part); its neighbor is the
    nearest such part.  The true color of a part is its median in `truth`; nearness is ΔE2000.  None when no two parts
    of different colors come so near to each other.

    image, truth: ``(3, H, W)`` in [-1, 1].  parts: ``(H, W)`` part numbers, negative = none.
    """
    check_pair(image, truth)
    check_parts(parts, image)
    numbers = parts.cpu().numpy()
    neighbors = torch.from_numpy(_nearest_other(numbers, reach_px)).to(parts.device)
    at_border = neighbors >= 0
    lab, own, other = (
        values.mT[:, :, None]  # (pixels, 3, 1)
        for values in (
            rgb_to_lab(image[None])[0][:, at_border],
            *_true_colors(truth, parts, parts[at_border], neighbors[at_border]),
        )
    )
    counted = delta_e_lab(own, other) >= DISTINCT_DELTA_E
    if not counted.any():
        return None
    strayed = delta_e_lab(lab, other) < delta_e_lab(lab, own)
    return strayed[counted].float().mean().item()


def _nearest_other(parts: NDArray[np.integer], reach_px: float) -> NDArray[np.int64]:
    """The part nearest to each pixel that is not its own, -1 where none is within reach or the pixel has no part."""
    nearest = np.full(parts.shape, -1, np.int64)
    distance = np.full(parts.shape, np.nextafter(np.float32(reach_px), np.float32(np.inf)), np.float32)
    for number in np.unique(parts[parts >= 0]):
        to_part = cv2.distanceTransform((parts != number).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        closer = (to_part < distance) & (parts != number) & (parts >= 0)
        nearest[closer], distance[closer] = number, to_part[closer]
    return nearest


def _true_colors(truth: Tensor, parts: Tensor, *wanted: Tensor) -> list[Tensor]:
    """Median L*a*b* of the parts with the `wanted` numbers, each ``(3, N)``."""
    lab = rgb_to_lab(truth[None])[0]
    colors = lab.new_zeros(3, int(parts.max()) + 1)
    for number in parts.unique().tolist():
        if number >= 0:
            colors[:, number] = lab[:, parts == number].median(dim=1).values
    return [colors[:, numbers.long()] for numbers in wanted]
