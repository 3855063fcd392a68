"""Transformer blocks over the positions of an image of any size."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

HEAD_CHANNELS = 32

Grid = tuple[int, int]


class SelfAttentionBlock(nn.Module):
    """Pre-norm self-attention with rotary positions, then a perceptron (Vaswani et al. 2017; Su et al. 2021).

    Positions enter as differences only, so that a figure is the same wherever it stands.
    """

    def __init__(self, channels: int, expansion: int = 2) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.to_qkv = nn.Linear(channels, 3 * channels, bias=False)
        self.to_out = nn.Linear(channels, channels)
        self.perceptron = Perceptron(channels, expansion)

    def forward(self, tokens: Tensor, grid: Grid) -> Tensor:
        """tokens: ``(B, h * w, C)``, row-major positions of `grid` ``(h, w)``."""
        query, key, value = (_split_heads(part) for part in self.to_qkv(self.norm(tokens)).chunk(3, dim=-1))
        query, key = rotate(query, grid), rotate(key, grid)
        tokens = tokens + self.to_out(_join_heads(F.scaled_dot_product_attention(query, key, value)))
        return tokens + self.perceptron(tokens)


class CrossAttentionBlock(nn.Module):
    """Pre-norm attention from one set of tokens to another, without positions, then a perceptron."""

    def __init__(self, channels: int, expansion: int = 2) -> None:
        super().__init__()
        self.norm, self.memory_norm = nn.LayerNorm(channels), nn.LayerNorm(channels)
        self.to_query = nn.Linear(channels, channels, bias=False)
        self.to_key_value = nn.Linear(channels, 2 * channels, bias=False)
        self.to_out = nn.Linear(channels, channels)
        self.perceptron = Perceptron(channels, expansion)

    def forward(self, tokens: Tensor, memory: Tensor, present: Tensor) -> Tensor:
        """tokens: ``(B, Q, C)``.  memory: ``(B, K, C)``.  present: ``(B, K)`` bool, which memory tokens exist."""
        query = _split_heads(self.to_query(self.norm(tokens)))
        key, value = (_split_heads(part) for part in self.to_key_value(self.memory_norm(memory)).chunk(2, dim=-1))
        key, value = (F.pad(part, (0, 0, 0, 1)) for part in (key, value))  # an empty token: there may be no other
        mask = F.pad(present, (0, 1), value=True)[:, None, None]
        context = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        tokens = tokens + self.to_out(_join_heads(context))
        return tokens + self.perceptron(tokens)


class Perceptron(nn.Sequential):
    """Norm, two linear layers with GELU between: ``(..., C)`` to ``(..., C)``."""

    def __init__(self, channels: int, expansion: int) -> None:
        inner = channels * expansion
        super().__init__(
            nn.LayerNorm(channels), nn.Linear(channels, inner), nn.GELU("tanh"), nn.Linear(inner, channels)
        )


def rotate(heads: Tensor, grid: Grid) -> Tensor:
    """Rotary position embedding in two dimensions: ``(B, H, h * w, D)``, D a multiple of 4.

    One half of the channels turns with the row, the other with the column; dot products depend on differences only.
    """
    cosine, sine = _angles(grid, heads.shape[-1], heads.device, heads.dtype)
    first, second = heads.chunk(2, dim=-1)
    return torch.cat([first * cosine - second * sine, first * sine + second * cosine], dim=-1)


def _angles(grid: Grid, channels: int, device: torch.device, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Cosines and sines ``(h * w, D / 2)``; wavelengths from 4 to 400 positions."""
    count = channels // 4
    frequency = 2 * torch.pi / (4 * 100 ** (torch.arange(count, device=device) / max(count - 1, 1)))
    rows, columns = (torch.arange(side, device=device)[:, None] * frequency for side in grid)
    angle = torch.cat(
        [rows[:, None].expand(*grid, count), columns[None].expand(*grid, count)], dim=-1
    ).flatten(0, 1)  # fmt: skip
    return angle.cos().to(dtype), angle.sin().to(dtype)


def _split_heads(tokens: Tensor) -> Tensor:
    """``(B, N, C)`` to ``(B, C / 32, N, 32)``."""
    return tokens.unflatten(-1, (-1, HEAD_CHANNELS)).transpose(1, 2)


def _join_heads(heads: Tensor) -> Tensor:
    return heads.transpose(1, 2).flatten(2)
