"""Named recipes of SCFT."""

from __future__ import annotations

from dataclasses import replace

from irodori.data.dataset import DataOptions
from irodori.data.warp import WarpOptions
from irodori.systems.recipe import Recipe, TrainingOptions
from irodori.systems.scft.config import LossWeights, SCFTConfig

PAPER = Recipe(
    name="scft/paper-256",
    about="Lee et al. 2020, layer by layer; 200 epochs of 54 317 pictures (Tag2pix), the last 100 with linear decay",
    system=SCFTConfig(),
    data=DataOptions(sketches=("xdog",), vary_lines=False, random_palette_share=0.0),
)

_MOVED = WarpOptions(tps=0.04, move=0.15, scale=(0.7, 1.2), mirror=0.3, rotate_degrees=10)

SMALL = Recipe(
    name="scft/small",
    about="What ships: the paper's five stages at 128 px, narrower; self and recolor pairs half and half",
    system=SCFTConfig(
        image_size=128,
        channels=(16, 24, 48, 96, 160),
        bottleneck_channels=160,
        num_residual_blocks=2,
        discriminator_channels=32,
        initialization="kaiming",
        weights=LossWeights(adversarial=0, perceptual=0, style=0),
        positives="field+parts",
        features="mobilenet_v2",
    ),
    data=DataOptions(recolor_share=0.5, sketches=("ink", "ink", "xdog", "dog", "edges", "pencil"), recolor_warp=_MOVED),
    training=TrainingOptions(
        images=48_000, learning_rate=1e-3, betas=(0.9, 0.99), warmup_images=1600, decay="cosine", decay_start=0.0,
        gradient_clip=1.0, ema=0.998, seed=1,
    ),
)  # fmt: skip

SMALL_LAST = replace(
    SMALL,
    name="scft/small-last",
    about="Last stretch of what ships, started from scft/small: more sketches without a reference, lower rate",
    data=replace(SMALL.data, no_reference=0.2),
    training=replace(SMALL.training, images=8_000, learning_rate=3e-4, warmup_images=320, ema=0.99, seed=2),
)

SMALL_64 = replace(
    SMALL,
    name="scft/small-64",
    about="For comparisons that an hour of one CPU core can pay: four stages at 64 px",
    system=replace(SMALL.system, image_size=64, channels=(24, 48, 96, 160)),
    training=replace(SMALL.training, images=20_000, ema=0.995),
)

TINY = Recipe(
    name="scft/tiny",
    about="For tests: a few thousand parameters, all loss terms that need no downloaded network",
    system=SCFTConfig(
        image_size=32,
        channels=(4, 8, 12),
        bottleneck_channels=8,
        num_residual_blocks=1,
        discriminator_channels=4,
        initialization="kaiming",
        weights=LossWeights(perceptual=0, style=0),
    ),
    training=TrainingOptions(images=64, batch_size=4, learning_rate=1e-3, ema=0.9),
)


def _ablation(name: str, about: str, **changes: object) -> Recipe:
    return replace(PAPER, name=f"scft/{name}", about=about, system=replace(PAPER.system, **changes))


PRESETS = (
    PAPER,
    SMALL_64,
    SMALL,
    SMALL_LAST,
    replace(SMALL_64, name="scft/small-64-self", about="scft/small-64 with the paper's supervision: no recolor pairs",
            data=replace(SMALL_64.data, recolor_share=0.0)),
    replace(SMALL_64, name="scft/small-64-self-moved", about="the same with references moved as in scft/small-64",
            data=replace(SMALL_64.data, recolor_share=0.0, self_warp=_MOVED)),
    TINY,
    _ablation("paper-256-add", "Table 4 (a): features added without alignment", aggregation="add",
              weights=LossWeights(triplet=0)),
    _ablation("paper-256-adain", "Table 4 (b): AdaIN instead of SCFT", aggregation="adain",
              weights=LossWeights(triplet=0)),
    _ablation("paper-256-rec", "Table 3, row 1: reconstruction loss alone",
              weights=LossWeights(adversarial=0, perceptual=0, style=0, triplet=0)),
    _ablation("paper-256-rec-adv", "Table 3, row 2: reconstruction and adversarial loss",
              weights=LossWeights(perceptual=0, style=0, triplet=0)),
    _ablation("paper-256-no-triplet", "Table 3, row 3: everything but the triplet loss",
              weights=LossWeights(triplet=0)),
)  # fmt: skip
