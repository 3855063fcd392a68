"""The parts of a model, by configuration: what a weight file of ColorizeDiffusion holds."""

from __future__ import annotations

from typing import Any

from diffusers import AutoencoderKL
from torch import nn

from irodori.systems.colorizediffusion.autoencoder import SmallAutoencoder
from irodori.systems.colorizediffusion.blocks import ClassProjection, RecoveryTransformer
from irodori.systems.colorizediffusion.config import ColorizeDiffusionConfig, VAEConfig
from irodori.systems.colorizediffusion.image_text import ImageTextEncoder
from irodori.systems.colorizediffusion.networks import (
    BackgroundEncoder,
    DenoisingUNet,
    SketchEncoder,
    StyleEncoder,
    ThresholdEmbedder,
)


def make_parts(config: ColorizeDiffusionConfig) -> dict[str, nn.Module]:
    """All networks of a version with fresh weights, by name."""
    is_v2, channels = config.version == "v2", config.unet.token_channels
    parts: dict[str, nn.Module] = {
        "unet": DenoisingUNet(config.unet, config.adapters, injects_background=is_v2, modulates_style=is_v2),
        "sketch_encoder": SketchEncoder(config.sketch_channels, config.unet.widths, config.hints_start_at_zero),
        "vae": make_vae(config.vae, config.unet.latent_channels),
        "encoder": ImageTextEncoder(config.encoder),
    }
    if config.tokens == "projected-cls":
        parts["projection"] = ClassProjection(channels, config.encoder.num_tokens)
    if config.version == "v1.5":
        parts["threshold_embedder"] = ThresholdEmbedder(channels)
    if config.recovery is not None:
        parts["recovery"] = RecoveryTransformer(config.recovery, channels)
    if is_v2:
        parts["background_encoder"] = BackgroundEncoder(config.unet)
        parts["style_encoder"] = StyleEncoder(config.unet)
    return parts


def make_vae(config: VAEConfig, latent_channels: int) -> Any:
    """The KL autoencoder of Stable Diffusion, at any width, or the small one; untyped as diffusers is."""
    if config.kind == "small":
        return SmallAutoencoder(config, latent_channels)
    levels = len(config.channels)
    return AutoencoderKL(
        in_channels=3, out_channels=3, latent_channels=latent_channels,
        down_block_types=("DownEncoderBlock2D",) * levels, up_block_types=("UpDecoderBlock2D",) * levels,
        block_out_channels=config.channels, layers_per_block=config.num_blocks, norm_num_groups=config.norm_groups,
        scaling_factor=config.scaling,
    )  # fmt: skip
