"""Batches of real training pairs for the tests."""

from __future__ import annotations

from irodori.data.compose import compose
from irodori.data.dataset import DataOptions, PairDataset
from irodori.data.draft import Draft
from irodori.data.index import Index
from irodori.data.sample import Sample
from irodori.systems import preset


def batch_for(name: str, dataset: Index, count: int = 4) -> Sample:
    size = preset(f"{name}/tiny").system.image_size
    pairs = PairDataset(dataset, "train", DataOptions(recolor_share=0.5, no_reference=0.0), size, seed=1, length=64)
    return compose(Draft.collate([pairs[i] for i in range(count)]))
