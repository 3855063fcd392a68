"""Batches for the tests: real training pairs, and pairs made by hand."""

from __future__ import annotations

from dataclasses import replace

import torch

from irodori.data.compose import compose
from irodori.data.dataset import PairDataset
from irodori.data.draft import Draft
from irodori.data.index import Index
from irodori.data.sample import Sample
from irodori.systems import preset


def batch_for(name: str, dataset: Index, count: int = 4) -> Sample:
    recipe = preset(f"{name}/tiny")
    options = replace(recipe.data, recolor_share=0.5, no_reference=0.0)
    pairs = PairDataset(dataset, "train", options, recipe.system.image_size, seed=1, length=64)
    return compose(Draft.collate([pairs[i] for i in range(count)]))


def plain_sample(count: int = 4, size: int = 32) -> Sample:
    """Three flat bands as parts 0, 1 and 2; the reference shows the same bands upside down."""
    parts = (torch.arange(size) * 3 // size).view(1, size, 1).expand(count, size, size).contiguous()
    generator = torch.Generator().manual_seed(0)
    palette = torch.rand(count, 3, 3, generator=generator) * 2 - 1
    color = torch.stack([palette[i][parts[i]].permute(2, 0, 1) for i in range(count)])
    lines = (parts != parts.roll(1, 1)).float()[:, None]
    return Sample(
        sketch=1 - 2 * lines,
        color=color,
        reference=color.flip(2),
        valid=torch.ones(count, 1, size, size),
        correspondence=torch.full((count, 2, size, size), torch.nan),
        parts=parts,
        reference_parts=parts.flip(1),
        lines=lines,
    )
