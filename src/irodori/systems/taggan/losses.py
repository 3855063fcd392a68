"""The objectives of TagGAN: the tagger's, step 1 and step 2, term by term."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from irodori.data.sample import Sample
from irodori.data.tags import Places, TagTargets
from irodori.losses.adversarial import log_discriminator, log_generator
from irodori.losses.reconstruction import keep_valid, masked_l1
from irodori.losses.smoothness import total_variation
from irodori.systems.taggan.config import LossWeights, TagGANConfig
from irodori.systems.taggan.networks import Critic

Terms = dict[str, Tensor]


def tagger_terms(weights: LossWeights, focus: float, logits: Tensor, targets: TagTargets, rarity: Tensor) -> Terms:
    """Thesis, equations 4.1 and 4.2; sums over the tags, means over the images that tell of any.

    logits: ``(B, T)``.  rarity: alpha, ``(T,)``.
    """
    images = targets.known.amax(1).sum().clamp(min=1)
    terms = {}
    for name, weight, cost in (
        ("entropy", weights.entropy, tag_entropy(logits, targets.values)),
        ("focal", weights.focal, tag_focal(logits, targets.values, rarity, focus)),
    ):
        if weight:
            terms[name] = weight * (cost * targets.known).sum() / images
    return terms


def places_loss(logits: Tensor, wanted: Places) -> Tensor:
    """Cross-entropies of part and of color at positions, mean over the area whose part is known.

    logits: ``(B, parts + 1 + colors, h, w)`` (`Reading.places`).
    """
    count = wanted.parts.shape[1]
    costs = [
        -(shares * scores.log_softmax(1)).sum()
        for shares, scores in ((wanted.parts, logits[:, :count]), (wanted.colors, logits[:, count:]))
    ]
    return (costs[0] + costs[1]) / wanted.parts.sum().clamp(min=1)


def tag_entropy(logits: Tensor, values: Tensor) -> Tensor:
    """Equation 4.1 for each tag, ``(B, T)``: ``-y log p - (1 - y) log(1 - p)``, p the sigmoid of the logit."""
    return F.binary_cross_entropy_with_logits(logits, values, reduction="none")


def tag_focal(logits: Tensor, values: Tensor, alpha: Tensor, gamma: float) -> Tensor:
    """Equation 4.2 for each tag, ``(B, T)``: ``-a (1 - p)^g y log p - (1 - a) p^g (1 - y) log(1 - p)``."""
    probability = torch.sigmoid(logits)
    positive = alpha * (1 - probability) ** gamma * values * F.logsigmoid(logits)
    negative = (1 - alpha) * probability**gamma * (1 - values) * F.logsigmoid(-logits)
    return -(positive + negative)


def generator_terms(config: TagGANConfig, batch: Sample, image: Tensor, critic: Critic | None) -> Terms:
    """Step 1, equation 1: all terms that move the generator, weighted."""
    weights = config.weights
    terms = {"reconstruction": weights.reconstruction * masked_l1(image, batch.color, batch.valid)}
    if critic is not None:
        scores = critic(batch.sketch, keep_valid(image, batch.color, batch.valid))
        terms["adversarial"] = weights.adversarial * log_generator(scores)
    if weights.variation and min(image.shape[-2:]) >= config.variation_from:
        terms["variation"] = weights.variation * total_variation(image)
    return terms


def critic_terms(batch: Sample, image: Tensor, critic: Critic) -> Terms:
    """Equation 2 for the critic; `image` carries no gradient."""
    real = critic(batch.sketch, batch.color)
    fake = critic(batch.sketch, keep_valid(image, batch.color, batch.valid))
    return {"discriminator": log_discriminator(real, fake)}


def hybrid_terms(weights: LossWeights, images: tuple[Tensor, Tensor], received: tuple[Tensor, Tensor]) -> Terms:
    """Equation 12, pixels and features: of the target and of the edited anchor."""
    terms = {}
    if weights.pixel:
        terms["pixel"] = weights.pixel * (images[0] - images[1]).abs().mean()
    if weights.feature:
        terms["feature"] = weights.feature * (received[0] - received[1]).abs().mean()
    return terms


def inversion_loss(target: Tensor, anchor: Tensor, change: Tensor) -> Tensor:
    """Equation 13: target, anchor: average features ``(B, C)``.  change: the mapped difference of their tags."""
    return ((target - anchor) - change).abs().mean()
