"""Attention whose map can be shown and supervised, and attention whose map is never held."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

MOST_PAIRS = 1 << 24
"""Pairs of query and key whose scores may be in memory at once."""


class Attended(NamedTuple):
    """context: ``(B, Q, D)``.  weights: ``(B, Q, K)``, rows sum to 1.  scores: ``(B, Q, K)``, before the softmax."""

    context: Tensor
    weights: Tensor
    scores: Tensor


def scaled_dot_attention(query: Tensor, key: Tensor, value: Tensor) -> Attended:
    """``softmax_j(q_i . k_j / sqrt(d)) v_j`` (Vaswani et al. 2017; Lee et al. 2020, equations 2 and 3).

    query: ``(B, Q, d)``.  key: ``(B, K, d)``.  value: ``(B, K, D)``.
    """
    scores = query @ key.mT / math.sqrt(query.shape[-1])
    weights = torch.softmax(scores, dim=-1)
    return Attended(weights @ value, weights, scores)


def blockwise_attention(
    query: Tensor, key: Tensor, value: Tensor, scale: float, most_pairs: int = MOST_PAIRS
) -> Tensor:
    """``softmax_j(scale q_i . k_j) v_j`` in memory that grows with Q + K and not with Q K: ``(B, Q, D)``.

    query: ``(B, Q, d)``.  key: ``(B, K, d)``.  value: ``(B, K, D)``.
    Where PyTorch has no fused kernel (float64 on a GPU) at most `most_pairs` scores exist at a time.
    """
    # The fused kernels want equal widths and channels side by side; else PyTorch silently holds the whole map.
    width = max(query.shape[-1], value.shape[-1])
    width += -width % 16
    query, key, padded = (
        F.pad(each, (0, width - each.shape[-1])).contiguous()[:, None] for each in (query, key, value)
    )
    if torch.compiler.is_exporting():  # graphs hold for any size, so that the number of blocks cannot depend on it
        return F.scaled_dot_product_attention(query, key, padded, scale=scale)[:, 0, :, : value.shape[-1]]
    rows = max(1, most_pairs // (len(key) * key.shape[2]))
    blocks = [F.scaled_dot_product_attention(q, key, padded, scale=scale) for q in query.split(rows, dim=2)]
    return torch.cat(blocks, dim=2)[:, 0, :, : value.shape[-1]]
