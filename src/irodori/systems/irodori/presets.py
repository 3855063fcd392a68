"""Named recipes of the color transport."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from irodori.data.dataset import DataOptions
from irodori.data.warp import WarpOptions
from irodori.systems.irodori.config import GuidanceOptions, IrodoriConfig, LossWeights
from irodori.systems.recipe import Recipe, TrainingOptions

LINES = ("ink", "ink", "ink", "xdog", "dog", "edges", "pencil")
STILL = WarpOptions(tps=0.03)
MOVED = WarpOptions(tps=0.03, move=0.25, scale=(0.55, 1.25), mirror=0.5, rotate_degrees=20)

SMALL_64 = Recipe(
    name="irodori/small-64",
    about="The budget of the comparisons: 64 px, minutes of one CPU core; supervision as in what ships",
    system=IrodoriConfig(image_size=64),
    data=DataOptions(
        recolor_share=0.7, scene_share=0.15, light_share=0.3, sketches=LINES, recolor_warp=MOVED, self_warp=MOVED,
        sketch_warp=WarpOptions(tps=0.02, move=0.1, scale=(0.8, 1.1), mirror=0.5, rotate_degrees=8),
    ),
    training=TrainingOptions(
        images=8_000, learning_rate=1e-3, betas=(0.9, 0.99), weight_decay=0.01, warmup_images=480, decay="cosine",
        decay_start=0.0, gradient_clip=1.0, ema=0.99, seed=1,
    ),
)  # fmt: skip


def _variant(
    name: str, about: str, *, system: dict[str, Any] | None = None, data: dict[str, Any] | None = None
) -> Recipe:
    """`SMALL_64` with one thing changed."""
    return replace(
        SMALL_64,
        name=f"irodori/small-64-{name}",
        about=about,
        system=replace(SMALL_64.system, **(system or {})),
        data=replace(SMALL_64.data, **(data or {})),
    )


_NO_SCENES: dict[str, Any] = {"scene_share": 0.0, "sketch_warp": None}

SUPERVISIONS = (
    _variant("self", "Self pairs alone, references bent in place",
             data={**_NO_SCENES, "recolor_share": 0.0, "self_warp": STILL}),
    _variant("self-moved", "Self pairs alone, references moved", data={"recolor_share": 0.0}),
    _variant("recolor", "Recolor pairs alone, references in place",
             data={**_NO_SCENES, "recolor_share": 1.0, "recolor_warp": STILL}),
    _variant("recolor-moved", "Recolor pairs alone, references moved", data={"recolor_share": 1.0}),
    _variant("still", "Both kinds of pair, references in place",
             data={**_NO_SCENES, "recolor_warp": STILL, "self_warp": STILL}),
    _variant("no-parts", "Attention is not told which parts belong together",
             system={"weights": LossWeights(attention=0, parts=0)}),
)  # fmt: skip

UNSEEN = _variant("unseen", "One style left out, to be tested on it", data={"leave_out": ("toon-head",)})

_FIRST_HALF = SUPERVISIONS[4]  # references in place
CURRICULUM = (
    replace(_FIRST_HALF, name="irodori/small-64-curriculum-1", about="First half of a curriculum: references in place",
            training=replace(SMALL_64.training, images=4_000, decay="none")),
    replace(SMALL_64, name="irodori/small-64-curriculum-2", about="Second half: references moved; start from the first",
            training=replace(SMALL_64.training, images=4_000, warmup_images=0, seed=2)),
)  # fmt: skip

ABLATIONS = (
    _variant("features", "Attention carries learned features; the decoder makes the colors",
             system={"values": "features", "value_channels": 11}),
    _variant("one-head", "One head of the same total width", system={"num_heads": 1, "key_channels": 128}),
    _variant("no-refinement", "Transported colors are only enlarged", system={"refine": False}),
    _variant("no-light", "References without shading", data={"light_share": 0.0}),
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

BASE_64 = replace(
    SMALL_64,
    name="irodori/base-64",
    about="First stage of what ships: 64 px",
    training=replace(SMALL_64.training, images=48_000, decay="none", ema=0.998),
)

BASE_128 = replace(
    BASE_64,
    name="irodori/base-128",
    about="Second stage of what ships: 128 px, started from irodori/base-64",
    system=IrodoriConfig(),
    training=replace(BASE_64.training, images=40_000, learning_rate=6e-4, decay="cosine", seed=2),
)

BASE_192 = replace(
    BASE_128,
    name="irodori/base-192",
    about="Third stage of what ships: 192 px, figures of more sizes, calm guesses; started from irodori/base-128",
    system=IrodoriConfig(image_size=192, weights=LossWeights(guess=0.15)),
    data=replace(
        BASE_128.data,
        sketch_warp=WarpOptions(tps=0.02, move=0.15, scale=(0.6, 1.25), mirror=0.5, rotate_degrees=8),
    ),
    training=replace(
        BASE_128.training, images=16_000, batch_size=8, learning_rate=3e-4, warmup_images=400, ema=0.995, seed=3
    ),
)

BASE = replace(
    BASE_192,
    name="irodori/base",
    about="What ships: small parts count as much as large ones, and are seen enlarged; started from irodori/base-192",
    system=replace(BASE_192.system, weights=LossWeights(guess=0.15, small_parts=0.8, largest=32.0)),
    data=replace(
        BASE_192.data,
        sketch_warp=WarpOptions(tps=0.02, move=0.15, scale=(0.7, 1.8), mirror=0.5, rotate_degrees=8),
        recolor_warp=replace(MOVED, scale=(0.6, 1.8)),
    ),
    training=replace(BASE_192.training, images=4_000, warmup_images=160, seed=4),
)

PRESETS = (BASE_64, BASE_128, BASE_192, BASE, SMALL_64, *SUPERVISIONS, *CURRICULUM, UNSEEN, *ABLATIONS, TINY)
