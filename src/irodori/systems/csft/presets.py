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

_LINES = ("ink", "ink", "xdog", "dog", "edges", "pencil")

_NETWORK = CSFTConfig(
    image_size=64,
    fold=2,
    channels=(16, 48, 96, 128),
    transfer_channels=64,
    domain_channels=64,
    generator_channels=(32, 64),
    num_residual_blocks=2,
    discriminator_channels=32,
    features="mobilenet_v2",
    context_side=16,
    # Chosen by the gradients that the terms send into the networks, and by what runs did: docs/systems/csft.md, loss
    # weights.
    weights=LossWeights(perceptual=0.1, style=1, contextual=0.1, pseudo=10, align=10, adversarial=0.1),
)

EXACT = LossWeights(perceptual=0, style=0, contextual=0, pseudo=10, align=1, adversarial=0, coarse=5)
"""The objective of what ships: its pairs know the true color of every pixel, so that no other judge is needed."""

SMALL_64 = Recipe(
    name="csft/small-64",
    about="For comparisons: all terms of the paper at 64 px, on MobileNetV2, minutes of one CPU core",
    system=_NETWORK,
    data=DataOptions(recolor_share=0.5, sketches=_LINES, recolor_warp=_MOVED, color_clusters=64),
    training=TrainingOptions(
        images=9_600, learning_rate=1e-3, betas=(0.9, 0.99), warmup_images=800, decay="cosine", decay_start=0.0,
        gradient_clip=1.0, ema=0.99, seed=1,
    ),
)  # fmt: skip

EXACT_64 = replace(
    SMALL_64,
    name="csft/small-64-exact",
    about="csft/small-64 with the objective of what ships: L_pseudo, L_align and L1 of the coarse image",
    system=replace(_NETWORK, weights=EXACT),
    data=replace(SMALL_64.data, color_clusters=0),
)

SMALL_FIRST = replace(
    EXACT_64,
    name="csft/small-first",
    about="First stage of what ships: 64 px",
    training=replace(SMALL_64.training, images=24_000, warmup_images=1_600, decay="none", ema=0.998),
)

SMALL = replace(
    SMALL_FIRST,
    name="csft/small",
    about="What ships: 128 px, started from csft/small-first; self and recolor pairs half and half",
    system=replace(SMALL_FIRST.system, image_size=128),
    training=replace(SMALL_FIRST.training, learning_rate=6e-4, decay="cosine", seed=2),
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


PRESETS = (PAPER, SMALL_FIRST, SMALL, SMALL_64, EXACT_64, TINY, *ablations(PAPER), *ablations(SMALL_64))
