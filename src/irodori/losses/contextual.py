"""The contextual loss (Mechrez et al. 2018), in the form of Zhang et al. 2020 that CSFT takes over."""

from __future__ import annotations

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.checkpoint import checkpoint


def contextual(
    image: Tensor, reference: Tensor, bandwidth: float = 0.1, largest_side: int = 64, block: int = 1024
) -> Tensor:
    """``-log(1/n sum_i max_j A(i, j))`` of each pair of feature maps: ``(B,)``, 0 when each position has one twin.

    image, reference: ``(B, C, H, W)`` activations of a feature network, of any two sizes.
    largest_side: maps are averaged down to at most so many positions a side, as all are compared with all.
    block: positions of the image that are compared at a time; what is not kept is computed again for the gradient, so
    that memory grows with the positions and not with their square.
    """
    ours, theirs = (_positions(features, largest_side) for features in (image, reference))
    center = theirs.mean(1, keepdim=True)
    ours, theirs = (F.normalize(positions - center, dim=-1) for positions in (ours, theirs))
    closest = partial(_closest, theirs=theirs, bandwidth=bandwidth)
    if ours.shape[1] <= block:
        return -closest(ours).mean(1).log()
    found = [checkpoint(closest, rows, use_reentrant=False) for rows in ours.split(block, dim=1)]
    return -torch.cat(found, dim=1).mean(1).log()


def _positions(features: Tensor, largest_side: int) -> Tensor:
    """``(B, C, H, W)`` to ``(B, n, C)``."""
    factor = -(-max(features.shape[-2:]) // largest_side)
    return F.avg_pool2d(features, factor).flatten(2).mT if factor > 1 else features.flatten(2).mT


def _closest(ours: Tensor, theirs: Tensor, bandwidth: float) -> Tensor:
    """``max_j A(i, j)``, ``(B, n)``: affinities of cosine distances, each relative to the smallest of its row.

    In a row, affinities are the softmax of ``-distance / (bandwidth * smallest distance)``: so the largest is the
    inverse of a sum of exponentials, and only the products are held.
    """
    products = ours @ theirs.mT
    nearest = products.amax(-1, keepdim=True)
    sharpness = 1 / (bandwidth * ((1 - nearest).clamp(min=0) + 1e-3))
    return 1 / ((products - nearest) * sharpness).exp().sum(-1)
