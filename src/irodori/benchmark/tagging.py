"""How well a model reads tags from held-out drawings, tag by tag, for its model card."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from tqdm import tqdm

from irodori.data.compose import compose
from irodori.data.dataset import DataOptions, PairDataset
from irodori.data.draft import Draft
from irodori.data.index import Index, Split
from irodori.data.tags import tag_targets
from irodori.data.vocabulary import group_of
from irodori.errors import InputError
from irodori.metrics.tags import average_precisions
from irodori.systems.base import System

BATCH = 16


@dataclass(frozen=True, kw_only=True)
class TaggingOptions:
    """count: pictures.  seed: of their choice; palettes are random in half of them, so that all colors occur."""

    count: int = 2000
    split: Split = "test"
    seed: int = 0


@dataclass(frozen=True)
class TagScore:
    """average_precision: 0…1, NaN for a tag that never occurs.  chance: what guessing would reach, the tag's share."""

    tag: str
    average_precision: float
    chance: float
    count: int


@torch.no_grad()
def score_tags(system: System, index: Index, options: TaggingOptions, progress: bool = False) -> list[TagScore]:
    """One score for each of the system's tags; a color tag is true where its name is the nearest.

    Raises InputError for a system without tags.
    """
    if not system.tags:
        raise InputError(f"the system {system.name} knows no tags: give irodori-base or a model of the system taggan")
    scores, truth, known = [], [], []
    for batch in tqdm(_pictures(system, index, options), unit="batch", disable=not progress, total=_batches(options)):
        targets = tag_targets(batch, system.tags)
        scores.append(system.read_tags(batch.reference.to(next(system.parameters()).device)).cpu())
        truth.append(targets.values == 1)
        known.append(targets.known > 0)
    true, usable = torch.cat(truth), torch.cat(known)
    precisions = average_precisions(torch.cat(scores), true, usable).tolist()
    positives, totals = (true & usable).sum(0).tolist(), usable.sum(0).tolist()
    rows = zip(system.tags, precisions, positives, totals, strict=True)
    return [TagScore(tag, value, positive / max(total, 1), positive) for tag, value, positive, total in rows]


def _batches(options: TaggingOptions) -> int:
    return math.ceil(options.count / BATCH)


def _pictures(system: System, index: Index, options: TaggingOptions) -> Any:
    """Batches of references of held-out pairs; lines, warps and palettes as in training, without color offsets."""
    data = DataOptions(recolor_share=1.0, no_reference=0.0, appearance=0.0)
    pairs = PairDataset(index, options.split, data, system.image_size, options.seed, options.count)
    for start in range(0, options.count, BATCH):
        numbers = range(start, min(start + BATCH, options.count))
        yield compose(Draft.collate([pairs[number] for number in numbers]))


def by_group(scores: Sequence[TagScore], least: int = 5) -> dict[str, dict[str, float]]:
    """Mean average precision and chance of each group's tags that occur at least `least` times."""
    groups: dict[str, list[TagScore]] = {}
    for score in scores:
        if score.count >= least:
            groups.setdefault(group_of(score.tag) or "other", []).append(score)
    return {
        name: {
            "mean_average_precision": sum(score.average_precision for score in members) / len(members),
            "chance": sum(score.chance for score in members) / len(members),
            "tags": len(members),
        }
        for name, members in groups.items()
    }


def table(groups: Mapping[str, Mapping[str, float]]) -> str:
    """`by_group` as a Markdown table."""
    lines = ["| group | tags | mean average precision | chance |", "| --- | ---: | ---: | ---: |"]
    for name, row in groups.items():
        lines.append(f"| {name} | {row['tags']:.0f} | {row['mean_average_precision']:.2f} | {row['chance']:.2f} |")
    return "\n".join(lines)
