"""The recolor track: sketch of A, reference B, exact truth "A in B's colors"; references centered and moved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from irodori.data.compose import compose
from irodori.data.dataset import DataOptions, PairDataset
from irodori.data.index import PART_NAMES, Index, Split
from irodori.data.palette import own_palette, random_palette
from irodori.data.sample import Sample
from irodori.data.warp import WarpOptions, random_warp
from irodori.errors import DataError
from irodori.metrics.parts import PartScore, part_scores
from irodori.systems.base import Inputs, Noise, System

MISMATCHES: dict[str, tuple[str, WarpOptions]] = {
    "same style, centered": ("same", WarpOptions(tps=0.0)),
    "same style, moved": ("same", WarpOptions(tps=0.0, move=0.25, scale=(0.55, 1.25), mirror=0.5)),
    "other style, centered": ("other", WarpOptions(tps=0.0)),
    "other style, moved": ("other", WarpOptions(tps=0.0, move=0.25, scale=(0.55, 1.25), mirror=0.5)),
}
"""Name of a condition: style of the reference against the sketch's, and how the reference is moved."""

REPORTED_PARTS = ("background", "skin", "hair", "clothes", "eyes", "lips")


@dataclass(frozen=True, kw_only=True)
class RecolorOptions:
    """count: pairs for each condition.  image_size: side at which systems are asked, pixels.  seed: of the pairing."""

    count: int = 200
    image_size: int = 128
    split: Split = "test"
    seed: int = 0


def recolor_pairs(index: Index, options: RecolorOptions, style: str, warp: WarpOptions) -> list[Sample]:
    """Fixed pairs of held-out figures; pair `i` depends on seed and `i` alone, and the same for every system."""
    data = replace(DataOptions(), sketches=("ink",), vary_lines=False, no_reference=0.0)
    pairs = PairDataset(index, options.split, data, options.image_size, options.seed, options.count)
    if not pairs.styles:
        raise DataError(f"{index.root}: no vector art with named parts in the split '{options.split}'")
    return [_pair(pairs, i, options, style, warp) for i in range(options.count)]


def _pair(pairs: PairDataset, number: int, options: RecolorOptions, style: str, warp: WarpOptions) -> Sample:
    generator = np.random.default_rng((options.seed, number))
    figures = [item for items in pairs.styles.values() for item in items]
    item = figures[generator.integers(len(figures))]
    others = [other for other in figures if (other.source == item.source) == (style == "same")]
    others = [other for other in others if other.identity != item.identity]
    if not others:
        raise DataError(f"{pairs.root}: needs several figures of several styles in the split '{options.split}'")
    other = others[generator.integers(len(others))]
    palette = (own_palette if generator.random() < 0.5 else lambda parts: random_palette(parts, generator))(other.parts)
    moved = random_warp(options.image_size, warp, generator)
    return compose(pairs.recolor_draft(pairs.drawings[item], pairs.drawings[other], palette, moved, generator))


@torch.no_grad()
def score_system(system: System, samples: Sequence[Sample], progress: bool = False) -> list[list[PartScore]]:
    """The parts of every coloring, scored against the exact truth."""
    scores = []
    device = next(system.parameters()).device
    for number, sample in enumerate(tqdm(samples, unit="image", disable=not progress)):
        inputs = Inputs(sample.sketch.to(device), (sample.reference.to(device),))
        image = system.colorize(inputs, Noise((number,))).image.cpu()
        scores.append(part_scores(image[0], sample.color[0], sample.parts[0], sample.valid[0, 0]))
    return scores


def summarize(scores: Sequence[Sequence[PartScore]], seed: int = 0, resamples: int = 1000) -> dict[str, Any]:
    """Part accuracy and mean ΔE2000 over all parts, with 95 % bootstrap intervals over images, and by part name."""
    generator = np.random.default_rng(seed)
    accuracy = [[float(part.is_accurate) for part in image] for image in scores if image]
    difference = [[part.mean_delta_e for part in image] for image in scores if image]
    by_name = {}
    for name in REPORTED_PARTS:
        found = [part for image in scores for part in image if PART_NAMES[part.part] == name]
        if found:
            by_name[name] = {
                "accuracy": float(np.mean([part.is_accurate for part in found])),
                "delta_e": float(np.mean([part.mean_delta_e for part in found])),
                "count": len(found),
            }
    return {
        "images": len(accuracy),
        "part_accuracy": _with_interval(accuracy, generator, resamples),
        "delta_e": _with_interval(difference, generator, resamples),
        "parts": by_name,
    }


def compare(
    scores: Sequence[Sequence[PartScore]], others: Sequence[Sequence[PartScore]], seed: int = 0, resamples: int = 1000
) -> dict[str, dict[str, float]]:
    """Paired difference ``scores - others`` on the same images, with 95 % bootstrap intervals over images.

    Two systems are called different only when the interval excludes zero.
    """
    generator = np.random.default_rng(seed)
    pairs = [list(zip(mine, theirs, strict=True)) for mine, theirs in zip(scores, others, strict=True) if mine]
    accuracy = [[float(a.is_accurate) - float(b.is_accurate) for a, b in image] for image in pairs]
    difference = [[a.mean_delta_e - b.mean_delta_e for a, b in image] for image in pairs]
    return {
        "part_accuracy": _with_interval(accuracy, generator, resamples),
        "delta_e": _with_interval(difference, generator, resamples),
    }


def _with_interval(
    groups: Sequence[Sequence[float]], generator: np.random.Generator, resamples: int
) -> dict[str, float]:
    """Mean over all values, and the interval when whole groups (images) are drawn again."""
    sums = np.array([sum(group) for group in groups])
    sizes = np.array([len(group) for group in groups])
    drawn = generator.integers(len(groups), size=(resamples, len(groups)))
    means = sums[drawn].sum(1) / sizes[drawn].sum(1)
    low, high = np.percentile(means, [2.5, 97.5])
    return {"mean": float(sums.sum() / sizes.sum()), "low": float(low), "high": float(high)}
