"""Named recipes of CSFT."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from irodori.data.dataset import DataOptions
from irodori.data.warp import WarpOptions
from irodori.systems.csft.config import CSFTConfig, LossWeights
from irodori.systems.recipe import Recipe, TrainingOptions

PAPER = Recipe(
    name="csft/paper-256",
    about="Cui et al. 2022 where it is told, 100 epochs of 14 224 pictures (Animepair); widths and weights are ours",
    system=CSFTConfig(),
    data=DataOptions(
        sketches=("xdog",), vary_lines=False, random_palette_share=0.0, appearance=0.0, no_reference=0.0,
        shuffled_share=0.5, color_clusters=64,
    ),
    training=TrainingOptions(images=1_422_400, batch_size=8, learning_rate=1e-4, betas=(0.5, 0.999), decay="none"),
)  # fmt: skip

_MOVED = WarpOptions(tps=0.04, move=0.15, scale=(0.7, 1.2), mirror=0.3, rotate_degrees=10)

SMALL = Recipe(
    name="csft/small",
    about="What ships",
    system=CSFTConfig(
        image_size=128,
        fold=2,
        channels=(16, 48, 96, 128),
        transfer_channels=64,
        domain_channels=64,
        generator_channels=(32, 64),
        num_residual_blocks=2,
        discriminator_channels=32,
        features="mobilenet_v2",
        weights=LossWeights(perceptual=0, style=0, contextual=0, adversarial=0),
    ),
    data=DataOptions(recolor_share=0.5, sketches=("ink", "ink", "xdog", "dog", "edges", "pencil"), recolor_warp=_MOVED),
    training=TrainingOptions(
        images=48_000, learning_rate=1e-3, betas=(0.9, 0.99), warmup_images=1600, decay="cosine", decay_start=0.0,
        gradient_clip=1.0, ema=0.998, seed=1,
    ),
)  # fmt: skip

SMALL_64 = replace(
    SMALL,
    name="csft/small-64",
    about="For comparisons",
    system=replace(SMALL.system, image_size=64, channels=(16, 48, 96, 128), generator_channels=(32, 64)),
    training=replace(SMALL.training, images=20_000, ema=0.995),
)

TINY = Recipe(
    name="csft/tiny",
    about="For tests: a few thousand parameters, all loss terms that need no downloaded network",
    system=CSFTConfig(
        image_size=32,
        channels=(4, 8, 12),
        transfer_channels=8,
        domain_channels=8,
        generator_channels=(4, 8, 12),
        num_residual_blocks=1,
        discriminator_channels=4,
        discriminator_layers=2,
        weights=LossWeights(perceptual=0, style=0, contextual=0, coarse=1, adversarial=1),
    ),
    data=DataOptions(color_clusters=4),
    training=TrainingOptions(images=64, batch_size=4, learning_rate=2e-3, ema=0.9),
)


def _ablation(recipe: Recipe, name: str, about: str, **changes: Any) -> Recipe:
    """A recipe with one thing left out."""
    return replace(
        recipe, name=f"{recipe.name}-{name}", about=f"{recipe.name} {about}", system=replace(recipe.system, **changes)
    )


def ablations(recipe: Recipe) -> tuple[Recipe, ...]:
    """Tables 2 and 6."""
    weights = recipe.system.weights
    return (
        _ablation(recipe, "no-cc", "without the colorific condition (table 2)", colorific=False),
        _ablation(recipe, "no-sc", "without the structural condition (table 2)", structural=False),
        _ablation(recipe, "no-csft", "with residual convolutions for CSFT (table 2)", transfer="residual"),
        _ablation(recipe, "no-context", "without L_context (table 6)", weights=replace(weights, contextual=0)),
        _ablation(recipe, "no-pseudo", "without L_pseudo (table 6)", weights=replace(weights, pseudo=0)),
        _ablation(recipe, "no-align", "without L_align (table 6)", weights=replace(weights, align=0)),
        _ablation(recipe, "no-adv", "without L_adv (table 6)", weights=replace(weights, adversarial=0)),
    )


PRESETS = (PAPER, SMALL, SMALL_64, TINY, *ablations(PAPER))
