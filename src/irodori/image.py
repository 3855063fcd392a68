"""The one internal form of images, and the way into it and back.

float32, NCHW, RGB, sRGB-encoded, [-1, 1]; a sketch has one channel, **lines -1, paper +1**; sizes are
``(height, width)``; points are ``(x, y)`` in pixels with centers at integers; masks are [0, 1], 1 = foreground.
Files are read and written in `irodori.image_io`, as uint8 HWC.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

PAPER = 1.0

Pixels = NDArray[np.uint8]
"""An image as files have it: uint8, ``(H, W, 3)`` RGB, ``(H, W, 4)`` RGBA or ``(H, W)`` gray."""


def from_uint8(levels: Tensor) -> Tensor:
    """0…255 to [-1, 1] floats, same shape.

    >>> from_uint8(torch.tensor([0, 255], dtype=torch.uint8))
    tensor([-1.,  1.])
    """
    return levels.float() / 127.5 - 1.0


def to_uint8(image: Tensor) -> Tensor:
    """[-1, 1] floats to 0…255, rounded to the nearest level; values outside are clipped."""
    return ((image.clamp(-1.0, 1.0) + 1.0) * 127.5).round().to(torch.uint8)


def to_tensor(pixels: Pixels) -> Tensor:
    """``(H, W, C)`` or ``(H, W)`` uint8 to ``(1, C, H, W)`` floats in [-1, 1]."""
    planes = torch.from_numpy(np.ascontiguousarray(pixels if pixels.ndim == 3 else pixels[..., None]))
    return from_uint8(planes.permute(2, 0, 1)[None])


def to_pixels(image: Tensor) -> Pixels:
    """``(1, C, H, W)`` floats in [-1, 1] to ``(H, W, C)`` uint8."""
    return to_uint8(image[0]).permute(1, 2, 0).contiguous().cpu().numpy()


def resize(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    """Resizes uint8 pixels to ``(height, width)``: area average when shrinking, bicubic when enlarging."""
    height, width = size
    if pixels.shape[:2] == (height, width):
        return pixels
    shrinks = height * width < pixels.shape[0] * pixels.shape[1]
    return cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)


def pad_sketch(sketch: Tensor, multiple: int) -> Tensor:
    """Pads ``(B, 1, H, W)`` at the bottom and right with paper until both sides are multiples of `multiple`."""
    height, width = sketch.shape[-2:]
    return F.pad(sketch, (0, -width % multiple, 0, -height % multiple), value=PAPER)


def pad_reference(reference: Tensor, multiple: int) -> Tensor:
    """The same for ``(B, 3, H, W)`` with the border's own colors: white would be one more color to take."""
    height, width = reference.shape[-2:]
    return F.pad(reference, (0, -width % multiple, 0, -height % multiple), mode="replicate")


def pad_mask(mask: Tensor, multiple: int) -> Tensor:
    """The same for ``(B, 1, H, W)`` masks: what is outside is background."""
    height, width = mask.shape[-2:]
    return F.pad(mask, (0, -width % multiple, 0, -height % multiple))


@dataclass(frozen=True)
class Geometry:
    """How a picture is fitted to a network, so that the result can be put back exactly.

    size: ``(height, width)`` of the file in pixels.
    image_size: longest side at which the network works, pixels.
    multiple: network sizes are multiples of this.
    """

    size: tuple[int, int]
    image_size: int
    multiple: int

    @property
    def fitted_size(self) -> tuple[int, int]:
        """``(height, width)`` after scaling the longest side to `image_size`, before padding; at least one pixel."""
        scale = self.image_size / max(self.size)
        height, width = (max(1, round(side * scale)) for side in self.size)
        return height, width

    @property
    def network_size(self) -> tuple[int, int]:
        """`fitted_size`, rounded up to the multiple."""
        height, width = (math.ceil(side / self.multiple) * self.multiple for side in self.fitted_size)
        return height, width

    def apply(self, pixels: Pixels) -> Tensor:
        """A sketch ``(H, W)`` or a reference ``(H, W, 3)`` to the network's padded ``(1, C, h, w)``."""
        fitted = to_tensor(resize(pixels, self.fitted_size))
        return (pad_sketch if pixels.ndim == 2 else pad_reference)(fitted, self.multiple)

    def apply_mask(self, mask: NDArray[np.float32]) -> Tensor:
        """A mask ``(H, W)`` in 0…1 of such a picture to the network's padded ``(1, 1, h, w)``."""
        height, width = self.fitted_size
        fitted = cv2.resize(mask, (width, height), interpolation=cv2.INTER_AREA)
        return pad_mask(torch.from_numpy(fitted)[None, None], self.multiple)

    def crop(self, image: Tensor) -> Tensor:
        """Takes the padding off a network image: ``(B, C, h, w)`` to ``(B, C, *fitted_size)``."""
        height, width = self.fitted_size
        return image[..., :height, :width]

    def to_network(self, point: tuple[float, float]) -> tuple[float, float]:
        """A point ``(x, y)`` of the file, in pixels, as a point of the network image."""
        scales = [fitted / side for fitted, side in zip(self.fitted_size, self.size, strict=True)]
        return (point[0] + 0.5) * scales[1] - 0.5, (point[1] + 0.5) * scales[0] - 0.5
