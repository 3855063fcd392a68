"""Line drawings from color images and from coverage planes, and the variety of line that artists use.

All functions take and return uint8 pixels: color ``(H, W, 3)`` RGB, sketches ``(H, W)`` with lines 0 and paper 255.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from irodori.data.parts import Planes
from irodori.errors import InputError
from irodori.image import Pixels


def xdog(color: Pixels, sigma: float = 0.7, k: float = 1.6, sharpness: float = 19.0, threshold: float = 0.75) -> Pixels:
    """Binary XDoG lines (Winnemöller 2011) after a Gaussian blur of 0.7 px, as SCFT makes its sketches (A.3).

    sigma: of the line detector in pixels.  k: ratio of the two Gaussians.  threshold: in 0…1 of the sharpened image.
    Binary, because the gray shading of a soft sketch gives colors away.
    """
    gray = cv2.cvtColor(color, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    gray = cv2.GaussianBlur(gray, (0, 0), 0.7)
    fine, coarse = cv2.GaussianBlur(gray, (0, 0), sigma), cv2.GaussianBlur(gray, (0, 0), sigma * k)
    # Relative to the local brightness: otherwise every dark area would be ink.
    sharpened = 1 + sharpness * (fine - coarse) / (coarse + 0.1)
    return np.where(sharpened > threshold, 255, 0).astype(np.uint8)


def difference_of_gaussians(color: Pixels, sigma: float = 1.0, threshold: float = 8.0) -> Pixels:
    """Thin lines where any color channel changes, so that borders between colors of equal brightness show too."""
    blurred = cv2.GaussianBlur(color, (0, 0), sigma)
    wide = cv2.GaussianBlur(color, (0, 0), sigma * 1.6)
    difference = (wide.astype(np.int16) - blurred).max(axis=2)
    return np.where(difference > threshold, 0, 255).astype(np.uint8)


def canny(color: Pixels, low: float = 40, high: float = 120) -> Pixels:
    """One-pixel Canny edges of the strongest channel."""
    edges = [cv2.Canny(cv2.GaussianBlur(channel, (0, 0), 0.8), low, high) for channel in cv2.split(color)]
    return 255 - np.maximum.reduce(edges)


def pencil(color: Pixels, radius_px: float = 3.0) -> Pixels:
    """Soft gray strokes: each pixel against its brightest surroundings (color dodge)."""
    gray = cv2.cvtColor(color, cv2.COLOR_RGB2GRAY).astype(np.float32) + 1
    light = cv2.GaussianBlur(cv2.dilate(gray, np.ones((3, 3), np.uint8)), (0, 0), radius_px)
    return np.clip(255 * (gray / np.maximum(light, gray)) ** 2, 0, 255).astype(np.uint8)


EXTRACTORS: dict[str, Callable[[Pixels], Pixels]] = {
    "xdog": xdog,
    "dog": difference_of_gaussians,
    "canny": canny,
    "pencil": pencil,
}


def extract_sketch(color: Pixels, style: str = "xdog") -> Pixels:
    """The lines of a color picture in one of the `EXTRACTORS`' styles; InputError for another name."""
    if style not in EXTRACTORS:
        raise InputError(f"unknown sketch style '{style}'; choose one of {', '.join(EXTRACTORS)}")
    return EXTRACTORS[style](color)


def ink_lines(planes: Planes, is_line: Sequence[bool]) -> Pixels:
    """The art's own ink: line parts black, all other parts white; fixed dark colors of the base count as ink."""
    palette = [(0, 0, 0) if line else (255, 255, 255) for line in is_line]
    gray = cv2.cvtColor(planes.compose(palette), cv2.COLOR_RGB2GRAY).astype(np.float32)
    return np.clip((gray - 70) * (255 / 130), 0, 255).astype(np.uint8)


def region_borders(labels: NDArray[np.int16], thickness: int = 1) -> Pixels:
    """Lines where neighbouring pixels belong to different parts: the outline of art that has none."""
    edges = np.zeros(labels.shape, np.uint8)
    edges[:, 1:] |= (labels[:, 1:] != labels[:, :-1]).astype(np.uint8)
    edges[1:] |= (labels[1:] != labels[:-1]).astype(np.uint8)
    if thickness > 1:
        edges = cv2.dilate(edges, np.ones((thickness, thickness), np.uint8))
    return (1 - edges) * 255


def vary_lines(sketch: Pixels, generator: np.random.Generator) -> Pixels:
    """Makes lines thicker or thinner, softer, broken or noisy, each with some probability."""
    if generator.random() < 0.25:
        kernel = np.ones((2, 2), np.uint8)
        sketch = cv2.erode(sketch, kernel) if generator.random() < 0.7 else cv2.dilate(sketch, kernel)
    if generator.random() < 0.25:
        sketch = _with_gaps(sketch, generator)
    if generator.random() < 0.3:
        sketch = cv2.GaussianBlur(sketch, (0, 0), generator.uniform(0.4, 0.8))
    if generator.random() < 0.2:
        noise = generator.normal(0, generator.uniform(2, 12), sketch.shape)
        sketch = np.clip(sketch + noise, 0, 255).astype(np.uint8)
    return sketch


def _with_gaps(sketch: Pixels, generator: np.random.Generator) -> Pixels:
    """Erases the lines in a few small discs, as a pen that was lifted."""
    result, (height, width) = sketch.copy(), sketch.shape
    for _ in range(generator.integers(1, 7)):
        center = (int(generator.integers(width)), int(generator.integers(height)))
        cv2.circle(result, center, int(max(1, height * generator.uniform(0.01, 0.03))), 255, -1)
    return result
