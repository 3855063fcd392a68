"""How hard each loss term pulls: ``python benchmarks/loss_scales.py PRESET DATA WEIGHTS [FEATURES]``.

Prints, for one batch of training pairs, each term of each phase as it counts in the sum, and the norm of its gradient
on the parameters that the phase trains.  WEIGHTS: of a network that has learned a little (those of a fresh one are
noise); it may lack what only training needs, such as discriminators.  FEATURES: for losses that need a network.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from irodori.data.compose import compose
from irodori.data.dataset import PairDataset
from irodori.data.draft import Draft
from irodori.data.index import read_index
from irodori.data.sample import Sample
from irodori.nn.features import load_features
from irodori.systems import build_system, load_system, preset, recipe_system_name
from irodori.systems.base import System
from irodori.systems.recipe import Recipe


def batch_of(recipe: Recipe, data: Path) -> Sample:
    size, count = recipe.system.image_size, recipe.training.batch_size
    pairs = PairDataset(read_index(data), "train", recipe.data, size, seed=0, length=count)
    return compose(Draft.collate([pairs[number] for number in range(count)]))


def built(recipe: Recipe, weights: Path, features: Path | None) -> System:
    torch.manual_seed(0)
    system = build_system(recipe_system_name(recipe), recipe.system)
    system.load_state_dict(load_system(weights).state_dict(), strict=False)
    if features:
        system.use_features(load_features(recipe.system.features, features))
    return system.train()


def gradient_norm(value: Tensor, parameters: Sequence[nn.Parameter]) -> float:
    gradients = torch.autograd.grad(value, parameters, retain_graph=True, allow_unused=True)
    return sum(float(each.square().sum()) for each in gradients if each is not None) ** 0.5


def main(name: str, data: str, weights: str, features: str = "") -> None:
    torch.set_num_threads(1)
    recipe = preset(name)
    system = built(recipe, Path(weights), Path(features) if features else None)
    batch = batch_of(recipe, Path(data))
    print("| phase | term | value | gradient |\n| --- | --- | ---: | ---: |")
    for phase in system.phases():
        for term, value in system(phase.name, batch).items():
            if not term.startswith("_"):
                norm = gradient_norm(value, phase.parameters)
                print(f"| {phase.name} | {term} | {value.item():.3g} | {norm:.2g} |", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
