"""The networks of the color transport: encoders into one domain, attention that carries colors, refinement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from irodori.nn.transformer import CrossAttentionBlock, Grid, SelfAttentionBlock
from irodori.systems.irodori.config import IrodoriConfig
from irodori.systems.irodori.sources import Sources

CELL = 4
"""Side of a cell of the transport, in pixels: colors are carried at 1/4 of the image, context at 1/8."""


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions added to the input; starts close to the identity, so that it needs no normalization."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        with torch.no_grad():
            self.second.weight.mul_(0.1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(F.leaky_relu(self.first(F.leaky_relu(x, 0.2)), 0.2))


class Pyramid(nn.Module):
    """Convolutions from an image ``(B, C, H, W)`` to features at 1/4 and 1/8 of its size."""

    def __init__(self, in_channels: int, channels: Sequence[int]) -> None:
        super().__init__()
        half, quarter, eighth = channels
        self.to_half = nn.Sequential(nn.Conv2d(4 * in_channels, half, 3, padding=1), nn.LeakyReLU(0.2))
        self.to_quarter = nn.Sequential(nn.Conv2d(half, quarter, 3, stride=2, padding=1), ResidualBlock(quarter))
        self.to_eighth = nn.Sequential(nn.Conv2d(quarter, eighth, 3, stride=2, padding=1), ResidualBlock(eighth))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        quarter = self.to_quarter(self.to_half(F.pixel_unshuffle(image, 2)))
        return quarter, self.to_eighth(quarter)


class Code(NamedTuple):
    """An encoded image.  fine: ``(B, c, H/4, W/4)``.  context: ``(B, H/8 * W/8, C)``."""

    fine: Tensor
    context: Tensor

    @property
    def grid(self) -> Grid:
        """``(H/8, W/8)``."""
        return self.fine.shape[-2] // 2, self.fine.shape[-1] // 2


class Join(nn.Module):
    """Features for matching at 1/4: the pyramid's own, with the context from 1/8 added."""

    def __init__(self, fine_channels: int, context_channels: int) -> None:
        super().__init__()
        self.from_context = nn.Conv2d(context_channels, fine_channels, 1)
        self.block = ResidualBlock(fine_channels)

    def forward(self, code: Code) -> Tensor:
        context = code.context.mT.unflatten(-1, code.grid)
        enlarged = F.interpolate(self.from_context(context), scale_factor=2.0, mode="bilinear")
        return self.block(code.fine + enlarged)


class Encoders(nn.Module):
    """A pyramid for sketches and one for references, then transformer blocks that both share."""

    def __init__(self, channels: Sequence[int], num_shared_blocks: int) -> None:
        super().__init__()
        self.sketch, self.reference = Pyramid(1, channels), Pyramid(3, channels)
        self.domain = nn.Parameter(torch.zeros(2, channels[2]))
        self.blocks = nn.ModuleList(SelfAttentionBlock(channels[2]) for _ in range(num_shared_blocks))

    def encode_sketch(self, sketch: Tensor) -> Code:
        return self._encode(self.sketch(sketch), self.domain[0])

    def encode_reference(self, reference: Tensor) -> Code:
        return self._encode(self.reference(reference), self.domain[1])

    def _encode(self, features: tuple[Tensor, Tensor], domain: Tensor) -> Code:
        fine, coarse = features
        grid = (coarse.shape[-2], coarse.shape[-1])
        context = coarse.flatten(2).mT + domain
        for block in self.blocks:
            context = block(context, grid)
        return Code(fine, context)


class Transported(NamedTuple):
    """What the attention brought to each cell of the sketch, for each head; ``h, w`` = H/4, W/4.

    colors: ``(B, heads, 3, h, w)`` in [-1, 1], the system's own guess mixed in where the sources have nothing.
    features: ``(B, heads, D, h, w)``.
    confidence: ``(B, heads, 1, h, w)`` in 0…1, the share of attention that fell on a source.
    labels: ``(B, L, h, w)``, shares of part labels among what was attended, mean of the heads; empty without labels.
    """

    colors: Tensor
    features: Tensor
    confidence: Tensor
    labels: Tensor


class Transport(nn.Module):
    """Multi-head cosine attention with learned temperature, whose values are the sources' own colors.

    All sources are tokens of one attention: cells of references, hints, palette entries, and one empty token that
    stands for "no source has it", whose color the sketch's features guess.  So every color is a convex mix of given
    colors and the guess.
    """

    def __init__(self, channels: int, config: IrodoriConfig) -> None:
        super().__init__()
        self.num_heads, self.key_channels = config.num_heads, config.key_channels
        heads, keys = config.num_heads, config.key_channels
        self.to_query = nn.Conv2d(channels, heads * keys, 1)
        self.to_key = nn.Conv2d(channels, heads * keys, 1)
        self.to_pixel_weights = nn.Conv2d(channels, heads * CELL * CELL, 1)
        self.to_value = nn.Conv2d(channels, heads * config.value_channels, 1) if config.value_channels else None
        self.to_guess = nn.Conv2d(channels, heads * 3, 1)
        self.hint_to_key = nn.Linear(channels, heads * keys)
        self.palette_to_key = nn.Sequential(nn.Linear(3, 64), nn.GELU("tanh"), nn.Linear(64, heads * keys))
        self.empty_key = nn.Parameter(torch.randn(heads, 1, keys))
        self.log_temperature = nn.Parameter(torch.full((heads, 1, 1), 2.5))
        self.source_bias = nn.Parameter(torch.zeros(4))  # reference, hint, palette, empty
        nn.init.zeros_(self.to_pixel_weights.weight)

    def reference_tokens(self, reference: Tensor, features: Tensor) -> Sources:
        """Cells of one reference ``(B, 3, H, W)`` with its matching features ``(B, C, H/4, W/4)`` as tokens.

        The color of a cell is a learned convex mix of its 4 x 4 pixels, another one for each head, so that a cell that
        holds several colors, or a line, can offer each of them unmixed.
        """
        weights = self.to_pixel_weights(features).unflatten(1, (self.num_heads, CELL * CELL)).softmax(2)
        pixels = F.pixel_unshuffle(reference, CELL).unflatten(1, (3, CELL * CELL))
        colors = torch.einsum("bnphw,bcphw->bnhwc", weights, pixels).flatten(2, 3)
        values = self._heads(self.to_value(features)) if self.to_value is not None else colors[..., :0]
        keys = self._with_bias(self._heads(self.to_key(features)), 0)
        return Sources(keys, colors, values, num_reference_tokens=keys.shape[2])

    def hint_tokens(self, features: Tensor, colors: Tensor) -> Sources:
        """Hints with the sketch's features under them ``(B, N, C)`` and their colors ``(B, N, 3)``."""
        return self._plain_tokens(self.hint_to_key(features), colors, 1)

    def palette_tokens(self, colors: Tensor) -> Sources:
        """Colors without a place, ``(B, M, 3)``."""
        return self._plain_tokens(self.palette_to_key(colors), colors, 2)

    def forward(
        self, features: Tensor, sources: Sources, labels: Tensor | None = None, bias: Tensor | None = None
    ) -> Transported:
        """features: ``(B, C, h, w)`` of the sketch.  labels: ``(B, K, L)`` part label shares of the tokens.

        bias: ``(B, h * w, K)``, added to the scores, for "use this reference for that part".
        """
        sources = self._with_empty(sources, features)
        grid = (features.shape[-2], features.shape[-1])
        carried, sizes = self._values(sources, labels)
        query, key = self.queries(features), sources.keys
        width = max(query.shape[-1], carried.shape[-1])
        width += -width % 16  # equal widths: the fused attention needs them
        query, key, value = (F.pad(part, (0, width - part.shape[-1])) for part in (query, key, carried))
        context = F.scaled_dot_product_attention(query, key, value, attn_mask=sources.mask(bias), scale=1.0)
        maps = context.mT.unflatten(-1, grid)[:, :, : sum(sizes)]
        colors, empty, values, found = maps.split(sizes, dim=2)
        guess = torch.tanh(self.to_guess(features)).unflatten(1, (self.num_heads, 3))
        return Transported(colors + empty * guess, values, 1 - empty, found.mean(1))

    def queries(self, features: Tensor) -> Tensor:
        """Unit queries times the temperature, and a last channel that reads the bias of the sources."""
        query = F.normalize(self._heads(self.to_query(features)), dim=-1)
        return torch.cat([query * self.log_temperature.exp().clamp(max=100), torch.ones_like(query[..., :1])], dim=-1)

    def attention_rows(self, features: Tensor, sources: Sources, cells: Tensor, bias: Tensor | None = None) -> Tensor:
        """Mean attention of some cells ``(n,)`` over the tokens of the references: ``(B, n, K)``, rows sum to 1."""
        query = self.queries(features)[:, :, cells]
        mask = sources.mask(bias if bias is None else bias[:, cells])
        scores = query @ sources.keys.mT + (0 if mask is None else mask)
        weights = scores.softmax(-1).mean(1)[..., : sources.num_reference_tokens]
        return weights / weights.sum(-1, keepdim=True).clamp(min=1e-12)

    def _values(self, sources: Sources, labels: Tensor | None) -> tuple[Tensor, list[int]]:
        """Everything that travels, side by side: color, "empty", learned values, labels; and their widths."""
        count = sources.colors.shape[2]
        empty = F.pad(torch.zeros_like(sources.colors[:, :, 1:, :1]), (0, 0, 0, 1), value=1.0)  # the last token is
        parts = [sources.colors, empty, sources.values]
        if labels is not None:
            padded = F.pad(labels, (0, 0, 0, count - labels.shape[1]))  # the empty token has no label
            parts.append(padded[:, None].expand(-1, self.num_heads, -1, -1))
        else:
            parts.append(sources.colors[..., :0])
        return torch.cat(parts, dim=-1), [part.shape[-1] for part in parts]

    def _with_empty(self, sources: Sources, features: Tensor) -> Sources:
        batch = len(features)
        keys = F.normalize(self.empty_key, dim=-1).expand(batch, -1, -1, -1)
        none = features.new_zeros(batch, self.num_heads, 1, 3)
        width = sources.values.shape[-1]
        return sources + Sources(self._with_bias(keys, 3), none, none.new_zeros(*none.shape[:3], width))

    def _plain_tokens(self, keys: Tensor, colors: Tensor, kind: int) -> Sources:
        heads = keys.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)
        colors = colors[:, None].expand(-1, self.num_heads, -1, -1)
        width = self.to_value.out_channels // self.num_heads if self.to_value is not None else 0
        return Sources(self._with_bias(heads, kind), colors, colors.new_zeros(*colors.shape[:3], width))

    def _with_bias(self, keys: Tensor, kind: int) -> Tensor:
        keys = F.normalize(keys, dim=-1)
        return torch.cat([keys, self.source_bias[kind].expand(*keys.shape[:-1], 1)], dim=-1)

    def _heads(self, maps: Tensor) -> Tensor:
        """``(B, heads * D, h, w)`` to ``(B, heads, h * w, D)``."""
        return maps.unflatten(1, (self.num_heads, -1)).flatten(3).mT


class Refinement(nn.Module):
    """From transported colors at 1/4 to the color layer at full size.

    Each pixel is a convex mix of the colors that the heads brought to the 3 x 3 cells around it (the learned upsampling
    of Teed and Deng 2020, section 3.3, with several candidates per cell), plus a small residual for what no source has.
    """

    def __init__(self, channels: int, config: IrodoriConfig) -> None:
        super().__init__()
        self.carries_colors = config.values == "colors"
        carried = config.num_heads * ((3 if self.carries_colors else 0) + 1 + config.value_channels)
        width = config.refine_channels
        self.body = nn.Sequential(nn.Conv2d(channels + carried, width, 3, padding=1), ResidualBlock(width))
        self.to_weights = nn.Conv2d(width, CELL * CELL * 9 * config.num_heads, 1) if self.carries_colors else None
        self.to_residual = nn.Conv2d(width, CELL * CELL * 3, 1)
        nn.init.zeros_(self.to_residual.weight)

    def forward(self, features: Tensor, transported: Transported) -> tuple[Tensor, Tensor, Tensor]:
        """The color layer, the part of it that was transported, both ``(B, 3, H, W)``; confidence ``(B, 1, H, W)``."""
        brought = [transported.features.flatten(1, 2), transported.confidence.flatten(1, 2)]
        brought += [transported.colors.flatten(1, 2)] if self.carries_colors else []
        x = self.body(torch.cat([features, *brought], dim=1))
        residual = F.pixel_shuffle(self.to_residual(F.leaky_relu(x, 0.2)), CELL)
        candidates = torch.cat([transported.colors, transported.confidence], dim=2)
        if self.to_weights is None:
            confidence = F.interpolate(transported.confidence.mean(1), scale_factor=float(CELL))
            image = torch.tanh(residual)
            return image, image, confidence
        mixed = convex_upsample(candidates, self.to_weights(F.leaky_relu(x, 0.2)))
        colors, confidence = mixed[:, :3], mixed[:, 3:]
        return (colors + torch.tanh(residual)).clamp(-1, 1), colors, confidence


def convex_upsample(candidates: Tensor, scores: Tensor, cell: int = CELL) -> Tensor:
    """Enlarges ``(B, heads, C, h, w)`` to ``(B, C, h * cell, w * cell)``.

    scores: ``(B, cell * cell * heads * 9, h, w)``; their softmax over all heads and the 9 cells around is the weight.
    """
    batch, heads, channels, height, width = candidates.shape
    weights = scores.permute(0, 2, 3, 1).unflatten(-1, (cell * cell, heads * 9)).softmax(-1)
    padded = F.pad(candidates.flatten(1, 2), (1, 1, 1, 1), mode="replicate")
    around = F.unfold(padded, 3).view(batch, heads, channels, 9, height, width)
    around = around.permute(0, 4, 5, 1, 3, 2).reshape(batch, height, width, heads * 9, channels)
    mixed = (weights @ around).permute(0, 4, 3, 1, 2)
    return F.pixel_shuffle(mixed.reshape(batch, channels * cell * cell, height, width), cell)


class Painter(nn.Module):
    """From encodings and sources to the color layer."""

    def __init__(self, config: IrodoriConfig, num_part_names: int) -> None:
        super().__init__()
        fine, context = config.channels[1], config.channels[2]
        self.cross_blocks = nn.ModuleList(CrossAttentionBlock(context) for _ in range(config.num_cross_blocks))
        self.join_sketch, self.join_reference = Join(fine, context), Join(fine, context)
        self.transport = Transport(fine, config)
        self.to_part_names = nn.Conv2d(fine, num_part_names, 1)
        self.refinement = Refinement(fine, config) if config.refine else None

    def look(self, sketch: Code, references: Sequence[Code], present: Tensor) -> Tensor:
        """The sketch's matching features ``(B, c, h, w)``, after it has looked at the references.

        present: ``(B, n)`` bool, which references exist in which image of the batch.
        """
        if not references:
            return self.join_sketch(sketch)
        memory = torch.cat([code.context for code in references], dim=1)
        sizes = [code.context.shape[1] for code in references]
        tokens_present = torch.cat([present[:, i : i + 1].expand(-1, size) for i, size in enumerate(sizes)], dim=1)
        context = sketch.context
        for block in self.cross_blocks:
            context = block(context, memory, tokens_present)
        return self.join_sketch(sketch._replace(context=context))

    def finish(self, features: Tensor, transported: Transported) -> tuple[Tensor, Tensor, Tensor]:
        """The color layer, its transported part, and confidence, at full size."""
        if self.refinement is not None:
            return self.refinement(features, transported)
        candidates = torch.cat([transported.colors, transported.confidence], dim=2).mean(1)
        enlarged = F.interpolate(candidates, scale_factor=float(CELL), mode="bilinear")
        return enlarged[:, :3], enlarged[:, :3], enlarged[:, 3:]
