"""Least-squares GAN objectives (Mao et al. 2017)."""

from __future__ import annotations

from torch import Tensor


def lsgan_discriminator(real_scores: Tensor, fake_scores: Tensor) -> Tensor:
    """``((D(real) - 1)^2 + D(fake)^2) / 2``, mean over patches; 0 when every patch is told apart."""
    return ((real_scores - 1).square().mean() + fake_scores.square().mean()) / 2


def lsgan_generator(fake_scores: Tensor) -> Tensor:
    """``(D(fake) - 1)^2``, mean over patches; 0 when every patch passes for real."""
    return (fake_scores - 1).square().mean()
