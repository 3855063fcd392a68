"""The generator and the critic of TagGAN (Yan et al. 2023, figures 2 and 3; Yan 2025, table 4.1)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from irodori.systems.taggan.config import TagGANConfig


class SketchCode(NamedTuple):
    """latent: ``(B, C, h, w)``, x-hat of equation 5.  skips: of the encoder's pairs but the last, shallow to deep."""

    latent: Tensor
    skips: list[Tensor]


class ConvPair(nn.Module):
    """Two 3x3 convolutions with ReLU, of which the second halves the size."""

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.conv2(F.relu(self.conv1(x))))


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions added to the input, without normalization; ReLU after the sum."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.conv2(F.relu(self.conv1(x))))


class PositionAttention(nn.Module):
    """``x + O(softmax(Q(x) K(r) / sqrt(d)) V(r))`` (equation 5), Q, K, V, O linear without bias.

    With r = x it is the decoder's self-attention.
    """

    def __init__(self, channels: int, memory_channels: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.query = nn.Linear(channels, channels, bias=False)
        self.key = nn.Linear(memory_channels, channels, bias=False)
        self.value = nn.Linear(memory_channels, channels, bias=False)
        self.out = nn.Linear(channels, channels, bias=False)

    def forward(self, x: Tensor, memory: Tensor) -> Tensor:
        """x: ``(B, C, h, w)``.  memory: ``(B, K, D)`` positions; without any, x comes back."""
        query, key, value = self._heads(self.query(_positions(x))), self.key(memory), self.value(memory)
        context = F.scaled_dot_product_attention(query, self._heads(key), self._heads(value))
        return x + self.out(context.transpose(1, 2).flatten(2)).mT.reshape(x.shape)

    def rows(self, x: Tensor, memory: Tensor, queries: Tensor) -> Tensor:
        """Rows of the map for some positions of x, ``(B, N, K)``: what `forward` weighs by, mean over the heads."""
        query = self._heads(self.query(_positions(x)[:, queries]))
        scores = query @ self._heads(self.key(memory)).mT / math.sqrt(query.shape[-1])
        return scores.softmax(-1).mean(1)

    def _heads(self, tokens: Tensor) -> Tensor:
        """``(B, N, C)`` to ``(B, heads, N, C / heads)``."""
        return tokens.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)


def _positions(x: Tensor) -> Tensor:
    return x.flatten(2).mT


class RBCA(nn.Module):
    """Reference-based channel-wise attention (section 3.3): the reference weighs the decoder's channels.

    The figure shows the flow only; the products are those of the authors' code: ``A = softmax((k q^T) / sqrt(c))`` over
    its rows, ``y = O(v A)``, ``x + x * sigmoid(y)``, with q from the averaged x, k and v from the averaged reference.
    """

    def __init__(self, channels: int, reference_channels: int) -> None:
        super().__init__()
        self.query = nn.Linear(channels, channels, bias=False)
        self.key = nn.Linear(reference_channels, channels, bias=False)
        self.value = nn.Linear(reference_channels, channels, bias=False)
        self.out = nn.Linear(channels, channels, bias=False)

    def forward(self, x: Tensor, reference: Tensor) -> Tensor:
        """x: ``(B, C, h, w)``.  reference: ``(B, D)``, its average features."""
        query, key, value = self.query(x.mean((2, 3))), self.key(reference), self.value(reference)
        weights = torch.softmax(key[:, :, None] * query[:, None] / math.sqrt(query.shape[1]), dim=-1)
        gate = torch.sigmoid(self.out((value[:, None] @ weights)[:, 0]))
        return x + x * gate[..., None, None]


class FirstUp(nn.Module):
    """Deepest step of the decoder: convolution to 4 times the channels, pixel shuffle, self-attention."""

    def __init__(self, channels: int, out_channels: int, num_heads: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, 4 * out_channels, 3, padding=1)
        self.attention = PositionAttention(out_channels, out_channels, num_heads)

    def forward(self, x: Tensor) -> Tensor:
        x = F.pixel_shuffle(F.relu(self.conv(x)), 2)
        return self.attention(x, _positions(x))


class Up(nn.Module):
    """A step of the decoder: the skip, convolution to 4 times the channels, pixel shuffle, RBCA, convolution."""

    def __init__(self, in_channels: int, channels: int, out_channels: int, reference_channels: int) -> None:
        """reference_channels: 0 for a step without RBCA."""
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, 4 * channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, out_channels, 3, padding=1)
        self.rbca = RBCA(channels, reference_channels) if reference_channels else None

    def forward(self, x: Tensor, skip: Tensor, reference: Tensor) -> Tensor:
        """The result before any activation."""
        x = F.pixel_shuffle(F.relu(self.conv1(torch.cat([x, skip], dim=1))), 2)
        return self.conv2(x if self.rbca is None else self.rbca(x, reference))


class Generator(nn.Module):
    """G of the paper: a U-Net that receives the reference's features at its deepest size, their mean in its decoder."""

    def __init__(self, config: TagGANConfig, reference: int) -> None:
        """reference: channels of the reference's features."""
        super().__init__()
        channels = config.channels
        self.encoder = nn.ModuleList(ConvPair(before, width) for before, width in pairwise((1, *channels)))
        deep = channels[-1]
        self.middle = ResidualBlock(deep)
        is_attention = config.receiving == "attention"
        self.attention = PositionAttention(deep, reference, config.num_heads) if is_attention else None
        # Reference features of another width than the sketch's are brought to it; equal ones are added as they are.
        self.to_latent = None if is_attention or reference == deep else nn.Linear(reference, deep, bias=False)
        self.receive_conv = nn.Conv2d(deep, deep, 3, padding=1)
        self.first_up = FirstUp(deep, channels[-2], config.num_heads)
        widths = (*channels[-3::-1], channels[0])
        self.ups = nn.ModuleList()
        width = channels[-2]
        for number, (skip, out) in enumerate(zip(channels[-2::-1], widths, strict=True), 1):
            is_last = number == len(widths)
            rbca = reference if config.rbca and not is_last else 0
            self.ups.append(Up(width + skip, out, 3 if is_last else out, rbca))
            width = out

    def encode(self, sketch: Tensor) -> SketchCode:
        """``(B, 1, H, W)``, lines -1, paper +1; sides are multiples of the stride."""
        skips, x = [], sketch
        for pair in self.encoder:
            x = pair(x)
            skips.append(x)
        return SketchCode(self.middle(x), skips[:-1])

    def receive(self, latent: Tensor, memory: Tensor) -> Tensor:
        """psi of equation 5, ``(B, C, h, w)``.  memory: ``(B, K, D)``, the positions of all references."""
        if self.attention is not None:
            return F.relu(self.receive_conv(self.attention(latent, memory)))
        mean = memory.mean(1)
        mean = mean if self.to_latent is None else self.to_latent(mean)
        return F.relu(self.receive_conv(latent + mean[..., None, None]))

    def decode(self, received: Tensor, skips: Sequence[Tensor], memory: Tensor) -> Tensor:
        """From psi to the image ``(B, 3, H, W)`` in [-1, 1]."""
        reference = memory.mean(1)
        x = self.first_up(received)
        for number, (up, skip) in enumerate(zip(self.ups, reversed(skips), strict=True), 1):
            x = up(x, skip, reference)
            x = torch.tanh(x) if number == len(self.ups) else F.relu(x)
        return x

    def forward(self, code: SketchCode, memory: Tensor) -> Tensor:
        return self.decode(self.receive(code.latent, memory), code.skips, memory)


class Critic(nn.Module):
    """D: 3x3 convolutions without normalization to one score for each patch; sees sketch and image, four channels.

    The paper prints no layers; these are those of the authors' code.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        widths = (4, *(factor * channels for factor in (1, 1, 2, 2, 4, 4, 8)))
        layers: list[nn.Module] = []
        for number, (before, width) in enumerate(pairwise(widths)):
            layers += [nn.Conv2d(before, width, 3, stride=1 + number % 2, padding=1), nn.LeakyReLU(0.2)]
        self.body = nn.Sequential(*layers, nn.Conv2d(8 * channels, 1, 3, padding=1))

    def forward(self, sketch: Tensor, image: Tensor) -> Tensor:
        return self.body(torch.cat([sketch, image], dim=1))
