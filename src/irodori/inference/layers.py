"""A coloring taken apart into the layers that artists work on, each as a painting program would have it.

From top to bottom: lines, highlights (screen), shading (multiply), flats; hidden below them the color layer as one
piece, the background as a mask, and the references.  The visible ones give the picture again, level for level.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from irodori.editing.masks import sketch_mask
from irodori.image import Pixels, resize
from irodori.inference.dominant import dominant_colors
from irodori.inference.finish import HALO_ROWS, bands
from irodori.inference.flats import paint_flats
from irodori.inference.leaks import split_leaks
from irodori.inference.regions import INK_LEVEL, closed_regions, nearest
from irodori.inference.snap import own_flats
from irodori.inference.votes import Evidence

Blend = Literal["normal", "multiply", "screen"]


@dataclass(frozen=True)
class Layer:
    """One layer; its upper left corner is the page's.

    pixels: ``(H, W, 3)`` or, with straight alpha, ``(H, W, 4)`` uint8.
    """

    name: str
    pixels: Pixels
    blend: Blend = "normal"
    visible: bool = True


def take_apart(
    colors: Pixels,
    flats: Pixels,
    lines: Pixels,
    *,
    lines_visible: bool,
    references: Sequence[tuple[str, Pixels]] = (),
) -> tuple[Layer, ...]:
    """The layers of a coloring, topmost first.

    colors: ``(H, W, 3)``, the color layer.  flats: the same with one color in each region.  lines: ``(H, W)``.
    references: names and pictures; those larger than the page are shrunk to fit it.
    """
    shading, highlights = split_light(colors, flats)
    return (
        Layer("Lines", ink(lines), visible=lines_visible),
        Layer("Highlights", highlights, "screen"),
        Layer("Shading", shading, "multiply"),
        Layer("Flats", flats),
        Layer("Color", colors, visible=False),
        Layer("Background mask", background(lines), visible=False),
        *(Layer(name, fitted(picture, lines.shape[:2]), visible=False) for name, picture in references),
    )


def ink(lines: Pixels) -> Pixels:
    """Lines ``(H, W)`` as black ink on transparency, ``(H, W, 4)``: over colors it is the lines multiplied on them."""
    layer = np.zeros((*lines.shape, 4), np.uint8)
    layer[..., 3] = 255 - lines
    return layer


def split_light(colors: Pixels, flats: Pixels) -> tuple[Pixels, Pixels]:
    """What makes the color layer ``(H, W, 3)`` of its flats: shading to multiply, highlights to screen, ``(H, W, 4)``.

    Shading is color ÷ flats where the color is darker; where it is brighter, in some channel, that quotient exceeds 1
    and the rest is light: 1 - (1 - color) ÷ (1 - flats).  Either is transparent where it changes nothing.
    """
    shading, highlights = (np.zeros((*colors.shape[:2], 4), np.uint8) for _ in range(2))
    for band in bands(colors.shape[:2]):
        color, flat = colors[band].astype(np.int32), flats[band].astype(np.int32)
        dark = np.where(color < flat, _quotient(color, flat), 255)
        bright = np.where(color > flat, 255 - _quotient(255 - color, 255 - flat), 0)
        shading[band, :, :3], highlights[band, :, :3] = dark, bright
        shading[band, :, 3] = 255 * (dark < 255).any(axis=2)
        highlights[band, :, 3] = 255 * (bright > 0).any(axis=2)
    return shading, highlights


def _quotient(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """``part / whole`` in 255ths, rounded; of integers 0…255."""
    return np.asarray((part * 510 + whole) // np.maximum(2 * whole, 1))


def background(lines: Pixels) -> Pixels:
    """What the drawing's outline does not enclose, white on transparency: ``(H, W, 4)``."""
    layer = np.full((*lines.shape, 4), 255, np.uint8)
    layer[..., 3] = np.rint((1 - sketch_mask(lines)) * 255)
    return layer


def fitted(picture: Pixels, size: tuple[int, ...]) -> Pixels:
    """A picture as it is, or shrunk so that it fits into ``(height, width)``."""
    scale = min(1.0, size[0] / picture.shape[0], size[1] / picture.shape[1])
    return resize(picture, (max(1, round(picture.shape[0] * scale)), max(1, round(picture.shape[1] * scale))))


# --- flats -----------------------------------------------------------------------------------------------------------


def hard_edged(flats: Pixels, lines: Pixels) -> Pixels:
    """Flats ``(H, W, 3)`` that, under the ink of lines ``(H, W)``, go on as beside it, without mixes of two."""
    hard = flats.copy()
    for band in bands(lines.shape):
        start = max(band.start - HALO_ROWS, 0)
        wide = slice(start, band.stop + HALO_ROWS)
        paper = lines[wide] >= INK_LEVEL
        if paper.any():
            index = nearest(paper)[0][band.start - start : band.stop - start]
            hard[band] = flats[wide].reshape(-1, 3)[index]
    return hard


def flatten(colors: Pixels, lines: Pixels, pixel_area: float) -> Pixels:
    """The color layer ``(H, W, 3)`` with each region in its most usual color; a region that leaks may have several.

    pixel_area: pixels of the drawing for each pixel of the network's image.
    """
    regions = closed_regions(lines)
    if not regions.any():
        return colors
    regions = split_leaks(regions, dominant_colors([colors]), Evidence(colors, None, pixel_area))
    wanted = np.arange(int(regions.max()) + 1) > 0
    return paint_flats(own_flats(regions, colors, wanted), regions)
