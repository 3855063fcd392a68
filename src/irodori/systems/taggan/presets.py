"""Named recipes of TagGAN.

A model is trained in three runs, each started (``--initialize``) from the weights of the one before: ``NAME-tagger``,
``NAME`` (step 1) and ``NAME-tags`` (step 2).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from irodori.data.dataset import DataOptions
from irodori.data.warp import WarpOptions
from irodori.systems.recipe import Recipe, TrainingOptions
from irodori.systems.taggan.config import EditOptions, LossWeights, TagGANConfig, TaggerConfig


def _run(base: Recipe, name: str, about: str, *, system: Any = None, data: Any = None, training: Any = None) -> Recipe:
    """`base` with some fields changed."""
    return replace(
        base,
        name=f"taggan/{name}",
        about=about,
        system=replace(base.system, **(system or {})),
        data=replace(base.data, **(data or {})),
        training=replace(base.training, **(training or {})),
    )


# --- the paper -------------------------------------------------------------------------------------------------------

EPOCH = 766_454
"""Training pictures of the paper (section 4.1)."""

PAPER = Recipe(
    name="taggan/paper-384",
    about="Yan et al. 2023, step 1 of the Attention model at 384 px: 9 epochs",
    system=TagGANConfig(image_size=384),
    data=DataOptions(
        sketches=("xdog",), vary_lines=False, random_palette_share=0.0, appearance=0.0, no_reference=0.0,
        sketch_warp=WarpOptions(tps=0.0, mirror=0.5, scale=(1.0, 1.33), rotate_degrees=10),
        self_warp=WarpOptions(tps=0.05, mirror=0.5, rotate_degrees=90),
    ),
    training=TrainingOptions(images=9 * EPOCH, batch_size=32, betas=(0.5, 0.99), decay="none"),
)  # fmt: skip

_TAGGER: dict[str, Any] = {"system": {"steps": ("tagger",)}, "training": {"images": 2 * EPOCH, "learning_rate": 1e-3}}
_TAGS: dict[str, Any] = {"system": {"steps": ("tags",)}, "training": {"images": 3 * EPOCH}}

PAPER_256 = _run(PAPER, "paper-256", "The same at 256 px, where the paper leaves the total variation out",
                 system={"image_size": 256})  # fmt: skip

PAPERS = (
    _run(PAPER, "paper-384-tagger", "The tagger: two epochs, from ImageNet if --initialize gives it", **_TAGGER),
    PAPER,
    _run(PAPER, "paper-384-tags", "Step 2, M-Attention: 3 epochs", **_TAGS),
    _run(PAPER_256, "paper-256-tagger", "The tagger at 256 px", **_TAGGER),
    PAPER_256,
    _run(PAPER_256, "paper-256-tags", "Step 2, M-Attention, at 256 px", **_TAGS),
)

# --- what a CPU can train --------------------------------------------------------------------------------------------

LINES = ("ink", "ink", "ink", "xdog", "dog", "edges", "pencil")
_MOVED = WarpOptions(tps=0.04, move=0.2, scale=(0.6, 1.2), mirror=0.5, rotate_degrees=15)

SMALL = Recipe(
    name="taggan/small",
    about="Step 1 of what ships: 128 px, narrow; self and recolor pairs",
    system=TagGANConfig(
        image_size=128,
        tagger=TaggerConfig(channels=(32, 64, 128), blocks=(1, 2, 2), stem="small", head="places"),
        channels=(24, 48, 96, 160),
        num_heads=8,
        critic_channels=16,
        initialization="kaiming",
        mapping_channels=256,
        weights=LossWeights(adversarial=0, attention=5.0),
        edits=EditOptions(asked=0.8, no_anchor=0.2),
    ),
    data=DataOptions(
        recolor_share=0.6, light_share=0.2, sketches=LINES, appearance=30.0, recolor_warp=_MOVED, self_warp=_MOVED
    ),
    training=TrainingOptions(
        images=40_000, learning_rate=1e-3, betas=(0.9, 0.99), warmup_images=1600, decay="cosine", decay_start=0.0,
        gradient_clip=1.0, ema=0.998, seed=1,
    ),
)  # fmt: skip

SMALL_64 = _run(
    SMALL, "small-64", "Step 1 for comparisons at equal budget: 64 px",
    system={"image_size": 64, "channels": (32, 64, 128)},
    training={"images": 20_000, "warmup_images": 800, "ema": 0.995},
)  # fmt: skip


def _small_steps(base: Recipe, name: str, tagger_images: int, tags_images: int) -> tuple[Recipe, Recipe, Recipe]:
    tagger = _run(
        base, f"{name}-tagger", f"The tagger of taggan/{name}", system={"steps": ("tagger",)},
        data={"no_reference": 0.0, "appearance": 0.0},
        training={"images": tagger_images, "batch_size": 32, "learning_rate": 2e-3},
    )  # fmt: skip
    tags = _run(
        base, f"{name}-tags", f"Step 2 of taggan/{name}", system={"steps": ("tags",)}, data={"no_reference": 0.0},
        training={"images": tags_images},
    )  # fmt: skip
    return tagger, base, tags


# --- ablations -------------------------------------------------------------------------------------------------------

_ABLATIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "add": ("The Add model: averaged features instead of attention", {"receiving": "add"}),
    "no-rbca": ("Table 1: Attention without RBCA", {"rbca": False}),
    "add-no-rbca": ("Table 1: Add without RBCA", {"receiving": "add", "rbca": False}),
    "joint": ("Table 1: the reference encoder is trained with the generator", {"joint": True}),
}
_TAG_ABLATIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "add": ("Step 2, M-Add", {"receiving": "add"}),
    "plain-mlp": ("Figure 7: M-Attention with an ordinary perceptron", {"mapping": "plain"}),
    "add-plain-mlp": ("Figure 7: M-Add with an ordinary perceptron", {"receiving": "add", "mapping": "plain"}),
    "empty-0": ("M-Attention with ratio 0 where the anchor has nothing, as the thesis says", {"empty_ratio": 0}),
}


def _ablations(colors: Recipe, tags: Recipe) -> tuple[Recipe, ...]:
    """Steps 1 and 2 with one thing changed; they start from the same tagger."""
    start = colors.name.removeprefix("taggan/")
    return (
        *(_run(colors, f"{start}-{key}", about, system=system) for key, (about, system) in _ABLATIONS.items()),
        *(_run(tags, f"{start}-{key}-tags", about, system=system) for key, (about, system) in _TAG_ABLATIONS.items()),
    )


TINY = Recipe(
    name="taggan/tiny",
    about="For tests: a few thousand parameters, all loss terms of steps 1 and 2",
    system=TagGANConfig(
        image_size=32,
        steps=("colors", "tags"),
        tags=("red_hair", "blue_hair", "red_skin", "blue_skin", "green_clothes", "glasses"),
        tagger=TaggerConfig(channels=(4, 8), blocks=(1, 1), stem="small"),
        channels=(4, 8, 8),
        num_heads=2,
        critic_channels=2,
        initialization="kaiming",
        mapping_channels=8,
        num_mapping_layers=2,
        variation_from=32,
        edits=EditOptions(asked=0.5, no_anchor=0.25),
    ),
    training=TrainingOptions(images=64, batch_size=4, learning_rate=1e-3, ema=0.9),
)

_SMALL_STEPS = _small_steps(SMALL, "small", tagger_images=64_000, tags_images=16_000)
_SMALL_64_STEPS = _small_steps(SMALL_64, "small-64", tagger_images=100_000, tags_images=10_000)

PRESETS = (
    *PAPERS, *_ablations(PAPER, PAPERS[2]), *_SMALL_STEPS, *_SMALL_64_STEPS,
    *_ablations(SMALL_64, _SMALL_64_STEPS[2]), TINY,
)  # fmt: skip
