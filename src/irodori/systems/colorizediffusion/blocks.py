"""Attention of ColorizeDiffusion: over an image's own positions, to a reference's tokens, and split in two by a mask.

Convolutional blocks are those of diffusers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeVar

import torch
import torch.nn.functional as F
from diffusers.models.attention import FeedForward
from torch import Tensor, nn

from irodori.systems.colorizediffusion.config import AdapterConfig, RecoveryConfig

Layer = TypeVar("Layer", nn.Linear, nn.Conv2d)


@dataclass(frozen=True)
class Split:
    """What split cross-attention (equation 5.4) is told beside the tokens.

    mask: ``(B, 1, h, w)``, the sketch's foreground at latent size, in 0…1.
    threshold: ``(B,)``, tau_s.
    foreground, background: whether a branch uses its adapter.
    foreground_scale, background_scale: factors on the branches.  merge: share of the background's branch that is mixed
        into the foreground's.
    """

    mask: Tensor
    threshold: Tensor
    foreground: bool = True
    background: bool = True
    foreground_scale: float = 1.0
    background_scale: float = 1.0
    merge: float = 0.0

    def is_foreground(self, size: tuple[int, int], is_inclusive: bool = False) -> Tensor:
        """``(B, 1, *size)``, where the mask, resized by cubic interpolation, lies over the threshold.

        is_inclusive: a mask that equals the threshold is foreground too.
        """
        mask = F.interpolate(self.mask, size, mode="bicubic")
        threshold = self.threshold.view(-1, 1, 1, 1)
        return mask >= threshold if is_inclusive else mask > threshold


class Adapter(nn.Module):
    """The low-rank change of a weight, ``up(down(x))``; it starts at zero (Hu et al. 2021)."""

    def __init__(self, in_channels: int, out_channels: int, rank: float) -> None:
        super().__init__()
        rank = int(rank * min(in_channels, out_channels)) if rank < 1 else int(rank)
        self.down = nn.Linear(in_channels, rank, bias=False)
        self.up = nn.Linear(rank, out_channels, bias=False)
        if not self.down.weight.is_meta:
            nn.init.normal_(self.down.weight, std=1 / rank)
            nn.init.zeros_(self.up.weight)

    def forward(self, x: Tensor) -> Tensor:
        return self.up(self.down(x))


class BranchAdapter(nn.Module):
    """The adapters of queries, keys and values in one branch."""

    def __init__(self, channels: int, token_channels: int, rank: float) -> None:
        super().__init__()
        self.q = Adapter(channels, channels, rank)
        self.k, self.v = (Adapter(token_channels, channels, rank) for _ in range(2))

    def forward(self, x: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self.q(x), self.k(tokens), self.v(tokens)


class Attention(nn.Module):
    """Multi-head attention; queries, keys and values without bias."""

    def __init__(self, channels: int, head_channels: int, context_channels: int = 0) -> None:
        super().__init__()
        self.head_channels = head_channels
        self.to_q = nn.Linear(channels, channels, bias=False)
        self.to_k = nn.Linear(context_channels or channels, channels, bias=False)
        self.to_v = nn.Linear(context_channels or channels, channels, bias=False)
        self.to_out = nn.Linear(channels, channels)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """x: ``(B, N, C)``.  context: ``(B, K, context_channels)``, x itself if there is none."""
        context = x if context is None else context
        return self.to_out(self.attend(self.to_q(x), self.to_k(context), self.to_v(context)))

    def attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """``softmax(q k / sqrt(d)) v`` for each head, heads joined again."""
        query, key, value = (
            part.unflatten(-1, (-1, self.head_channels)).transpose(1, 2) for part in (query, key, value)
        )
        return F.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)


class ReferenceAttention(Attention):
    """Cross-attention to a reference's tokens, whole or split into foreground and background (section 5.5.2)."""

    def __init__(
        self, channels: int, head_channels: int, token_channels: int, adapters: AdapterConfig | None = None
    ) -> None:
        super().__init__(channels, head_channels, token_channels)
        self.adapters = nn.ModuleDict()
        if adapters is not None:
            self.adapters["foreground"] = BranchAdapter(channels, token_channels, adapters.foreground_rank)
            self.adapters["background"] = BranchAdapter(channels, token_channels, adapters.background_rank)

    def forward(  # type: ignore[override]
        self, x: Tensor, tokens: Tensor, size: tuple[int, int], split: Split | None = None, strength: float = 1.0
    ) -> Tensor:
        """x: ``(B, h * w, C)`` positions of a map of `size` ``(h, w)``.

        tokens: ``(B, K, token_channels)``; with a split, foreground tokens and then as many background tokens.
        strength: factor on what attention brings, before the last linear layer (its bias stays).
        """
        if split is None:
            return self.to_out(strength * self._branch(x, tokens, ""))
        foreground_tokens, background_tokens = tokens.chunk(2, dim=1)
        foreground = self._branch(x, foreground_tokens, "foreground" if split.foreground else "")
        background = self._branch(x, background_tokens, "background" if split.background else "")
        foreground, background = split.foreground_scale * foreground, split.background_scale * background
        foreground = foreground * (1 - split.merge) + background * split.merge
        # As released: a mask exactly at the threshold is foreground where there are no adapters, else background.
        is_foreground = split.is_foreground(size, is_inclusive=not self.adapters).flatten(2).mT
        return self.to_out(strength * torch.where(is_foreground, foreground, background))

    def weights(self, x: Tensor, tokens: Tensor) -> Tensor:
        """How much each position looks at each token, without a split: ``(B, N, K)``, mean of the heads."""
        query, key = (
            part.unflatten(-1, (-1, self.head_channels)).transpose(1, 2) for part in (self.to_q(x), self.to_k(tokens))
        )
        return (query @ key.mT / math.sqrt(self.head_channels)).softmax(-1).mean(1)

    def _branch(self, x: Tensor, tokens: Tensor, adapter: str) -> Tensor:
        """Attention before the last layer; adapter: name of the one used, "" for none."""
        query, key, value = self.to_q(x), self.to_k(tokens), self.to_v(tokens)
        if adapter in self.adapters:
            changes = self.adapters[adapter](x, tokens)
            query, key, value = (part + change for part, change in zip((query, key, value), changes, strict=True))
        return self.attend(query, key, value)


class SpatialTransformer(nn.Module):
    """One transformer block over the positions of a map, between 1x1 convolutions, added to the map."""

    def __init__(
        self,
        channels: int,
        head_channels: int,
        token_channels: int,
        norm_groups: int,
        adapters: AdapterConfig | None = None,
    ) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(norm_groups, channels, eps=1e-6)
        self.proj_in = nn.Conv2d(channels, channels, 1)
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(channels) for _ in range(3))
        self.attn1 = Attention(channels, head_channels)
        self.attn2 = ReferenceAttention(channels, head_channels, token_channels, adapters)
        self.ff = FeedForward(channels, activation_fn="geglu")
        self.proj_out = nn.Conv2d(channels, channels, 1)

    def forward(self, maps: Tensor, tokens: Tensor, split: Split | None = None, strength: float = 1.0) -> Tensor:
        """maps: ``(B, C, h, w)``; the rest as in `ReferenceAttention`."""
        size = (maps.shape[-2], maps.shape[-1])
        x = self.proj_in(self.norm(maps)).flatten(2).mT
        x = x + self.attn1(self.norm1(x))
        x = x + self.attn2(self.norm2(x), tokens, size, split, strength)
        x = x + self.ff(self.norm3(x))
        return maps + self.proj_out(x.mT.unflatten(2, size))


class WarpModule(nn.Module):
    """Background injection of v2 (figure 5.16): skip features look for what belongs there in the background's."""

    def __init__(self, channels: int, head_channels: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(channels), nn.LayerNorm(channels)
        self.attn = Attention(channels, head_channels)
        self.ff = perceptron(channels, starts_at_zero=True)

    def forward(self, skip: Tensor, background: Tensor) -> Tensor:
        """skip: ``(B, C, h, w)``.  background: ``(B, h * w, C)``, not normalized."""
        x = skip.flatten(2).mT
        x = x + self.attn(self.norm1(x), background)
        x = x + self.ff(self.norm2(x))
        return x.mT.unflatten(2, skip.shape[-2:])


class StyleModule(nn.Module):
    """Style injection of v2 (figure 5.16): scale and shift of a decoder block's output from hint and timestep."""

    def __init__(self, channels: int, time_channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(2 * channels)
        self.time = nn.Linear(time_channels, 2 * channels)
        self.proj = zeroed(nn.Linear(2 * channels, 2 * channels))

    def forward(self, maps: Tensor, hint: Tensor, time: Tensor) -> Tensor:
        """maps: ``(B, C, h, w)``.  hint: ``(B, 2 * C)``.  time: ``(B, time_channels)``."""
        modulation = self.proj(self.norm(hint + self.time(time)))[..., None, None]
        scale, shift = modulation.chunk(2, dim=1)
        return maps * (1 + scale) + shift


class RecoveryTransformer(nn.Module):
    """Recovers the background's tokens from those of a reference whose foreground was painted over (section 5.5.4)."""

    def __init__(self, config: RecoveryConfig, channels: int) -> None:
        super().__init__()
        self.embedding = nn.Parameter(torch.randn(config.num_tokens, channels)) if config.kind == "resampler" else None
        self.layers = nn.ModuleList(RecoveryLayer(channels, config.head_channels) for _ in range(config.num_layers))

    def forward(self, tokens: Tensor) -> Tensor:
        """``(B, K, C)`` to as many tokens; in a resampler every layer sees the same, un-normalized ones."""
        if self.embedding is None:
            for layer in self.layers:
                tokens = layer(tokens, None)
            return tokens
        x = self.embedding.expand(len(tokens), -1, -1)
        for layer in self.layers:
            x = layer(x, tokens)
        return x


class RecoveryLayer(nn.Module):
    """Attention, to other tokens or among themselves, then a perceptron; both pre-norm and residual."""

    def __init__(self, channels: int, head_channels: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(channels), nn.LayerNorm(channels)
        self.attn = Attention(channels, head_channels)
        self.ff = perceptron(channels)

    def forward(self, x: Tensor, context: Tensor | None) -> Tensor:
        x = x + self.attn(self.norm1(x), context)
        return x + self.ff(self.norm2(x))


def perceptron(channels: int, starts_at_zero: bool = False) -> nn.Sequential:
    """Two linear layers, four times as wide between, with SiLU."""
    last = nn.Linear(4 * channels, channels)
    return nn.Sequential(nn.Linear(channels, 4 * channels), nn.SiLU(), zeroed(last) if starts_at_zero else last)


def zeroed(layer: Layer) -> Layer:
    """The layer with weights and bias zero: what it feeds starts unchanged (Zhang et al. 2023)."""
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


class ClassProjection(nn.Module):
    """Ablation of section 5.4.4: the class token becomes as many tokens as there are local ones.

    Two linear layers with an activation between, the first onto the heads of all tokens, the second shared by them.
    """

    def __init__(self, channels: int, num_tokens: int, head_channels: int = 128) -> None:
        super().__init__()
        self.num_tokens = num_tokens
        self.first = nn.Linear(channels, num_tokens * head_channels)
        self.second = nn.Linear(head_channels, channels)

    def forward(self, token: Tensor) -> Tensor:
        """``(B, 1, C)`` to ``(B, num_tokens, C)``."""
        heads = self.first(token[:, 0]).unflatten(-1, (self.num_tokens, -1))
        return self.second(F.silu(heads))
