"""The objective of CSFT (Cui et al. 2022, section 3.4), term by term."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from irodori.data.sample import Sample
from irodori.losses.adversarial import log_discriminator, log_generator
from irodori.losses.contextual import contextual
from irodori.losses.perceptual import perceptual, style
from irodori.losses.reconstruction import masked_l1
from irodori.nn.features import Features
from irodori.systems.csft.config import FEATURE_LAYERS, CSFTConfig, LossWeights
from irodori.systems.csft.discriminators import ColorDiscriminator, StructureDiscriminator

Terms = dict[str, Tensor]

LAYER_WEIGHTS = (1.0, 2.0, 4.0, 8.0)
"""omega of equation 12, shallow to deep, as in Zhang et al. 2020: deep layers say what belongs together."""


class Painting(NamedTuple):
    """What the generator made of a batch.

    image: ``(B, 3, H, W)``.  coarse: ``(B, 3, h, w)``, equation 4.
    sketch, reference: ``(B, h * w, C)`` domain vectors of x_s and y_e.
    """

    image: Tensor
    coarse: Tensor
    sketch: Tensor
    reference: Tensor


class Counterparts(NamedTuple):
    """Domain vectors of what belongs to the pictures of a batch: of x_e to x_s, and of y_s to y_e."""

    color: Tensor
    drawn: Tensor


@dataclass(frozen=True)
class Judges:
    """The discriminators that are used."""

    structure: StructureDiscriminator | None
    color: ColorDiscriminator | None


def generator_terms(
    config: CSFTConfig,
    batch: Sample,
    painting: Painting,
    counterparts: Counterparts | None,
    judges: Judges,
    features: Features | None,
) -> Terms:
    """All terms that move the alignment network and the generator, weighted."""
    weights = config.weights
    terms = {"reconstruction": weights.pseudo * masked_l1(painting.image, batch.color, batch.valid)}  # equation 13
    if weights.coarse:
        terms["coarse"] = weights.coarse * coarse_loss(painting.coarse, batch)
    if counterparts is not None:
        terms["align"] = weights.align * alignment_loss(painting, counterparts, has_reference(batch))
    if features is not None:
        terms |= feature_terms(config, batch, painting.image, features)
    return terms | adversarial_terms(weights, batch, painting.image, judges)


def has_reference(batch: Sample) -> Tensor:
    """``(B,)`` bool."""
    return (batch.reference != 0).flatten(1).any(1)


def coarse_loss(coarse: Tensor, batch: Sample) -> Tensor:
    """L1 of the coarse image against the truth in its cells, where all of a cell is known."""
    size = (coarse.shape[-2], coarse.shape[-1])
    color, valid = F.adaptive_avg_pool2d(batch.color, size), F.adaptive_avg_pool2d(batch.valid, size)
    shown = has_reference(batch)[:, None, None, None]
    return masked_l1(coarse, color, ((valid > 0.99) & shown).to(coarse))


def alignment_loss(painting: Painting, counterparts: Counterparts, shown: Tensor) -> Tensor:
    """Equation 14, on the vectors that equation 3 compares: raw features could agree by vanishing.

    shown: ``(B,)``, which pictures have a reference; without one there is nothing to draw.
    """
    ours = (painting.sketch - counterparts.color).abs().mean()
    theirs = (painting.reference - counterparts.drawn).abs().mean((1, 2))
    return ours + (theirs * shown).sum() / shown.sum().clamp(min=1)


def feature_terms(config: CSFTConfig, batch: Sample, image: Tensor, features: Features) -> Terms:
    """Equations 10 to 12: content of the truth, style and context of the reference.

    Where there is no reference, the truth takes its place: a picture is its own best exemplar.
    """
    exemplar = torch.where(has_reference(batch)[:, None, None, None], batch.reference, batch.color)
    weights, layers = config.weights, FEATURE_LAYERS[config.features]
    with torch.no_grad():
        content, wanted = features.at(batch.color, layers[-1:]), features.at(exemplar, layers)
    shown = features.at(image, layers)
    terms = {}
    if weights.perceptual:
        terms["perceptual"] = weights.perceptual * perceptual(shown[-1:], content)
    if weights.style:
        terms["style"] = weights.style * style(shown[-1:], wanted[-1:])
    if weights.contextual:
        terms["contextual"] = weights.contextual * context_loss(shown, wanted, config.context_side)
    return terms


def context_loss(shown: Sequence[Tensor], wanted: Sequence[Tensor], largest_side: int) -> Tensor:
    """Equation 12 over its layers."""
    losses = [contextual(*maps, largest_side=largest_side).mean() for maps in zip(shown, wanted, strict=True)]
    return torch.stack([weight * loss for weight, loss in zip(LAYER_WEIGHTS, losses, strict=True)]).sum()


def adversarial_terms(weights: LossWeights, batch: Sample, image: Tensor, judges: Judges) -> Terms:
    """The generator's side of equation 15."""
    terms = {}
    if judges.structure is not None:
        terms["structure"] = weights.adversarial * _mean(log_generator, judges.structure(image, batch.sketch))
    if judges.color is not None:
        terms["color"] = weights.adversarial * _mean(log_generator, judges.color(image, batch.reference))
    return terms


def discriminator_terms(batch: Sample, image: Tensor, judges: Judges) -> Terms:
    """The discriminators' side of equation 15; `image` carries no gradient.

    Real to D_s: the truth's lines with the sketch.  The paper prints the reference's lines, which are the same in its
    pairs of a picture with itself, and belong to another drawing in all others.
    Real to D_r: a picture of the reference's color cluster with the reference.
    """
    terms = {}
    if judges.structure is not None:
        real, fake = (judges.structure(each, batch.sketch) for each in (batch.color, image))
        terms["structure_discriminator"] = _mean(log_discriminator, real, fake)
    if judges.color is not None:
        assert batch.similar is not None
        real, fake = (judges.color(each, batch.reference) for each in (batch.similar, image))
        terms["color_discriminator"] = _mean(log_discriminator, real, fake)
    return terms


def _mean(loss: Callable[..., Tensor], *scores: Sequence[Tensor]) -> Tensor:
    """A loss averaged over the scales of a discriminator."""
    return torch.stack([loss(*scale) for scale in zip(*scores, strict=True)]).mean()
