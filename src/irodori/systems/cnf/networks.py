"""The two flows of CNF: coupling blocks with and without a condition, at ever smaller sizes (Pi 2023, section 3.1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from irodori.systems.cnf.aggregation import FeatureAggregation, make_aggregation
from irodori.systems.cnf.config import CNFConfig
from irodori.systems.cnf.layers import ActNorm, Conv, InvertibleConv, OrthogonalDownsampling

Conditions = Sequence[Sequence[Tensor]]
"""``{F_i^c}``: for each conditional block the features ``(B, C, h, w)`` of each reference."""


NORM_EPSILON = 1e-3
"""Added to the variances of InstanceNorm.  The norm of an almost flat map enlarges what rounding did to the half that
decoding has recovered, by up to one over the root of this, in each block anew."""


class Encoded(NamedTuple):
    """latent: F_N, ``(B, C, h, w)``.  features: F_i, what each conditional block was given.  log_det: ``(B,)``."""

    latent: Tensor
    features: list[Tensor]
    log_det: Tensor


class SubNetwork(nn.Sequential):
    """f_θ of equation 3.5: residual blocks and a 1x1 convolution that starts as zero (section 3.5); same shape out."""

    def __init__(self, channels: int, hidden: int, num_blocks: int, last_layer: float) -> None:
        width = min(hidden or channels, channels)
        enter = [] if width == channels else [Conv(channels, width, 1)]
        last = Conv(width, channels, 1)
        nn.init.normal_(last.weight, 0.0, last_layer)
        nn.init.zeros_(last.bias)  # type: ignore[arg-type]
        super().__init__(*enter, *(NormedResidual(width) for _ in range(num_blocks)), last)


class NormedResidual(nn.Module):
    """A convolution, InstanceNorm and ReLU, added to the input (section 3.5)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = Conv(channels, channels, 3, padding=1, bias=False)  # the norm takes any bias off again
        self.norm = nn.InstanceNorm2d(channels, eps=NORM_EPSILON)

    def forward(self, x: Tensor) -> Tensor:
        return x + torch.relu(self.norm(self.conv(x)))


class CouplingBlock(nn.Module):
    """NCCB (figure 3.2) or, with an aggregation of references, CCB (figure 3.3)."""

    def __init__(self, config: CNFConfig, channels: int, is_conditional: bool) -> None:
        super().__init__()
        shape = (channels // 2, config.hidden_channels, config.num_residual_blocks, config.last_layer)
        self.least_scale = config.least_scale
        self.norm = ActNorm(channels)
        self.permute = InvertibleConv(channels)
        self.aggregate = make_aggregation(config, channels) if is_conditional else None
        self.to_scale = SubNetwork(*shape)  # f[1]
        self.to_shift = SubNetwork(*shape)  # f[2]

    def forward(self, x: Tensor, references: Sequence[Tensor] = ()) -> tuple[Tensor, Tensor]:
        """F_i to F_(i+1), equations 3.1 to 3.5 and 3.17."""
        mixed, log_det = self._mixed(x)
        moved, kept = mixed.chunk(2, dim=1)
        scale, shift = self._coefficients(kept, references)
        return torch.cat([moved * scale + shift, kept], dim=1), log_det + scale.log().flatten(1).sum(1)

    def inverse(self, y: Tensor, references: Sequence[Tensor] = ()) -> Tensor:
        """F_(i+1) back to F_i, equations 3.6 to 3.10 and 3.19."""
        moved, kept = y.chunk(2, dim=1)
        scale, shift = self._coefficients(kept, references)
        return self.norm.inverse(self.permute.inverse(torch.cat([(moved - shift) / scale, kept], dim=1)))

    def attention_rows(self, x: Tensor, references: Sequence[Tensor], queries: Tensor) -> Tensor:
        """Rows of the spatial attention that F_i pays to the references; the block must have it."""
        assert isinstance(self.aggregate, FeatureAggregation)
        _, kept = self._mixed(x)[0].chunk(2, dim=1)
        return self.aggregate.rows(kept, references, queries)

    def _mixed(self, x: Tensor) -> tuple[Tensor, Tensor]:
        normed, log_det = self.norm(x)
        mixed, more = self.permute(normed)
        return mixed, log_det + more

    def _coefficients(self, kept: Tensor, references: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        references = [reference.to(kept.dtype) for reference in references]
        seen = kept if self.aggregate is None else self.aggregate(kept, references)
        scale = self.least_scale + (1 - self.least_scale) * torch.sigmoid(self.to_scale(seen))
        return scale, self.to_shift(seen)


class Flow(nn.Module):
    """INN_s or INN_c: `num_downsamplings` times (downsampling, NCCBs), then the CCBs (section 3.5).

    In evaluation mode it computes in float64, whatever the precision of its weights: where a coupling divides by a
    small scale it enlarges what rounding did before, and float32 alone would not bring back every picture to 1e-5.
    is_exact: False keeps to the precision of the input, for graphs, whose runtimes have no convolutions in float64.
    """

    is_exact = True

    def __init__(self, config: CNFConfig) -> None:
        super().__init__()
        channels = 3
        self.stem = nn.ModuleList()
        for _ in range(config.num_downsamplings):
            self.stem.append(OrthogonalDownsampling(channels))
            channels *= 4
            self.stem.extend(CouplingBlock(config, channels, is_conditional=False) for _ in range(config.num_nccb))
        self.blocks = nn.ModuleList(CouplingBlock(config, channels, is_conditional=True) for _ in range(config.num_ccb))

    def forward(self, image: Tensor, conditions: Conditions | None = None) -> Encoded:
        """``(B, 3, H, W)``, sides multiples of the stride, to the latent; without conditions, its own features are."""
        features, log_det = self.encode_stem(image)
        encoded = self.encode(features, conditions)
        return encoded._replace(log_det=encoded.log_det + log_det)

    @property
    def is_fitted(self) -> bool:
        """Whether every ActNorm has seen its first batch."""
        return all(layer.initialized for layer in self.modules() if isinstance(layer, ActNorm))

    def encode_stem(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """The part that no condition enters: the features before the first CCB, and their log-determinant."""
        x = image.double() if self.is_exact and not self.training else image
        log_det = x.new_zeros(len(x))
        for layer in self.stem:
            x, more = layer(x)
            log_det = log_det + more
        return x, log_det

    def encode(self, x: Tensor, conditions: Conditions | None = None) -> Encoded:
        """From the stem's features to the latent."""
        features, log_det = [], x.new_zeros(len(x))
        for i, block in enumerate(self.blocks):
            features.append(x)
            x, more = block(x, [x] if conditions is None else conditions[i])
            log_det = log_det + more
        return Encoded(x, features, log_det)

    def features(self, image: Tensor) -> list[Tensor]:
        """``{F_i^c}`` of a color image, conditioned on itself; the last block's output is not needed."""
        x, _ = self.encode_stem(image)
        found = [x]
        for block in self.blocks[:-1]:
            found.append(block(found[-1], found[-1:])[0])
        return found

    def inverse(self, latent: Tensor, conditions: Conditions) -> Tensor:
        """From the latent back to the image ``(B, 3, H, W)``; exact if the conditions are those of `encode`."""
        x = latent
        for block, references in zip(reversed(self.blocks), reversed(conditions), strict=True):
            x = block.inverse(x, references)  # type: ignore[operator]
        for layer in reversed(self.stem):
            x = layer.inverse(x)  # type: ignore[operator]
        return x
