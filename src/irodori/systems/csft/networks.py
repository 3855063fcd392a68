"""The networks of CSFT: domain alignment and the coarse-to-fine generator (Cui et al. 2022, sections 3.1, 3.2)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from irodori.nn.attention import blockwise_attention
from irodori.nn.blocks import ResidualBlock
from irodori.nn.pyramid import Encoder
from irodori.systems.csft.config import CSFTConfig
from irodori.systems.csft.moments import DynamicMomentShortcut, moments_of, normalize_positions


class FeatureTransfer(nn.Module):
    """CSFT (section 3.1.3): each position of the sketch takes what it needs from all of the reference, equations 8, 9.

    The context is added to the sketch's own features, as in SCFT, whose module this is: alone, as equation 9 reads, it
    would leave nothing of the sketch but its choice.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.query, self.key = _perceptron(channels), _perceptron(channels)  # W_q, W_k
        self.value = nn.Linear(channels, channels, bias=False)  # W_v

    def forward(self, sketch: Tensor, reference: Tensor) -> Tensor:
        """sketch: ``(B, d, h, w)``.  reference: ``(B, K, d)``, positions of all references.  Shaped as the sketch."""
        query, key, value = self.query(sketch.flatten(2).mT), self.key(reference), self.value(reference)
        context = blockwise_attention(query, key, value, scale=query.shape[-1] ** -0.5)
        return sketch + context.mT.reshape(sketch.shape)


def _perceptron(channels: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(channels, channels), nn.LeakyReLU(0.2), nn.Linear(channels, channels))


class FeatureNetwork(nn.Module):
    """E of section 3.1.3: a pyramid, and V of equation 5 at the size of the alignment, narrower where asked."""

    def __init__(self, in_channels: int, config: CSFTConfig) -> None:
        super().__init__()
        self.fold, self.stride = config.fold, config.alignment_stride
        self.pyramid = Encoder(in_channels * self.fold**2, config.channels)
        width = config.transfer_channels
        self.narrow = nn.Conv2d(config.summed_channels, width, 1) if width else None

    def forward(self, image: Tensor) -> Tensor:
        """``(B, in_channels, H, W)`` to ``(B, d, h, w)``."""
        size = (image.shape[-2] // self.stride, image.shape[-1] // self.stride)
        pyramid = self.pyramid(F.pixel_unshuffle(image, self.fold))
        return pyramid.features_at(size) if self.narrow is None else pyramid.narrowed_at(size, self.narrow)


class AlignmentNetwork(nn.Module):
    """Section 3.1: sketches and references into one domain c, equations 1, 2 and 5 to 9."""

    def __init__(self, config: CSFTConfig) -> None:
        super().__init__()
        width = config.transfer_channels or config.summed_channels
        self.sketch_features, self.reference_features = FeatureNetwork(1, config), FeatureNetwork(3, config)
        is_csft = config.transfer == "csft"
        self.transfer = FeatureTransfer(width) if is_csft else nn.Sequential(*(ResidualBlock(width) for _ in range(2)))
        self.sketch_to_domain, self.reference_in_domain = (
            nn.Conv2d(width, config.domain_channels, 1) for _ in range(2)
        )

    def sketch_in_domain(self, sketch: Tensor, reference: Tensor) -> Tensor:
        """x_c ``(B, C, h, w)`` of a sketch's features ``(B, d, h, w)``, given those of all references ``(B, K, d)``.

        That of a reference, y_c, is its own alone: equations 8 and 9 carry features from it, not to it.
        """
        is_csft = isinstance(self.transfer, FeatureTransfer)
        return self.sketch_to_domain(self.transfer(sketch, reference) if is_csft else self.transfer(sketch))


class Generator(nn.Module):
    """Section 3.2: from the coarse image and the sketch to the colored picture.

    Each position loses its moments on the way down and gets them back, by a dynamic moment shortcut, at the same size
    on the way up: so lines find their places without a wide decoder.
    """

    def __init__(self, channels: Sequence[int], num_residual_blocks: int, fold: int = 1) -> None:
        super().__init__()
        self.fold = fold
        self.downs, self.shortcuts, self.ups = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        width = 3 + fold**2
        for stage, wider in enumerate(channels):
            self.downs.append(nn.Conv2d(width, wider, 3, stride=2 if stage else 1, padding=1))
            width = wider
        self.blocks = nn.ModuleList(PositionalBlock(width) for _ in range(num_residual_blocks))
        for narrower in (*reversed(channels[:-1]), 3 * fold**2):
            self.shortcuts.append(DynamicMomentShortcut(width))
            self.ups.append(nn.Conv2d(width, narrower, 3, padding=1))
            width = narrower

    def forward(self, coarse: Tensor, sketch: Tensor) -> Tensor:
        """coarse: ``(B, 3, h, w)``, of any size.  sketch: ``(B, 1, H, W)``.  Returns ``(B, 3, H, W)`` in [-1, 1]."""
        lines, start = F.pixel_unshuffle(sketch, self.fold), enlarged(coarse, sketch)
        x = torch.cat([enlarged(coarse, lines), lines], dim=1)
        taken = []
        for down in self.downs:
            x = down(x)
            taken.append(moments_of(x))
            x = F.leaky_relu(normalize_positions(x), 0.2)
        for block in self.blocks:
            x = block(x)
        for shortcut, up, moments in zip(self.shortcuts, self.ups, reversed(taken), strict=True):
            if x.shape[-2:] != moments.mean.shape[-2:]:
                x = F.interpolate(x, size=moments.mean.shape[-2:], mode="nearest")
            x = up(F.leaky_relu(shortcut(normalize_positions(x), moments), 0.2))
        return (start + torch.tanh(F.pixel_shuffle(x, self.fold))).clamp(-1, 1)

    @torch.no_grad()
    def calm(self) -> None:
        """Makes fresh weights small where training should start close to the coarse image and the plain shortcut."""
        last = self.ups[-1]
        assert isinstance(last, nn.Conv2d)
        last.weight.mul_(0.1)
        for module in self.modules():
            if isinstance(module, DynamicMomentShortcut):
                module.calm()


class PositionalBlock(nn.Module):
    """Two 3x3 convolutions, each after positional normalization, added to the input: same shape out."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first, self.second = (nn.Conv2d(channels, channels, 3, padding=1) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        inner = self.first(F.leaky_relu(normalize_positions(x), 0.2))
        return x + self.second(F.leaky_relu(normalize_positions(inner), 0.2))


def enlarged(coarse: Tensor, like: Tensor) -> Tensor:
    """The coarse image ``(B, 3, h, w)`` at the size of `like`."""
    return F.interpolate(coarse, size=like.shape[-2:], mode="bilinear")
