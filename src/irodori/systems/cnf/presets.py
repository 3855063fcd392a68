"""Named recipes of CNF."""

from __future__ import annotations

from dataclasses import replace

from irodori.data.dataset import DataOptions
from irodori.data.jitter import JitterOptions
from irodori.data.warp import WarpOptions
from irodori.systems.cnf.config import CNFConfig, LossWeights
from irodori.systems.recipe import Recipe, TrainingOptions

_EPOCH = 17_143
"""Training pictures of the thesis: four sevenths of the 30 000 of CelebAMask-HQ (section 3.3.1)."""

PAPER = Recipe(
    name="cnf/paper-256",
    about="Pi 2023: 100 epochs of CelebAMask-HQ without background, the rate times 0.9 after every fifth",
    system=CNFConfig(),
    data=DataOptions(
        appearance=0.0, jitter=JitterOptions(brightness=0.4, contrast=0.4, saturation=0.4, hue_degrees=36),
        self_warp=WarpOptions(tps=0.0, elastic=0.03), no_reference=0.0, sketches=("ink",), vary_lines=False,
        random_palette_share=0.0, sketch_warp=WarpOptions(tps=0.0, scale=(1.0, 1.2), mirror=0.5, rotate_degrees=10),
    ),
    training=TrainingOptions(
        images=100 * _EPOCH, betas=(0.9, 0.999), decay="steps", decay_factor=0.9, decay_images=5 * _EPOCH
    ),
)  # fmt: skip

_MOVED = WarpOptions(tps=0.04, move=0.15, scale=(0.7, 1.2), mirror=0.3, rotate_degrees=10)

SMALL_64 = Recipe(
    name="cnf/small-64",
    about="For comparisons that an hour of one CPU core can pay: four narrower CCBs at 64 px",
    system=CNFConfig(
        image_size=64, num_ccb=4, hidden_channels=48, mlp_expansion=1, scaled_attention=True, joining="sum",
        least_scale=0.3, weights=LossWeights(perceptual=0, attention=1), features="mobilenet_v2",
    ),
    data=DataOptions(
        recolor_share=0.5, sketches=("ink", "ink", "xdog", "dog", "edges", "pencil"), recolor_warp=_MOVED,
        self_warp=WarpOptions(tps=0.05, elastic=0.015),
    ),
    training=TrainingOptions(
        images=20_000, learning_rate=1.5e-3, betas=(0.9, 0.99), warmup_images=1600, decay="cosine", decay_start=0.0,
        gradient_clip=1.0, ema=0.995, seed=1,
    ),
)  # fmt: skip

SMALL = replace(
    SMALL_64,
    name="cnf/small",
    about="What ships: 128 px, started from cnf/small-64",
    system=replace(SMALL_64.system, image_size=128),
    training=replace(SMALL_64.training, images=8_000, batch_size=8, learning_rate=5e-4, warmup_images=400, seed=2),
)

TINY = Recipe(
    name="cnf/tiny",
    about="For tests: all parts, small; its last layers are random, so that references matter before training",
    system=CNFConfig(
        image_size=32, num_downsamplings=2, num_ccb=2, num_residual_blocks=1, hidden_channels=4, mlp_expansion=1,
        last_layer=0.1, weights=LossWeights(perceptual=0),
    ),
    training=TrainingOptions(images=64, batch_size=4, learning_rate=3e-3, ema=0.9),
)  # fmt: skip


def _variant(recipe: Recipe, name: str, about: str, **changes: object) -> Recipe:
    return replace(recipe, name=f"{recipe.name}-{name}", about=about, system=replace(recipe.system, **changes))


def _aggregations(recipe: Recipe) -> tuple[Recipe, ...]:
    return (
        _variant(recipe, "none", "Table 4.3: no reference enters the coupling blocks", aggregation="none"),
        _variant(recipe, "concatenation", "Table 4.3: features beside each other", aggregation="concatenation"),
        _variant(recipe, "adain", "Table 4.3: AdaIN instead of the module", aggregation="adain"),
    )


PRESETS = (
    PAPER,
    SMALL_64,
    SMALL,
    TINY,
    *_aggregations(PAPER),
    *_aggregations(SMALL_64),
    _variant(SMALL_64, "gate", "The module as equation 3.16 has it: a factor on the kept half", joining="gate"),
    _variant(
        SMALL_64,
        "untold",
        "Without the parts as supervision of the attention",
        weights=replace(SMALL_64.system.weights, attention=0),
    ),
    *(
        _variant(PAPER, f"nccb-{n}-{m}", f"Table 4.5: NCCB({n}, {m})", num_downsamplings=n, num_nccb=m)
        for n, m in ((2, 1), (4, 1), (2, 8), (3, 8), (4, 8))
    ),
    _variant(PAPER, "l1", "Table 4.6: without the perceptual loss", weights=LossWeights(perceptual=0)),
    _variant(PAPER, "perceptual", "Table 4.6: without the reconstruction loss", weights=LossWeights(reconstruction=0)),
)
