"""Dense correspondence between two pictures in one domain (Cui et al. 2022, section 3.1.2), never held as a whole.

The correlation of two 512 x 512 pictures has 2.7e8 entries; the warp is computed block by block, rows when asked for.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from irodori.nn.attention import blockwise_attention


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
    with torch.autocast(sketch.device.type, enabled=False):  # alpha makes rounding to 8 bits a matter of color
        return blockwise_attention(sketch.float(), reference.float(), values.float(), alpha)
