"""How alike two pictures look to a network that was trained on photographs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from irodori.checkpoint import read_tensors
from irodori.errors import WeightsError
from irodori.metrics.checks import check_image, check_pair
from irodori.nn.features import Features

LayerWeights = Sequence[Tensor]
"""For each layer the weights of its channels, ``(C,)``."""


@torch.no_grad()
def lpips(features: Features, image: Tensor, truth: Tensor, weights: LayerWeights | None = None) -> float:
    """Perceptual distance, 0 = the same (Zhang et al. 2018, equation 1).

    Activations are normalized to unit length over their channels; the squared differences are weighted by channel,
    averaged over the picture and summed over channels and layers.  Without learned `weights` all count 1: another
    figure, see `lpips_name`.

    image, truth: ``(3, H, W)`` in [-1, 1].
    """
    check_pair(image, truth)
    pairs = list(zip(*(features(each[None]) for each in (image, truth)), strict=True))
    scales = [maps.new_ones(maps.shape[1]) for maps, _ in pairs] if weights is None else weights
    if [len(scale) for scale in scales] != [maps.shape[1] for maps, _ in pairs]:
        raise WeightsError(f"these weights of LPIPS are not for {features.name}: the layers have other channels")
    total = image.new_zeros(())
    for (ours, theirs), scale in zip(pairs, scales, strict=True):
        square = (F.normalize(ours) - F.normalize(theirs)).square().mean(dim=(0, 2, 3))
        total = total + square @ scale.to(square)
    return total.item()


def lpips_name(features: Features, weights: LayerWeights | None = None) -> str:
    """What to call the figure in a report: ``lpips[vgg16, lin]`` or ``lpips[mobilenet_v2, unweighted]``."""
    return f"lpips[{features.name}, {'unweighted' if weights is None else 'lin'}]"


def read_lpips_weights(path: Path) -> LayerWeights:
    """Learned channel weights, from safetensors in the official layout: ``lin0.model.1.weight`` (1, C, 1, 1) …."""
    tensors = read_tensors(path)
    names = [f"lin{number}.model.1.weight" for number in range(len(tensors))]
    if not tensors or sorted(tensors) != sorted(names) or any(each.ndim != 4 for each in tensors.values()):
        raise WeightsError(f"{path}: not the weights of LPIPS (lin0.model.1.weight …); convert the official file")
    return [tensors[name].float().flatten() for name in names]


@torch.no_grad()
def embedding_similarity(embed: Callable[[Tensor], Tensor], image: Tensor, other: Tensor) -> float:
    """Cosine of the angle between two pictures' embeddings, -1…1; with CLIP's embedding "CLIP similarity".

    embed: ``(B, 3, H, W)`` in [-1, 1] to ``(B, D)``.  image, other: ``(3, H, W)``, of any sizes.
    """
    check_image("image", image)
    check_image("other", other)
    return F.cosine_similarity(embed(image[None]), embed(other[None])).item()
