"""Named recipes of the color transport."""

from __future__ import annotations

from dataclasses import replace

from irodori.data.dataset import DataOptions
from irodori.data.warp import WarpOptions
from irodori.systems.irodori.config import GuidanceOptions, IrodoriConfig
from irodori.systems.recipe import Recipe, TrainingOptions

MOVED = WarpOptions(tps=0.03, move=0.25, scale=(0.55, 1.25), mirror=0.5, rotate_degrees=15)
LINES = ("ink", "ink", "ink", "xdog", "dog", "edges", "pencil")

BASE_64 = Recipe(
    name="irodori/base-64",
    about="First stage of what ships, and the budget of the comparisons: 64 px",
    system=IrodoriConfig(image_size=64),
    data=DataOptions(recolor_share=0.7, sketches=LINES, recolor_warp=MOVED, self_warp=MOVED),
    training=TrainingOptions(
        images=20_000, learning_rate=1e-3, betas=(0.9, 0.99), weight_decay=0.01, warmup_images=800, decay="cosine",
        decay_start=0.0, gradient_clip=1.0, ema=0.995, seed=1,
    ),
)  # fmt: skip

TINY = Recipe(
    name="irodori/tiny",
    about="For tests: a few thousand parameters, all loss terms",
    system=IrodoriConfig(
        image_size=32, channels=(8, 12, 32), num_shared_blocks=1, num_heads=2, key_channels=8, value_channels=2,
        refine_channels=16, guidance=GuidanceOptions(hints=0.75, palette=0.75),
    ),
    training=TrainingOptions(images=64, batch_size=4, learning_rate=2e-3, ema=0.9),
)  # fmt: skip

BASE = replace(
    BASE_64,
    name="irodori/base",
    about="What ships",
    system=IrodoriConfig(),
)

PRESETS = (BASE, BASE_64, TINY)
