"""VGG16 and VGG19 (Simonyan, Zisserman 2015) in torchvision's layout: ``features.0.weight`` ….

Layers are named by the paper's blocks: ``relu3_2`` is the second rectified convolution of the third block.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from torch import Tensor, nn

from irodori.nn.features_base import Features, Normalization

_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, as torchvision trained them


class _VGG(Features):
    _PLAN: ClassVar[tuple[tuple[int, int], ...]]  # channels and number of convolutions of each block

    def __init__(self) -> None:
        super().__init__()
        self.normalization = Normalization(_MEAN, _DEVIATION)
        layers: list[nn.Module] = []
        self.names: list[str] = []  # of the layers, in order
        channels = 3
        for block, (width, depth) in enumerate(self._PLAN, start=1):
            if layers:
                layers.append(nn.MaxPool2d(2))
                self.names.append(f"pool{block - 1}")
            for position in range(1, depth + 1):
                layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
                self.names += [f"conv{block}_{position}", f"relu{block}_{position}"]
                channels = width
        self.features = nn.Sequential(*layers)

    def activations(self, image: Tensor) -> Iterator[tuple[str, Tensor]]:
        x = self.normalization(image)
        for name, layer in zip(self.names, self.features, strict=True):
            x = layer(x)
            yield name, x


class VGG19(_VGG):
    """relu1_1 … relu5_1 of VGG19, the layers of SCFT's equations 8 and 9."""

    name = "vgg19"
    layers = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
    _PLAN = ((64, 2), (128, 2), (256, 4), (512, 4), (512, 1))


class VGG19Second(VGG19):
    """relu1_2 … relu5_2 of VGG19, the layers of CSFT's equations 10 to 12; the same file as `VGG19`."""

    name = "vgg19_2"
    layers = ("relu1_2", "relu2_2", "relu3_2", "relu4_2", "relu5_2")
    _PLAN = ((64, 2), (128, 2), (256, 4), (512, 4), (512, 2))


class VGG16(_VGG):
    """relu1_2, relu2_2, relu3_3, relu4_3, relu5_3 of VGG16, the layers of LPIPS (Zhang et al. 2018)."""

    name = "vgg16"
    layers = ("relu1_2", "relu2_2", "relu3_3", "relu4_3", "relu5_3")
    _PLAN = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
