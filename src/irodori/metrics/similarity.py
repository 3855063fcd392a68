"""Style relevance and content relevance (Pi 2023, section 4.2; from CoCosNet, Zhang et al. 2020).

Both are cosine similarities of a network's activations: CR of a coloring with its truth in low layers, SR with its
reference in high layers.  The text leaves three things open; decided here:

* Layers.  The text takes layers 4, 9 and 14, 23, 32 of "VGG16", which has 31.  Counted from 1 these are relu1_2,
  relu2_2 and relu3_2, relu4_2, relu5_2 of VGG19, the very layers of CoCosNet.  Layers of these names are taken, of
  VGG16 as the text says; other networks give their first two and their last three layers, and are named in the figure.
* Equations 4.4 and 4.6 print a sum over the layers, but the tables stay below 1: the mean is taken.
* A cosine needs activations of the same size: the reference is stretched to the size of the coloring.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from irodori.metrics.checks import check_image, check_pair
from irodori.nn.features import Features

_NAMED: Mapping[str, tuple[str, ...]] = {"vgg16": ("relu1_2", "relu2_2", "relu3_2", "relu4_2", "relu5_2")}
_LOW = 2  # layers of the content, the others are of the style


def content_relevance(features: Features, image: Tensor, truth: Tensor) -> float:
    """CR: mean cosine similarity with the true picture in low layers, -1…1, higher is better (equation 4.4).

    image, truth: ``(3, H, W)`` in [-1, 1].
    """
    check_pair(image, truth)
    return _cosine(features, image, truth, _layers(features)[:_LOW])


def style_relevance(features: Features, image: Tensor, reference: Tensor) -> float:
    """SR: mean cosine similarity with the reference in high layers, -1…1, higher is better (equation 4.6).

    Position by position, so it rewards a copy of the reference; read it beside the reference leak.

    image: ``(3, H, W)`` in [-1, 1].  reference: ``(3, h, w)``.
    """
    check_image("image", image)
    check_image("reference", reference)
    size = image.shape[-2:]
    stretched = F.interpolate(reference[None], size, mode="bilinear", antialias=True, align_corners=False)[0]
    return _cosine(features, image, stretched, _layers(features)[_LOW:])


def _layers(features: Features) -> tuple[str, ...]:
    return _NAMED.get(features.name, features.layers)


@torch.no_grad()
def _cosine(features: Features, image: Tensor, other: Tensor, layers: Sequence[str]) -> float:
    """Equation 4.5 for whole activation maps as vectors, the mean over `layers`."""
    pairs = zip(*(features.at(each[None], layers) for each in (image, other)), strict=True)
    return torch.stack([F.cosine_similarity(a.flatten(), b.flatten(), dim=0) for a, b in pairs]).mean().item()
