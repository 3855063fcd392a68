"""Named recipes of ColorizeDiffusion."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from irodori.data.dataset import DataOptions
from irodori.data.warp import WarpOptions
from irodori.systems.colorizediffusion.config import (
    BYTE_VOCABULARY,
    AdapterConfig,
    ColorizeDiffusionConfig,
    ImageTextConfig,
    ObjectiveConfig,
    RecoveryConfig,
    SamplingConfig,
    TowerConfig,
    UNetConfig,
    VAEConfig,
)
from irodori.systems.recipe import Recipe, TrainingOptions

_STILL = WarpOptions(tps=0.0)
_PAPER_DATA = DataOptions(
    sketches=("xdog", "dog", "pencil"), random_palette_share=0.0, appearance=0.0, no_reference=0.0,
    self_warp=_STILL, sketch_warp=WarpOptions(tps=0.0, move=0.1, scale=(1.0, 1.3), mirror=0.5),
)  # fmt: skip
_PAPER_TRAINING = TrainingOptions(
    images=100_000 * 64, batch_size=64, learning_rate=1e-5, betas=(0.9, 0.999), weight_decay=0.01, decay="none",
    precision="bf16", gradient_clip=1.0,
)  # fmt: skip
_CLEAN = ObjectiveConfig(token_noise="none")
_LATER = ObjectiveConfig(reference_drop=0.5, token_noise="none")

V1 = Recipe(
    name="colorizediffusion/v1",
    about="Stage I (5.4.1): tokens noised by the sample's own timestep, drop 10 %; start from SD-2.x-shaped weights",
    system=ColorizeDiffusionConfig(),
    data=_PAPER_DATA,
    training=_PAPER_TRAINING,
)
V1_REFINED = replace(
    V1,
    name="colorizediffusion/v1-refined",
    about="Stage II (5.4.2): short and clean, drop 50 %; started from stage I",
    system=replace(V1.system, objective=_LATER),
    training=replace(_PAPER_TRAINING, images=40_000 * 64),
)


def _staged(name: str, about: str, system: ColorizeDiffusionConfig, phase: Any, images: int = 40_000 * 64) -> Recipe:
    """A later stage, which trains one phase with half of the references dropped."""
    return replace(
        V1_REFINED,
        name=f"colorizediffusion/{name}",
        about=about,
        system=replace(system, objective=replace(_LATER, phases=(phase,))),
        training=replace(_PAPER_TRAINING, images=images),
    )


_V15 = ColorizeDiffusionConfig(version="v1.5", adapters=AdapterConfig(), recovery=RecoveryConfig())
_V2 = ColorizeDiffusionConfig(
    version="v2", prediction="v", image_size=768, adapters=AdapterConfig(background_rank=4, decoder_only=True)
)

VERSIONS = (
    V1,
    V1_REFINED,
    _staged("v1.5", "Split cross-attention as released (5.5); started from v1-refined", _V15, "adapters"),
    _staged(
        "v1.5-thesis", "The same with the thesis' ranks and recovery transformer",
        replace(_V15, adapters=AdapterConfig(foreground_rank=16, background_rank=4),
                recovery=RecoveryConfig(kind="encoder", num_layers=4)), "adapters",
    ),
    _staged("v2-pretrained", "Stage 1 of v2 (5.6.1): v prediction at 768 px", _V2, "denoiser", 100_000 * 64),
    _staged("v2-background", "Stage 2 of v2: background encoder, warp modules, adapters", _V2, "background"),
    _staged("v2", "Stage 3 of v2: style encoder, background parts active in half of the steps", _V2, "style"),
)  # fmt: skip


def _ablation(name: str, about: str, base: Recipe = V1, **changes: Any) -> Recipe:
    return replace(base, name=f"colorizediffusion/{name}", about=about, system=replace(base.system, **changes))


_V15_STAGE = VERSIONS[2]
ABLATIONS = (
    _ablation("v1-drop-0.5", "Table 5.3, Drop-0.5: no noisy training", objective=_LATER),
    _ablation("v1-cls", "Table 5.3, CLS-0.1: the class token alone", tokens="cls", objective=_CLEAN),
    _ablation("v1-projected-cls", "Table 5.3, Proj-0.1: the class token, projected to 256 tokens",
              tokens="projected-cls", objective=_CLEAN),
    _ablation("v1-no-crop", "Figure 5.8: sketches keep their margins", objective=ObjectiveConfig(sketch_margin=0.0)),
    _ablation("v1.5-no-recovery", "Figure 5.12: split attention with adapters alone", _V15_STAGE, recovery=None),
    _ablation("v1.5-no-adapters", "Figure 5.12: split attention with the recovery transformer alone", _V15_STAGE,
              adapters=None),
)  # fmt: skip


_TINY_SYSTEM = ColorizeDiffusionConfig(
    image_size=32,
    unet=UNetConfig(
        channels=8, multipliers=(1, 2), num_blocks=1, attention_levels=1, head_channels=8, warp_head_channels=8,
        token_channels=16, norm_groups=4,
    ),
    vae=VAEConfig(channels=(8, 16), num_blocks=1, norm_groups=4, scaling=1.0),
    sketch_channels=(4, 8),
    hints_start_at_zero=False,
    encoder=ImageTextConfig(
        image_size=16, patch_size=4, token_channels=16, stem=(8,),
        vision=TowerConfig(channels=16, num_layers=1, num_heads=2),
        text=TowerConfig(channels=16, num_layers=1, num_heads=2), vocabulary_size=BYTE_VOCABULARY, alphabet="bytes",
        text_skip=0, text_length=32, reads_colors=True, reads_parts=True,
    ),
    sampling=SamplingConfig(num_steps=3),
    objective=ObjectiveConfig(phases=("autoencoder", "image-text", "denoiser")),
)  # fmt: skip
TINY = Recipe(
    name="colorizediffusion/tiny",
    about="For tests: a few ten thousand parameters, encoder and latents trained along",
    system=_TINY_SYSTEM,
    training=TrainingOptions(images=64, batch_size=4, learning_rate=3e-3, ema=0.9),
)
TINY_V15 = replace(
    TINY,
    name="colorizediffusion/tiny-v1.5",
    about="For tests: v1.5",
    system=replace(
        _TINY_SYSTEM, version="v1.5", adapters=AdapterConfig(foreground_rank=2),
        recovery=RecoveryConfig(num_layers=2, head_channels=8, num_tokens=16),
        objective=replace(_LATER, phases=("adapters",)),
    ),
)  # fmt: skip
TINY_V2 = replace(
    TINY,
    name="colorizediffusion/tiny-v2",
    about="For tests: v2",
    system=replace(
        _TINY_SYSTEM, version="v2", prediction="v",
        adapters=AdapterConfig(foreground_rank=2, background_rank=2, decoder_only=True),
        objective=replace(_LATER, phases=("background", "style")),
    ),
)  # fmt: skip

_SMALL_SYSTEM = ColorizeDiffusionConfig(
    prediction="v",
    image_size=128,
    unet=UNetConfig(
        latent_channels=4, channels=64, multipliers=(1, 2, 3), num_blocks=1, attention_levels=3, head_channels=32,
        token_channels=128, norm_groups=16,
    ),
    vae=VAEConfig(kind="small", channels=(24, 48, 96), num_blocks=1, scaling=1.0),
    sketch_channels=(8, 24, 48, 64),
    hints_start_at_zero=False,
    encoder=ImageTextConfig(
        image_size=128, patch_size=16, token_channels=128, stem=(16, 32, 64),
        vision=TowerConfig(channels=128, num_layers=4, num_heads=4),
        text=TowerConfig(channels=64, num_layers=2, num_heads=4), vocabulary_size=BYTE_VOCABULARY, alphabet="bytes",
        text_skip=0, text_length=32, reads_colors=True, reads_parts=True,
    ),
    sampling=SamplingConfig(num_steps=4, reference_scale=1.5, spacing="trailing"),
)  # fmt: skip
_MOVED = WarpOptions(tps=0.03, move=0.2, scale=(0.6, 1.25), mirror=0.5, rotate_degrees=15)
_SMALL_DATA = DataOptions(
    recolor_share=0.5, sketches=("ink", "ink", "xdog", "dog", "edges", "pencil"), recolor_warp=_MOVED, self_warp=_MOVED,
    sketch_warp=WarpOptions(tps=0.0, move=0.1, scale=(0.85, 1.15), mirror=0.5), no_reference=0.0,
)  # fmt: skip
_SMALL_TRAINING = TrainingOptions(
    images=24_000, batch_size=16, learning_rate=1e-3, betas=(0.9, 0.99), weight_decay=0.01, warmup_images=1600,
    decay="cosine", decay_start=0.0, gradient_clip=1.0, ema=0.998, seed=1,
)  # fmt: skip
_SMALL_CLEAN = ObjectiveConfig(token_noise="none", reference_drop=0.15, timestep_shift=1.5)
SMALL_ENCODERS = Recipe(
    name="colorizediffusion/small-encoders",
    about="First stage of what ships: autoencoder and image-text encoder",
    system=replace(
        _SMALL_SYSTEM,
        objective=ObjectiveConfig(phases=("autoencoder", "image-text"), kl_weight=1e-3, autoencoder_side=64),
    ),
    data=replace(_SMALL_DATA, recolor_share=0.0),
    training=replace(_SMALL_TRAINING, learning_rate=2e-3, ema=0.99),
)
SMALL_IMAGE_TEXT = replace(
    SMALL_ENCODERS,
    name="colorizediffusion/small-image-text",
    about="Second: the image-text encoder alone; started from small-encoders",
    system=replace(_SMALL_SYSTEM, objective=ObjectiveConfig(phases=("image-text",))),
    training=replace(SMALL_ENCODERS.training, images=64_000, batch_size=32, seed=2),
)
SMALL_64 = Recipe(
    name="colorizediffusion/small-64",
    about="Third: the denoising network at 64 px, without noise on tokens; started from small-image-text",
    system=replace(_SMALL_SYSTEM, image_size=64, objective=_SMALL_CLEAN),
    data=_SMALL_DATA,
    training=replace(_SMALL_TRAINING, images=80_000, batch_size=32),
)
SMALL_64_TOLD = Recipe(
    name="colorizediffusion/small-64-told",
    about="Fourth: the attention is told the parts; started from small-64",
    system=replace(_SMALL_SYSTEM, image_size=64, objective=replace(_SMALL_CLEAN, attention_weight=0.2)),
    data=_SMALL_DATA,
    training=replace(SMALL_64.training, images=40_000, learning_rate=7e-4, warmup_images=640, seed=2),
)
SMALL = Recipe(
    name="colorizediffusion/small",
    about="What ships: the same at 128 px, the attention told with more weight; started from small-64-told",
    system=replace(_SMALL_SYSTEM, objective=replace(_SMALL_CLEAN, attention_weight=1.0)),
    data=_SMALL_DATA,
    training=replace(_SMALL_TRAINING, images=36_000, learning_rate=8e-4, warmup_images=320, seed=3),
)
SMALL_64_NOISY = replace(
    SMALL_64,
    name="colorizediffusion/small-64-noisy",
    about="Stage I at 64 px, to be compared with small-64; started from small-image-text",
    system=replace(SMALL_64.system, objective=replace(_SMALL_CLEAN, token_noise="same-timestep")),
    training=replace(SMALL_64.training, images=64_000),
)
SMALL_64_REFINED = replace(
    SMALL_64,
    name="colorizediffusion/small-64-refined",
    about="Stage II at 64 px: with small-64-noisy, from which it starts, as many images as small-64",
    training=replace(SMALL_64.training, images=16_000, learning_rate=3e-4, warmup_images=640, ema=0.99, seed=2),
)

PRESETS = (
    SMALL_ENCODERS,
    SMALL_IMAGE_TEXT,
    SMALL_64,
    SMALL_64_TOLD,
    SMALL,
    SMALL_64_NOISY,
    SMALL_64_REFINED,
    *VERSIONS,
    *ABLATIONS,
    TINY,
    TINY_V15,
    TINY_V2,
)
