"""Art whose colors are parameters: flat vector art as coverage planes, recolored exactly by one weighted sum.

Rendering is linear in the part colors, so ``image = base + sum_k coverage_k * color_k`` reproduces the drawing in any
palette.  Whether that holds is checked for every drawing when it is prepared; those where it does not are rejected.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from irodori.errors import DataError
from irodori.image import Pixels

Floats = NDArray[np.float32]

MAX_PARTS = 14
TOLERANCE = 0.25
"""Largest accepted mean difference, in levels of 255, between the composed and the rendered drawing."""

_HEX = re.compile(r"#(?:[0-9a-fA-F]{6}|[0-9a-fA-F]{3})(?![0-9a-fA-F])")


@dataclass(frozen=True)
class Planes:
    """A drawing as layers: ``base (H, W, 3)`` in levels 0…255 (what no part colors), ``coverage (K, H, W)`` in 0…1."""

    base: Floats
    coverage: Floats

    def compose(self, palette: NDArray[np.floating] | Sequence[tuple[int, int, int]]) -> Pixels:
        """The drawing in another palette, ``(K, 3)`` in levels 0…255: ``(H, W, 3)`` uint8."""
        colors = np.asarray(palette, np.float32).reshape(-1, 3)
        painted = self.base + np.einsum("khw,kc->hwc", self.coverage, colors, optimize=True)
        return np.clip(np.rint(painted), 0, 255).astype(np.uint8)

    def labels(self) -> NDArray[np.int16]:
        """``(H, W)``: the part that covers most of a pixel, -1 where the base does."""
        if not len(self.coverage):
            return np.full(self.base.shape[:2], -1, np.int16)
        best = self.coverage.argmax(0).astype(np.int16)
        return np.where(self.coverage.max(0) >= 0.5, best, -1).astype(np.int16)


def render(svg: str, size: int) -> Pixels:
    """Renders SVG text over white paper to a ``(size, size, 3)`` square, centered; DataError if it cannot be drawn."""
    try:
        import resvg_py
    except ImportError as error:
        raise DataError("preparing vector art needs resvg: pip install 'irodori[train]'") from error
    try:
        data = bytes(resvg_py.svg_to_bytes(svg_string=svg, width=size, height=size, background="#ffffff", dpi=96))
    except (ValueError, RuntimeError) as error:
        raise DataError(f"the SVG cannot be rendered ({error})") from error
    image = cv2.cvtColor(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    return _square(image, size)


def _square(image: Pixels, size: int) -> Pixels:
    top, left = (size - image.shape[0]) // 2, (size - image.shape[1]) // 2
    square = np.full((size, size, 3), 255, np.uint8)
    square[top : top + image.shape[0], left : left + image.shape[1]] = image
    return square


def hex_colors(svg: str) -> list[str]:
    """The distinct colors of an SVG, lower case, in the order of their first use."""
    return list(dict.fromkeys(match.lower() for match in _HEX.findall(svg)))


def replace_colors(svg: str, mapping: Mapping[str, str]) -> str:
    """Replaces hex colors (lower-case keys) all at once, so that palettes may share values."""
    return _HEX.sub(lambda match: mapping.get(match.group(0).lower(), match.group(0)), svg)


def planes_of(svg: str, colors: Sequence[str], size: int) -> Planes:
    """Separates a drawing into one coverage plane for each of `colors` (hex values that occur in the SVG).

    Three parts are rendered at a time, as pure red, green and blue.  Raises DataError when composing the planes does
    not give the drawing back within `TOLERANCE`.
    """
    black = dict.fromkeys(colors, "#000000")
    base = render(replace_colors(svg, black), size).astype(np.float32)
    coverage: Floats = np.zeros((len(colors), size, size), np.float32)
    for start in range(0, len(colors), 3):
        triple = colors[start : start + 3]
        primaries = dict(zip(triple, ("#ff0000", "#00ff00", "#0000ff"), strict=False))
        shown = render(replace_colors(svg, black | primaries), size).astype(np.float32) - base
        coverage[start : start + 3] = shown.transpose(2, 0, 1)[: len(triple)].clip(0, 255) / 255
    planes = Planes(base, coverage)
    error = composition_error(planes, svg, colors, size)
    if error > TOLERANCE:
        raise DataError(f"not linear in its colors (mean error {error:.2f} of 255)")
    return planes


def composition_error(planes: Planes, svg: str, colors: Sequence[str], size: int) -> float:
    """Mean absolute difference, in levels of 255, between the planes in the drawing's own palette and its rendering."""
    composed = planes.compose([parse(color) for color in colors]).astype(np.float32)
    return float(np.abs(composed - render(svg, size)).mean())


def parse(color: str) -> tuple[int, int, int]:
    """``#rgb`` or ``#rrggbb`` as levels 0…255.

    >>> parse("#f80")
    (255, 136, 0)
    """
    digits = color[1:] if len(color) == 7 else "".join(digit * 2 for digit in color[1:])
    red, green, blue = (int(digits[i : i + 2], 16) for i in (0, 2, 4))
    return red, green, blue


def pack(planes: Planes) -> Pixels:
    """Planes as one tall gray picture, ``((3 + K) * H, W)``: base red, green, blue, then the coverages."""
    base = planes.base.transpose(2, 0, 1)
    stacked = np.concatenate([base, planes.coverage * 255])
    return np.rint(stacked).astype(np.uint8).reshape(-1, planes.base.shape[1])


def unpack(tall: Pixels) -> Planes:
    """The inverse of `pack`, up to rounding to 1/255."""
    width = tall.shape[1]
    if tall.shape[0] % width or tall.shape[0] < 3 * width:
        raise DataError(f"{width}×{tall.shape[0]} pixels are no coverage planes; run 'irodori prepare' again")
    stacked = tall.reshape(-1, width, width).astype(np.float32)
    return Planes(np.ascontiguousarray(stacked[:3].transpose(1, 2, 0)), stacked[3:] / np.float32(255))
