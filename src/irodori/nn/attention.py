"""Attention whose map can be shown and supervised."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor


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
