"""The recolor track: sketch of A, reference B, exact truth "A in B's colors", under growing mismatch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from irodori.benchmark.statistics import RESAMPLES, mean_interval
from irodori.data.compose import compose
from irodori.data.dataset import DataOptions, PairDataset
from irodori.data.drawing import Drawing
from irodori.data.index import PART_NAMES, Index, Item, Split
from irodori.data.palette import Color, own_palette, random_palette
from irodori.data.sample import Sample
from irodori.data.scene import side_by_side
from irodori.data.warp import Warp, WarpOptions, random_warp
from irodori.errors import DataError
from irodori.metrics.parts import PartScore, part_scores
from irodori.systems.base import Inputs, Noise, System

_STILL = WarpOptions(tps=0.0)
_ALL = WarpOptions(tps=0.0, move=0.25, scale=(0.55, 1.25), mirror=0.5)


@dataclass(frozen=True, kw_only=True)
class Mismatch:
    """How a reference differs from the sketch: another figure of the "same" or an "other" style, moved by a warp.

    figures: how many it shows; the others are of the first one's style, in the same palette, beside it.
    """

    style: str = "same"
    warp: WarpOptions = _STILL
    figures: int = 1


MISMATCHES: dict[str, Mismatch] = {
    "same style, centered": Mismatch(),
    "same style, shifted": Mismatch(warp=WarpOptions(tps=0.0, move=0.25)),
    "same style, scaled": Mismatch(warp=WarpOptions(tps=0.0, scale=(0.55, 1.25))),
    "same style, mirrored": Mismatch(warp=WarpOptions(tps=0.0, mirror=1.0)),
    "same style, rotated": Mismatch(warp=WarpOptions(tps=0.0, rotate_degrees=30)),
    "same style, moved": Mismatch(warp=_ALL),
    "same style, two figures": Mismatch(figures=2),
    "other style, centered": Mismatch(style="other"),
    "other style, moved": Mismatch(style="other", warp=_ALL),
    "other style, two figures": Mismatch(style="other", figures=2),
}
"""Conditions by name; "moved" is shifted, scaled and perhaps mirrored at once."""

REPORTED_PARTS = ("background", "skin", "hair", "clothes", "eyes", "lips")


@dataclass(frozen=True, kw_only=True)
class RecolorOptions:
    """count: pairs for each condition.  image_size: side at which systems are asked, pixels.  seed: of the pairing.

    style: the one style whose figures are sketched; empty: all styles.
    """

    count: int = 200
    image_size: int = 128
    split: Split = "test"
    seed: int = 0
    style: str = ""


@dataclass(frozen=True)
class Pair:
    """What a sketch and a reference show.

    items: the sketch's, then the reference's.  drawing: the sketch's.  source: the reference's, perhaps of several
    figures, in `palette`.  warp: moves the reference.
    """

    items: tuple[Item, ...]
    drawing: Drawing
    source: Drawing
    palette: list[Color]
    warp: Warp


def recolor_pairs(index: Index, options: RecolorOptions, mismatch: Mismatch) -> list[Sample]:
    """Fixed pairs of held-out figures; pair `i` depends on seed and `i` alone, and the same for every system."""
    data = replace(DataOptions(), sketches=("ink",), vary_lines=False, no_reference=0.0)
    pairs = PairDataset(index, options.split, data, options.image_size, options.seed, options.count)
    if not pairs.styles:
        raise DataError(f"{index.root}: no vector art with named parts in the split '{options.split}'")
    if options.style and options.style not in pairs.styles:
        raise DataError(f"{index.root}: no style '{options.style}' in the split '{options.split}'; it has "
                        f"{', '.join(pairs.styles)}")  # fmt: skip
    return [_pair(pairs, i, options, mismatch) for i in range(options.count)]


def _pair(pairs: PairDataset, number: int, options: RecolorOptions, mismatch: Mismatch) -> Sample:
    generator = np.random.default_rng((options.seed, number))
    drawn = pairs.styles[options.style] if options.style else [one for items in pairs.styles.values() for one in items]
    pair = draw_pair(pairs, drawn[generator.integers(len(drawn))], mismatch, generator)
    return compose(pairs.recolor_draft(pair.drawing, pair.source, pair.palette, pair.warp, generator))


def draw_pair(pairs: PairDataset, item: Item, mismatch: Mismatch, generator: np.random.Generator) -> Pair:
    """A reference for the figure `item`: other figures, in their own or in random colors."""
    others = partners(pairs, item, mismatch.style)
    if not others:
        raise DataError(f"{pairs.root}: needs several figures of several styles in the split '{item.split}'")
    shown = [others[generator.integers(len(others))]]
    palette_of = own_palette if generator.random() < 0.5 else lambda parts: random_palette(parts, generator)
    source = pairs.drawings[shown[0]]
    beside = [one for one in others if one.source == shown[0].source]
    for _ in range(mismatch.figures - 1):
        shown.append(beside[generator.integers(len(beside))])
        source = side_by_side(source, pairs.drawings[shown[-1]], generator)
    palette = palette_of(source.parts)
    warp = random_warp(pairs.image_size, mismatch.warp, generator)
    return Pair((item, *shown), pairs.drawings[item], source, palette, warp)


def partners(pairs: PairDataset, item: Item, style: str) -> list[Item]:
    """Other figures than `item`, of the "same" or of an "other" style."""
    figures = [one for items in pairs.styles.values() for one in items if one.identity != item.identity]
    return [one for one in figures if (one.source == item.source) == (style == "same")]


@torch.no_grad()
def score_system(system: System, samples: Sequence[Sample], progress: bool = False) -> list[list[PartScore]]:
    """The parts of every coloring, scored against the exact truth; lines are the artist's and do not count."""
    scores = []
    device = next(system.parameters()).device
    for number, sample in enumerate(tqdm(samples, unit="image", disable=not progress)):
        inputs = Inputs(sample.sketch.to(device), (sample.reference.to(device),))
        image = system.colorize(inputs, Noise((number,))).image.cpu()
        colored = sample.valid[0, 0] * (sample.lines[0, 0] < 0.5)
        scores.append(part_scores(image[0], sample.color[0], sample.parts[0], colored))
    return scores


def summarize(scores: Sequence[Sequence[PartScore]], seed: int = 0, resamples: int = RESAMPLES) -> dict[str, Any]:
    """Part accuracy and mean ΔE2000 over all parts, with 95 % bootstrap intervals over images, and by part name."""
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
        "images": sum(bool(image) for image in scores),
        "part_accuracy": _interval([[part.is_accurate for part in image] for image in scores], seed, resamples),
        "delta_e": _interval([[part.mean_delta_e for part in image] for image in scores], seed, resamples),
        "parts": by_name,
    }


def compare(
    scores: Sequence[Sequence[PartScore]],
    others: Sequence[Sequence[PartScore]],
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> dict[str, dict[str, float]]:
    """Paired difference ``scores - others`` on the same images, with 95 % bootstrap intervals over images.

    Two systems are called different only when the interval excludes zero.
    """
    pairs = [list(zip(mine, theirs, strict=True)) for mine, theirs in zip(scores, others, strict=True)]
    accuracy = [[float(a.is_accurate) - float(b.is_accurate) for a, b in image] for image in pairs]
    difference = [[a.mean_delta_e - b.mean_delta_e for a, b in image] for image in pairs]
    return {
        "part_accuracy": _interval(accuracy, seed, resamples),
        "delta_e": _interval(difference, seed, resamples),
    }


def _interval(groups: Sequence[Sequence[float]], seed: int, resamples: int) -> dict[str, float]:
    found = mean_interval(groups, seed, resamples)
    if found is None:
        raise DataError("no picture shows a part that can be scored: ask for more pairs, or for larger images")
    return {"mean": found.mean, "low": found.low, "high": found.high}
