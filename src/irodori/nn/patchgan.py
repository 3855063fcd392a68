"""The PatchGAN discriminator (Isola et al. 2017): one judgement for each overlapping 70x70 patch."""

from __future__ import annotations

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
