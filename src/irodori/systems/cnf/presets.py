"""Named recipes of CNF."""

from __future__ import annotations

from irodori.data.dataset import DataOptions
from irodori.data.warp import WarpOptions
from irodori.systems.cnf.config import CNFConfig, LossWeights
from irodori.systems.recipe import Recipe, TrainingOptions

PAPER = Recipe(name="cnf/paper-256", about="", system=CNFConfig())
_MOVED = WarpOptions(tps=0.04, move=0.15, scale=(0.7, 1.2), mirror=0.3, rotate_degrees=10)

SMALL_64 = Recipe(
    name="cnf/small-64",
    about="",
    system=CNFConfig(
        image_size=64, num_ccb=4, hidden_channels=48, mlp_expansion=1, scaled_attention=True,
        weights=LossWeights(perceptual=0),
    ),
    data=DataOptions(recolor_share=0.5, sketches=("ink", "ink", "xdog", "dog", "edges", "pencil"), recolor_warp=_MOVED),
    training=TrainingOptions(
        images=20_000, learning_rate=1e-3, betas=(0.9, 0.99), warmup_images=1600, decay="cosine", decay_start=0.0,
        gradient_clip=1.0, ema=0.995, seed=1,
    ),
)  # fmt: skip

TINY = Recipe(
    name="cnf/tiny",
    about="For tests: all parts, small; its last layers are random, so that references matter before training",
    system=CNFConfig(
        image_size=32, num_downsamplings=2, num_ccb=2, num_residual_blocks=1, hidden_channels=4, mlp_expansion=1,
        last_layer=0.1, weights=LossWeights(perceptual=0),
    ),
    training=TrainingOptions(images=64, batch_size=4, learning_rate=3e-3, ema=0.9),
)  # fmt: skip
PRESETS = (PAPER, SMALL_64, TINY)
