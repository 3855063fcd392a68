"""The objective of SCFT (Lee et al. 2020, section 3.4), equation 10 term by term."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from irodori.data.sample import Sample
from irodori.losses.adversarial import lsgan_discriminator, lsgan_generator
from irodori.losses.correspondence import (
    active_share,
    grid_positives,
    hit_rate,
    part_negatives,
    part_positives,
    random_negatives,
    triplet,
)
from irodori.losses.perceptual import perceptual, style
from irodori.losses.reconstruction import keep_valid, masked_l1
from irodori.nn.attention import Attended
from irodori.nn.features import Features
from irodori.systems.scft.config import SCFTConfig

Terms = dict[str, Tensor]


def generator_terms(
    config: SCFTConfig,
    batch: Sample,
    image: Tensor,
    attended: Attended | None,
    discriminator: nn.Module | None,
    features: Features | None,
) -> Terms:
    """All terms that move the generator, weighted; those starting with "_" are only logged."""
    weights = config.weights
    terms = {"reconstruction": weights.reconstruction * masked_l1(image, batch.color, batch.valid)}
    whole = keep_valid(image, batch.color, batch.valid)
    if discriminator is not None:
        scores = discriminator(torch.cat([whole, batch.sketch], 1))
        terms["adversarial"] = weights.adversarial * lsgan_generator(scores)
    if features is not None:
        with torch.no_grad():
            wanted = features(batch.color)
        shown = features(whole)
        terms["perceptual"] = weights.perceptual * perceptual(shown, wanted)
        terms["style"] = weights.style * style(shown, wanted)
    if attended is not None:
        terms |= triplet_terms(config, batch, attended)
    return terms


def discriminator_terms(batch: Sample, image: Tensor, discriminator: nn.Module) -> Terms:
    """Equation 7 in its least-squares form (A.3), conditioned on the sketch; `image` carries no gradient."""
    whole = keep_valid(image, batch.color, batch.valid)
    real = discriminator(torch.cat([batch.color, batch.sketch], 1))
    fake = discriminator(torch.cat([whole, batch.sketch], 1))
    return {"discriminator": lsgan_discriminator(real, fake)}


def triplet_terms(config: SCFTConfig, batch: Sample, attended: Attended) -> Terms:
    """Equation 5 on the attention's grid, and how well the attention knows the true correspondence."""
    grid = (batch.sketch.shape[-2] // config.stride, batch.sketch.shape[-1] // config.stride)
    positive = grid_positives(batch.correspondence, grid, grid)
    negative = random_negatives(positive, grid[0] * grid[1])
    if config.positives == "field+parts":
        by_part = part_positives(batch.parts, batch.reference_parts, grid, grid)
        positive = torch.where(positive >= 0, positive, by_part)
        negative = part_negatives(positive, batch.parts, batch.reference_parts, grid, grid)
    loss = triplet(attended.scores, positive, negative, config.margin)
    with torch.no_grad():
        active = active_share(attended.scores, positive, negative, config.margin)
        hits = hit_rate(attended.weights, batch.parts, batch.reference_parts, grid, grid)
    terms = {"_triplet_active": active, "_attention_hits": hits}
    return terms if config.weights.triplet == 0 else {"triplet": config.weights.triplet * loss, **terms}
