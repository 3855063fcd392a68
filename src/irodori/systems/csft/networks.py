"""The networks of CSFT: domain alignment and the coarse-to-fine generator (Cui et al. 2022, sections 3.1, 3.2)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from irodori.nn.blocks import ResidualBlock
from irodori.nn.pyramid import Encoder
from irodori.systems.csft.config import CSFTConfig
from irodori.systems.csft.moments import DynamicMomentShortcut, normalize_positions


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
        context = F.scaled_dot_product_attention(query[:, None], key[:, None], value[:, None])[:, 0]
        return sketch + context.mT.reshape(sketch.shape)


def _perceptron(channels: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(channels, channels), nn.LeakyReLU(0.2), nn.Linear(channels, channels))


class AlignmentNetwork(nn.Module):
    """Section 3.1: sketches and references into one domain c, equations 1, 2 and 5 to 9."""

    def __init__(self, config: CSFTConfig) -> None:
        super().__init__()
        self.stride = config.alignment_stride
        summed = 2 * sum(config.channels)
        width = config.transfer_channels or summed
        self.sketch_pyramid, self.reference_pyramid = Encoder(1, config.channels), Encoder(3, config.channels)
        self.join_sketch, self.join_reference = (
            nn.Conv2d(summed, width, 1) if config.transfer_channels else nn.Identity() for _ in range(2)
        )
        is_csft = config.transfer == "csft"
        self.transfer = FeatureTransfer(width) if is_csft else nn.Sequential(*(ResidualBlock(width) for _ in range(2)))
        self.sketch_to_domain, self.reference_to_domain = (
            nn.Conv2d(width, config.domain_channels, 1) for _ in range(2)
        )

    def sketch_features(self, sketch: Tensor) -> Tensor:
        """V of the sketch (equation 5) at the size of the alignment: ``(B, d, h, w)``."""
        return self.join_sketch(self._features(self.sketch_pyramid, sketch))

    def reference_features(self, reference: Tensor) -> Tensor:
        """V of a reference, ``(B, d, h, w)``."""
        return self.join_reference(self._features(self.reference_pyramid, reference))

    def sketch_in_domain(self, sketch: Tensor, reference: Tensor) -> Tensor:
        """x_c ``(B, C, h, w)`` of a sketch's features ``(B, d, h, w)``, given those of all references ``(B, K, d)``."""
        is_csft = isinstance(self.transfer, FeatureTransfer)
        return self.sketch_to_domain(self.transfer(sketch, reference) if is_csft else self.transfer(sketch))

    def reference_in_domain(self, reference: Tensor) -> Tensor:
        """y_c ``(B, C, h, w)`` of a reference's features."""
        return self.reference_to_domain(reference)

    def _features(self, pyramid: Encoder, image: Tensor) -> Tensor:
        size = (image.shape[-2] // self.stride, image.shape[-1] // self.stride)
        return pyramid(image).features_at(size)


class Generator(nn.Module):
    """Section 3.2: from the coarse image and the sketch to the colored picture.

    Each position loses its moments on the way down and gets them back, by a dynamic moment shortcut, at the same size
    on the way up: so lines find their places without a wide decoder.
    """

    def __init__(self, channels: Sequence[int], num_residual_blocks: int) -> None:
        super().__init__()
        self.downs, self.shortcuts, self.ups = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        width = 4
        for stage, wider in enumerate(channels):
            self.downs.append(nn.Conv2d(width, wider, 3, stride=2 if stage else 1, padding=1))
            width = wider
        self.blocks = nn.ModuleList(PositionalBlock(width) for _ in range(num_residual_blocks))
        for narrower in (*reversed(channels[:-1]), 3):
            self.shortcuts.append(DynamicMomentShortcut(width))
            self.ups.append(nn.Conv2d(width, narrower, 3, padding=1))
            width = narrower

    def forward(self, coarse: Tensor, sketch: Tensor) -> Tensor:
        """coarse: ``(B, 3, h, w)``, of any size.  sketch: ``(B, 1, H, W)``.  Returns ``(B, 3, H, W)`` in [-1, 1]."""
        x = torch.cat([enlarged(coarse, sketch), sketch], dim=1)
        taken = []
        for down in self.downs:
            x, moments = normalize_positions(down(x))
            x = F.leaky_relu(x, 0.2)
            taken.append(moments)
        for block in self.blocks:
            x = block(x)
        for shortcut, up, moments in zip(self.shortcuts, self.ups, reversed(taken), strict=True):
            if x.shape[-2:] != moments.mean.shape[-2:]:
                x = F.interpolate(x, size=moments.mean.shape[-2:], mode="nearest")
            x = up(F.leaky_relu(shortcut(normalize_positions(x)[0], moments), 0.2))
        return torch.tanh(x)


class PositionalBlock(nn.Module):
    """Two 3x3 convolutions, each after positional normalization, added to the input: same shape out."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first, self.second = (nn.Conv2d(channels, channels, 3, padding=1) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        inner = self.first(F.leaky_relu(normalize_positions(x)[0], 0.2))
        return x + self.second(F.leaky_relu(normalize_positions(inner)[0], 0.2))


def enlarged(coarse: Tensor, sketch: Tensor) -> Tensor:
    """The coarse image ``(B, 3, h, w)`` at the sketch's size."""
    return F.interpolate(coarse, size=sketch.shape[-2:], mode="bilinear")
