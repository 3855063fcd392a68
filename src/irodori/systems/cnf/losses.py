"""The objective of CNF (Pi 2023, section 3.4)."""

from __future__ import annotations

import torch
from torch import Tensor

from irodori.data.sample import Sample
from irodori.losses.perceptual import squared_perceptual
from irodori.losses.reconstruction import keep_valid, masked_l1
from irodori.nn.features import Features
from irodori.systems.cnf.config import LossWeights

Terms = dict[str, Tensor]


def flow_terms(weights: LossWeights, batch: Sample, image: Tensor, features: Features | None) -> Terms:
    """Equations 3.22 and 3.23, weighted; what is not known of the truth counts in neither."""
    terms = {"reconstruction": weights.reconstruction * masked_l1(image, batch.color, batch.valid)}
    if features is not None:
        with torch.no_grad():
            wanted = features(batch.color)
        shown = features(keep_valid(image, batch.color, batch.valid))
        terms["perceptual"] = weights.perceptual * squared_perceptual(shown, wanted)
    return terms
