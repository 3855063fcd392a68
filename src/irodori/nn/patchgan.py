"""The PatchGAN discriminator (Isola et al. 2017): one judgement for each overlapping 70x70 patch."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


class PatchDiscriminator(nn.Module):
    """``(B, in_channels, H, W)`` to unbounded scores ``(B, 1, h, w)``, one for each patch; high means real."""

    def __init__(self, in_channels: int, channels: int = 64, num_layers: int = 3) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(in_channels, channels, 4, 2, 1), nn.LeakyReLU(0.2, inplace=True)]
        width = channels
        for depth in range(1, num_layers + 1):
            wider = channels * min(2**depth, 8)
            layers += [
                nn.Conv2d(width, wider, 4, 2 if depth < num_layers else 1, 1, bias=False),
                nn.BatchNorm2d(wider),
                nn.LeakyReLU(0.2, inplace=True),
            ]
            width = wider
        self.body = nn.Sequential(*layers, nn.Conv2d(width, 1, 4, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x)


class MultiScaleDiscriminator(nn.Module):
    """PatchGANs of one shape that judge the input at its own size, at half, at a quarter … (Wang et al. 2018)."""

    def __init__(self, in_channels: int, channels: int = 64, num_layers: int = 3, num_scales: int = 2) -> None:
        super().__init__()
        self.scales = nn.ModuleList(PatchDiscriminator(in_channels, channels, num_layers) for _ in range(num_scales))

    def forward(self, x: Tensor) -> list[Tensor]:
        """The scores at each scale, fine to coarse."""
        scores = []
        for discriminator in self.scales:
            scores.append(discriminator(x))
            x = F.avg_pool2d(x, 2)
        return scores
