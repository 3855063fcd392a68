"""How lines are found in color images: the formulas, for pictures of any size and for batches of training pairs.

Each formula is written once, over the `Operations` that it needs: OpenCV's here, batched ones in `irodori.data.lines`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import cv2
import numpy as np

from irodori.errors import InputError
from irodori.image import Pixels

Levels = Any
"""Images in levels 0…255: NumPy ``(H, W, C)`` of bytes or Torch ``(B, C, H, W)`` of floats."""


@dataclass(frozen=True)
class Operations:
    """What the formulas need of a library; images keep their type and form.

    gray: brightness of a color image.  blur: Gaussian, by its sigma in pixels.  strongest: the maximum over channels.
    dilate: the maximum over 3 x 3 pixels.
    """

    gray: Callable[[Levels], Levels]
    blur: Callable[[Levels, float], Levels]
    strongest: Callable[[Levels], Levels]
    dilate: Callable[[Levels], Levels]


def xdog(
    color: Levels, do: Operations, sigma: float = 0.7, k: float = 1.6, sharpness: float = 19.0, threshold: float = 0.75
) -> Levels:
    """Binary XDoG lines (Winnemöller 2011) after a Gaussian blur of 0.7 px, as SCFT makes its sketches (A.3).

    sigma: of the line detector in pixels.  k: ratio of the two Gaussians.  threshold: in 0…1 of the sharpened image.
    Binary, because the gray shading of a soft sketch gives colors away.
    """
    return (sharpened(color, do, sigma, k, sharpness) > threshold) * 255


def sharpened(color: Levels, do: Operations, sigma: float = 0.7, k: float = 1.6, sharpness: float = 19.0) -> Levels:
    """The image that `xdog` compares with its threshold: about 1 on even areas, less on the dark side of edges."""
    gray = do.blur(do.gray(color) / 255, 0.7)
    fine, coarse = do.blur(gray, sigma), do.blur(gray, sigma * k)
    # Relative to the local brightness: otherwise every dark area would be ink.
    return 1 + sharpness * (fine - coarse) / (coarse + 0.1)


def difference_of_gaussians(color: Levels, do: Operations, sigma: float = 1.0, threshold: float = 8.0) -> Levels:
    """Thin lines where any color channel changes, so that borders between colors of equal brightness show too."""
    return (do.strongest(do.blur(color, sigma * 1.6) - do.blur(color, sigma)) <= threshold) * 255


def pencil(color: Levels, do: Operations, radius_px: float = 3.0) -> Levels:
    """Soft gray strokes: each pixel against its brightest surroundings (color dodge)."""
    gray = do.gray(color) + 1
    light = do.blur(do.dilate(gray), radius_px)
    return 255 * (gray / light).clip(0, 1) ** 2


def canny(color: Pixels, low: float = 40, high: float = 120) -> Pixels:
    """One-pixel Canny edges of the strongest channel.

    For pictures only: edges are followed to their end, which has no place in a batch (`lines.gradient_edges`).
    """
    edges = [cv2.Canny(cv2.GaussianBlur(channel, (0, 0), 0.8), low, high) for channel in cv2.split(color)]
    return 255 - np.maximum.reduce(edges)


def _blur(image: Levels, sigma: float) -> Levels:
    blurred = cv2.GaussianBlur(image, (0, 0), sigma)
    return blurred.astype(np.int16) if blurred.dtype == np.uint8 else blurred  # bytes have no negative differences


_OPENCV = Operations(
    gray=lambda color: cv2.cvtColor(color, cv2.COLOR_RGB2GRAY).astype(np.float32),
    blur=_blur,
    strongest=lambda image: image.max(axis=2),
    dilate=lambda gray: cv2.dilate(gray, np.ones((3, 3), np.uint8)),
)


def _on_pixels(formula: Callable[[Levels, Operations], Levels], color: Pixels) -> Pixels:
    return formula(color, _OPENCV).astype(np.uint8)


EXTRACTORS: dict[str, Callable[[Pixels], Pixels]] = {
    "xdog": partial(_on_pixels, xdog),
    "dog": partial(_on_pixels, difference_of_gaussians),
    "canny": canny,
    "pencil": partial(_on_pixels, pencil),
}


def extract_sketch(color: Pixels, style: str = "xdog") -> Pixels:
    """The lines ``(H, W)`` of a color picture in one of the `EXTRACTORS`' styles; InputError for another name."""
    if style not in EXTRACTORS:
        raise InputError(f"unknown sketch style '{style}'; choose one of {', '.join(EXTRACTORS)}")
    return EXTRACTORS[style](color)
