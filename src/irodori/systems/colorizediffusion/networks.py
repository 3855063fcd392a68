"""Networks of ColorizeDiffusion: the denoising U-Net, the sketch encoder, and the reference encoders of v2.

They are made of diffusers' blocks, in the order in which SD's original code counts them: input blocks 0 … 11, the
middle, output blocks 0 … 11.  Attention blocks are counted in that order too, 0 … 15.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from diffusers.models.downsampling import Downsample2D
from diffusers.models.embeddings import TimestepEmbedding, get_timestep_embedding
from diffusers.models.resnet import ResnetBlock2D
from diffusers.models.upsampling import Upsample2D
from torch import Tensor, nn

from irodori.systems.colorizediffusion.blocks import SpatialTransformer, Split, StyleModule, WarpModule, zeroed
from irodori.systems.colorizediffusion.config import AdapterConfig, UNetConfig

LABEL_CHANNELS = 256
"""Width of the sinusoids of a number that is no timestep: a threshold, a ratio of sizes."""


@dataclass(frozen=True)
class Condition:
    """All that the denoising network is told; B is the batch.

    hints: of the sketch encoder, one for each level and one for the innermost block.
    tokens: ``(B, K, C)`` of the reference; with a split, foreground tokens and then as many background tokens.
    background: of the background encoder, one ``(B, h * w, c)`` for each output block.
    style: of the style encoder, one ``(B, 2 * c)`` for each output block.
    strengths: factor on each cross-attention, in the order of attention blocks; empty: 1.
    """

    hints: tuple[Tensor, ...]
    tokens: Tensor
    split: Split | None = None
    background: tuple[Tensor, ...] = ()
    style: tuple[Tensor, ...] = ()
    strengths: tuple[float, ...] = ()


def sinusoids(numbers: Tensor, channels: int) -> Tensor:
    """``(B,)`` to ``(B, channels)``, cosines first; periods up to 10000; fractions are allowed."""
    return get_timestep_embedding(numbers, channels, flip_sin_to_cos=True, downscale_freq_shift=0)


def input_widths(config: UNetConfig) -> list[int]:
    """Channels of the outputs of all input blocks, outer to inner."""
    widths = [config.channels]
    for level, width in enumerate(config.widths):
        widths += [width] * config.num_blocks
        if level + 1 < len(config.widths):
            widths.append(width)
    return widths


def output_widths(config: UNetConfig) -> list[int]:
    """Channels of the outputs of all output blocks, inner to outer."""
    return [width for width in reversed(config.widths) for _ in range(config.num_blocks + 1)]


def hint_positions(config: UNetConfig) -> list[int]:
    """Input blocks whose output gets a hint (equation 5.1): the first of each level, and the last of all."""
    step = config.num_blocks + 1
    return [*(step * level for level in range(len(config.widths))), step * len(config.widths) - 1]


def attention_count(config: UNetConfig) -> int:
    """Number of attention blocks of the denoising network."""
    return config.attention_levels * (2 * config.num_blocks + 1) + 1


class Block(nn.Module):
    """A residual block, then attention to the reference, then a change of size; each may be absent."""

    def __init__(
        self,
        resnet: ResnetBlock2D | None = None,
        transformer: SpatialTransformer | None = None,
        resize: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.resnet, self.transformer, self.resize = resnet, transformer, resize

    def forward(
        self, maps: Tensor, time: Tensor, tokens: Tensor, split: Split | None = None, strength: float = 1.0
    ) -> Tensor:
        if self.resnet is not None:
            maps = self.resnet(maps, time)
        if self.transformer is not None:
            maps = self.transformer(maps, tokens, split, strength)
        return maps if self.resize is None else self.resize(maps)


class _Builder:
    """Makes the blocks of a configuration."""

    def __init__(self, config: UNetConfig, adapters: AdapterConfig | None = None) -> None:
        self.config, self.adapters = config, adapters
        self.time_channels = 4 * config.channels

    def resnet(self, in_channels: int, out_channels: int) -> ResnetBlock2D:
        groups = self.config.norm_groups
        return ResnetBlock2D(
            in_channels=in_channels,
            out_channels=out_channels,
            temb_channels=self.time_channels,
            groups=groups,
            eps=1e-5,
        )

    def transformer(self, channels: int, *, in_decoder: bool = False) -> SpatialTransformer:
        adapters = self.adapters
        if adapters is not None and adapters.decoder_only and not in_decoder:
            adapters = None
        config = self.config
        return SpatialTransformer(channels, config.head_channels, config.token_channels, config.norm_groups, adapters)

    def input_blocks(self) -> nn.ModuleList:
        config, width = self.config, self.config.channels
        blocks = [Block(resize=nn.Conv2d(config.latent_channels, width, 3, padding=1))]
        for level, channels in enumerate(config.widths):
            for _ in range(config.num_blocks):
                attends = level < config.attention_levels
                transformer = self.transformer(channels) if attends else None
                blocks.append(Block(self.resnet(width, channels), transformer))
                width = channels
            if level + 1 < len(config.widths):
                blocks.append(Block(resize=Downsample2D(width, use_conv=True, name="op")))
        return nn.ModuleList(blocks)

    def output_blocks(self) -> nn.ModuleList:
        config, blocks = self.config, []
        width, skips = config.widths[-1], input_widths(config)
        for level, channels in reversed(list(enumerate(config.widths))):
            for number in range(config.num_blocks + 1):
                attends = level < config.attention_levels
                transformer = self.transformer(channels, in_decoder=True) if attends else None
                is_last = level > 0 and number == config.num_blocks
                resize = Upsample2D(channels, use_conv=True) if is_last else None
                blocks.append(Block(self.resnet(width + skips.pop(), channels), transformer, resize))
                width = channels
        return nn.ModuleList(blocks)


class DenoisingUNet(nn.Module):
    """epsilon_theta of equations 5.2 to 5.5: noisy latents, timestep and conditions to the prediction (eps or v).

    injects_background, modulates_style: the parts of v2.
    """

    def __init__(
        self,
        config: UNetConfig,
        adapters: AdapterConfig | None = None,
        injects_background: bool = False,
        modulates_style: bool = False,
    ) -> None:
        super().__init__()
        make = _Builder(config, adapters)
        width = config.widths[-1]
        self.channels = config.channels
        self.hint_positions = hint_positions(config)
        self.time_embedding = TimestepEmbedding(config.channels, make.time_channels)
        self.input_blocks = make.input_blocks()
        self.middle = nn.ModuleList(
            [Block(make.resnet(width, width), make.transformer(width)), Block(make.resnet(width, width))]
        )
        self.output_blocks = make.output_blocks()
        skips = reversed(input_widths(config)) if injects_background else ()
        self.warp_modules = nn.ModuleList(WarpModule(channels, config.warp_head_channels) for channels in skips)
        styled = output_widths(config) if modulates_style else ()
        self.style_modules = nn.ModuleList(StyleModule(channels, make.time_channels) for channels in styled)
        self.norm_out = nn.GroupNorm(config.norm_groups, config.channels, eps=1e-5)
        self.conv_out = nn.Conv2d(config.channels, config.latent_channels, 3, padding=1)

    def forward(self, latents: Tensor, timesteps: Tensor, condition: Condition) -> Tensor:
        """latents: ``(B, c, h, w)``.  timesteps: ``(B,)`` in 0…999, fractions allowed.  Returns the latents' shape."""
        time = self.time_embedding(sinusoids(timesteps, self.channels).to(latents.dtype))
        strengths = iter(condition.strengths)
        maps, skips = self._encode(latents, time, condition, strengths)
        for block in self.middle:
            maps = _run(block, maps, time, condition, strengths)
        for number, block in enumerate(self.output_blocks):
            skip = self._with_background(number, skips.pop(), condition)
            maps = _run(block, torch.cat([maps, skip], dim=1), time, condition, strengths)
            if condition.style:
                maps = self.style_modules[number](maps, condition.style[number], time)
        return self.conv_out(F.silu(self.norm_out(maps)))

    def _encode(
        self, maps: Tensor, time: Tensor, condition: Condition, strengths: Iterator[float]
    ) -> tuple[Tensor, list[Tensor]]:
        """The way down; hints enter the main path and the skips alike (equation 5.1)."""
        skips, hints = [], iter(condition.hints)
        for number, block in enumerate(self.input_blocks):
            maps = _run(block, maps, time, condition, strengths)
            if number in self.hint_positions:
                maps = maps + next(hints)
            skips.append(maps)
        return maps, skips

    def _with_background(self, number: int, skip: Tensor, condition: Condition) -> Tensor:
        """Skip features outside the sketch's foreground come from the reference's background (v2)."""
        if not condition.background or condition.split is None:
            return skip
        warped = self.warp_modules[number](skip, condition.background[number])
        return torch.where(condition.split.is_foreground((skip.shape[-2], skip.shape[-1])), skip, warped)


def _run(block: nn.Module, maps: Tensor, time: Tensor, condition: Condition, strengths: Iterator[float]) -> Tensor:
    """A block under a condition; those with attention take the next strength."""
    strength = next(strengths, 1.0) if block.transformer is not None else 1.0
    return block(maps, time, condition.tokens, condition.split, strength)


class SketchEncoder(nn.Module):
    """The multi-scale sketch encoder (section 5.3.2, table 5.2): an image to one hint for each level, and one more.

    As released, which differs from table 5.2: the trunk's last convolution is an ordinary one, and every level has a
    stage of two convolutions and a 1x1 convolution that starts at zero.
    """

    def __init__(self, trunk_channels: Sequence[int], widths: Sequence[int], starts_at_zero: bool = True) -> None:
        super().__init__()
        self.trunk = nn.Sequential(*_trunk(trunk_channels, widths[0]))
        zero = zeroed if starts_at_zero else _as_it_is
        self.zero = zero(nn.Conv2d(widths[0], widths[0], 1))
        ins, strides = (widths[0], *widths), (*(2 for _ in widths[1:]), 1)
        self.stages = nn.ModuleList(
            nn.Sequential(
                nn.SiLU(), nn.Conv2d(ins[level], width, 3, strides[level], 1),
                nn.SiLU(), nn.Conv2d(width, width, 3, padding=1),
            )
            for level, width in enumerate(widths)
        )  # fmt: skip
        self.zeros = nn.ModuleList(zero(nn.Conv2d(width, width, 1)) for width in widths)

    def forward(self, sketch: Tensor) -> tuple[Tensor, ...]:
        """sketch: ``(B, 3, H, W)``, **lines +1, paper -1**; to hints at H/8, H/16, H/32, H/64 and H/64."""
        maps = self.trunk(sketch)
        hints = [self.zero(maps)]
        for stage, zero in zip(self.stages, self.zeros, strict=True):
            maps = stage(maps)
            hints.append(zero(maps))
        return tuple(hints)


def _as_it_is(layer: nn.Conv2d) -> nn.Conv2d:
    return layer


def _trunk(channels: Sequence[int], out_channels: int) -> Iterator[nn.Module]:
    """3x3 convolutions with SiLU between; the size halves where the width changes."""
    steps = [(3, channels[0], 1)]
    for narrow, wide in pairwise(channels):
        steps += [(narrow, narrow, 1), (narrow, wide, 2)]
    for ins, outs, stride in steps:
        yield nn.Conv2d(ins, outs, 3, stride, 1)
        yield nn.SiLU()
    yield nn.Conv2d(channels[-1], out_channels, 3, padding=1)


class _ReferenceEncoder(nn.Module):
    """The encoder half of the denoising network, on clean latents of a reference, with its relative size as label."""

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        make = _Builder(config)
        self.channels = config.channels
        self.time_embedding = TimestepEmbedding(config.channels, make.time_channels)
        self.label_embedding = TimestepEmbedding(2 * LABEL_CHANNELS, make.time_channels)
        self.input_blocks = make.input_blocks()

    def encode(self, latents: Tensor, label: Tensor, tokens: Tensor) -> Iterator[Tensor]:
        """The outputs of all input blocks, at timestep 0.  label: ``(B, 512)``, see `size_label`."""
        time = sinusoids(latents.new_zeros(len(latents)), self.channels).to(latents.dtype)
        time = self.time_embedding(time) + self.label_embedding(label)
        maps = latents
        for block in self.input_blocks:
            maps = block(maps, time, tokens)
            yield maps


class BackgroundEncoder(_ReferenceEncoder):
    """phi_bg of section 5.6.1: low-level features of the reference's background for the warp modules."""

    def __init__(self, config: UNetConfig) -> None:
        super().__init__(config)
        self.zeros = nn.ModuleList(zeroed(nn.Conv2d(width, width, 1)) for width in input_widths(config))

    def forward(self, latents: Tensor, label: Tensor, tokens: Tensor) -> tuple[Tensor, ...]:
        """One ``(B, h * w, c)`` for each output block of the denoising network, inner to outer."""
        maps = zip(self.zeros, self.encode(latents, label, tokens), strict=True)
        return tuple(zero(each).flatten(2).mT for zero, each in maps)[::-1]


class StyleEncoder(_ReferenceEncoder):
    """phi_style of section 5.6.1: global style of the whole reference for the style modules."""

    def __init__(self, config: UNetConfig) -> None:
        super().__init__(config)
        widths = zip(input_widths(config), reversed(output_widths(config)), strict=True)
        self.zeros = nn.ModuleList(zeroed(nn.Linear(width, 2 * styled)) for width, styled in widths)

    def forward(self, latents: Tensor, label: Tensor, tokens: Tensor) -> tuple[Tensor, ...]:
        """One ``(B, 2 * c)`` for each output block of the denoising network, inner to outer."""
        maps = zip(self.zeros, self.encode(latents, label, tokens), strict=True)
        return tuple(zero(each.mean((2, 3))) for zero, each in maps)[::-1]


class ThresholdEmbedder(nn.Module):
    """A token for a mask's threshold, added to the tokens that were cut out with it (v1.5)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Linear(LABEL_CHANNELS, channels)
        self.second = zeroed(nn.Linear(channels, channels))

    def forward(self, thresholds: Tensor) -> Tensor:
        """``(B,)`` in 0…1, as they are, to ``(B, 1, channels)``."""
        x = sinusoids(thresholds, LABEL_CHANNELS).to(self.first.weight.dtype)
        return self.second(F.silu(self.first(x)))[:, None]


def size_label(reference: tuple[int, int], output: tuple[int, int]) -> Tensor:
    """Sizes of the reference relative to the output, each as sinusoids: ``(1, 512)`` (v2).

    Both are ``(height, width)``.  A reference that is smaller in either side counts as enlarged by the output's longer
    side, as released.
    """
    height, width = (float(side) for side in reference)
    if reference[0] < output[0] or reference[1] < output[1]:
        enlarged = height + max(output)
        height, width = enlarged, width / height * enlarged
    return sinusoids(torch.tensor([height / output[0], width / output[1]]), LABEL_CHANNELS).view(1, -1)
