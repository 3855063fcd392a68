"""Dense correspondence between two pictures in one domain (Cui et al. 2022, section 3.1.2), never held as a whole.

The correlation of two 512 x 512 pictures has 2.7e8 entries; the warp is computed block by block, rows when asked for.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def domain_vectors(features: Tensor) -> Tensor:
    """What equation 3 compares: features ``(B, C, h, w)``, each position centered over its channels and of length 1.

    Returns ``(B, h * w, C)``; the products of two such sets are the correlation M, in -1…1.
    """
    positions = features.flatten(2).mT
    return F.normalize(positions - positions.mean(-1, keepdim=True), dim=-1, eps=1e-6)


def correlation_rows(sketch: Tensor, reference: Tensor, alpha: float, queries: Tensor) -> Tensor:
    """Rows of softmax_j(alpha M(i, j)) for some positions ``(n,)`` of the sketch: ``(B, n, K)``."""
    return (alpha * sketch[:, queries] @ reference.mT).softmax(-1)


def warp(sketch: Tensor, reference: Tensor, values: Tensor, alpha: float) -> Tensor:
    """Equation 4: each position of the sketch gets the mean of the reference's values, weighted by softmax(alpha M).

    The paper prints the softmax around the product; it is taken over alpha M, then multiplied.

    sketch: ``(B, Q, C)`` and reference: ``(B, K, C)`` domain vectors.  values: ``(B, K, D)``.  Returns ``(B, Q, D)``.
    """
    width = max(sketch.shape[-1], values.shape[-1])
    width += -width % 16  # equal widths: the fused attention, which works in blocks, needs them
    padded = [F.pad(each.float(), (0, width - each.shape[-1]))[:, None] for each in (sketch, reference, values)]
    with torch.autocast(sketch.device.type, enabled=False):  # alpha makes rounding to 8 bits a matter of color
        warped = F.scaled_dot_product_attention(padded[0], padded[1], padded[2], scale=alpha)
    return warped[:, 0, :, : values.shape[-1]]
