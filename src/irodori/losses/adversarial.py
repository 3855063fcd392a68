"""GAN objectives: least squares (Mao et al. 2017) and the original logarithms (Goodfellow et al. 2014)."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def lsgan_discriminator(real_scores: Tensor, fake_scores: Tensor) -> Tensor:
    """``((D(real) - 1)^2 + D(fake)^2) / 2``, mean over patches; 0 when every patch is told apart."""
    return ((real_scores - 1).square().mean() + fake_scores.square().mean()) / 2


def lsgan_generator(fake_scores: Tensor) -> Tensor:
    """``(D(fake) - 1)^2``, mean over patches; 0 when every patch passes for real."""
    return (fake_scores - 1).square().mean()


def log_discriminator(real_scores: Tensor, fake_scores: Tensor) -> Tensor:
    """``-log D(real) - log(1 - D(fake))``, mean over patches, D the sigmoid of the scores; 2 log 2 without a clue."""
    return F.softplus(-real_scores).mean() + F.softplus(fake_scores).mean()


def log_generator(fake_scores: Tensor) -> Tensor:
    """``-log D(fake)``, mean over patches: the form that still pushes when the discriminator is sure."""
    return F.softplus(-fake_scores).mean()
