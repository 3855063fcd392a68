"""The small KL autoencoder of the version that ships: a CPU learns it in minutes.

It answers as `diffusers.AutoencoderKL` does.  Two things make it quick: no normalization, which would have to hand the
absolute color of flat areas around itself; and a straight way through, by which latents are the colors of their cells
from the first step on, and the convolutions learn the rest (as in residual autoencoding, Chen et al. 2024).
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from diffusers.models.autoencoders.vae import DecoderOutput, DiagonalGaussianDistribution
from diffusers.models.modeling_outputs import AutoencoderKLOutput
from torch import Tensor, nn

from irodori.systems.colorizediffusion.blocks import zeroed
from irodori.systems.colorizediffusion.config import VAEConfig

FIRST_DEVIATION = 0.1
"""Deviation of the posterior before training."""


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions, added; it starts as the identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = zeroed(nn.Conv2d(channels, channels, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(F.silu(self.first(F.silu(x))))


class SmallAutoencoder(nn.Module):
    """Images ``(B, 3, H, W)`` in [-1, 1] to normal distributions of latents ``(B, c, H/s, W/s)``, and back."""

    def __init__(self, config: VAEConfig, latent_channels: int) -> None:
        super().__init__()
        self.stride = config.stride
        widths, blocks = config.channels, config.num_blocks
        down: list[nn.Module] = [nn.PixelUnshuffle(2), nn.Conv2d(12, widths[0], 3, padding=1)]
        for narrow, wide in pairwise(widths):
            down += [*_blocks(narrow, blocks), nn.Conv2d(narrow, wide, 4, 2, 1)]
        up: list[nn.Module] = [nn.Conv2d(latent_channels, widths[-1], 3, padding=1)]
        for wide, narrow in pairwise(reversed(widths)):
            up += [*_blocks(wide, blocks), nn.Upsample(scale_factor=2), nn.Conv2d(wide, narrow, 3, padding=1)]
        head = zeroed(nn.Conv2d(widths[-1], 2 * latent_channels, 3, padding=1))
        self.encoder = nn.Sequential(*down, *_blocks(widths[-1], blocks), nn.SiLU(), head)
        last = zeroed(nn.Conv2d(widths[0], 12, 3, padding=1))
        self.decoder = nn.Sequential(*up, *_blocks(widths[0], blocks), nn.SiLU(), last, nn.PixelShuffle(2))
        self.to_latents = nn.Conv2d(3, 2 * latent_channels, 1)
        self.to_colors = nn.Conv2d(latent_channels, 3, 1)
        if not head.weight.is_meta:
            self._pass_colors(latent_channels)

    @torch.no_grad()
    def _pass_colors(self, latent_channels: int) -> None:
        """Three latents start as the cell's mean color, at about unit deviation; the others carry nothing."""
        for layer, factor in ((self.to_latents, 2.0), (self.to_colors, 0.5)):
            zeroed(layer)
            layer.weight[:3, :3] = factor * torch.eye(3)[..., None, None]
        assert self.to_latents.bias is not None
        self.to_latents.bias[latent_channels:] = 2 * torch.tensor(FIRST_DEVIATION).log()

    def encode(self, image: Tensor) -> AutoencoderKLOutput:
        """Its `latent_dist` is the posterior."""
        colors = F.avg_pool2d(image, self.stride)
        return AutoencoderKLOutput(
            latent_dist=DiagonalGaussianDistribution(self.encoder(image) + self.to_latents(colors))
        )

    def decode(self, latents: Tensor) -> DecoderOutput:
        """Its `sample` is the image, not clamped."""
        colors = F.interpolate(self.to_colors(latents), scale_factor=self.stride, mode="bilinear")
        return DecoderOutput(sample=colors + self.decoder(latents))


def _blocks(channels: int, count: int) -> list[nn.Module]:
    return [ResidualBlock(channels) for _ in range(count)]
