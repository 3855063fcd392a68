"""From the network's image to the drawing's own size, without color across lines.

The network works on a few hundred pixels.  Most draw the lines themselves, as their training targets do; so their ink
is taken out (`lift_lines`).  The bare colors are enlarged region by region (`upsample_colors`), and the artist's own
lines go on top (`composite`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from irodori.errors import InputError
from irodori.image import Pixels, resize
from irodori.inference.regions import (
    Mask,
    Regions,
    cell_regions,
    closed_regions,
    extend_regions,
    ink_share,
    nearest,
    region_share,
)
from irodori.inference.stains import remove_stains

LineMode = Literal["keep", "model", "none"]
LINE_MODES: tuple[str, ...] = get_args(LineMode)

BAND_PIXELS = 1 << 21
HALO_ROWS = 32
"""Bands are extended by this many rows: ink further from any paper has no side, and takes the plain color."""
INKED = 8
"""A cell is inked from 3 % of its area: one line through a cell 31 pixels wide."""
MOSTLY_INK = 153
SOLID_CELLS = 4.0
"""Ink further than this from paper is no line but a solid area, which keeps the color that the network gave it."""
SPREAD_CELLS, MAX_SPREAD_CELLS, ALIKE = 2, 32, 64
AVERAGE_CELLS, SEARCH_CELLS = 2, 3


@dataclass(frozen=True)
class ColorCells:
    """The network's colors without ink.

    colors: ``(h, w, 3)`` uint8.
    regions: ``(h, w)`` int32, the closed region that each color belongs to, 0 where there is none.
    """

    colors: Pixels
    regions: Regions


def fill_colors(image: Pixels, lines: Pixels, inked: bool = True, confidence: Pixels | None = None) -> Pixels:
    """The color layer of a drawing: the network's ``(h, w, 3)`` in the size of the lines, ``(H, W, 3)``, without ink.

    inked: whether the network drew the lines.  confidence: ``(h, w)`` in 0…255; where it is low, colors are calmed.
    A drawing smaller than the network's image is enlarged first, because its regions are finer there.
    """
    size = (max(lines.shape[0], image.shape[0]), max(lines.shape[1], image.shape[1]))
    fine_lines = _enlarge(lines, size)
    regions = closed_regions(fine_lines)
    cells = lift_lines(image, fine_lines, regions, inked)
    if confidence is not None:
        calm_guesses(cells, confidence)
    remove_stains(cells.colors, cells.regions, ink_share(regions, image.shape[:2]) > INKED)
    colors = upsample_colors(cells, regions)
    return resize(colors, (lines.shape[0], lines.shape[1]))


def lift_lines(image: Pixels, lines: Pixels, regions: Regions, inked: bool = True) -> ColorCells:
    """Replaces the ink of a network image ``(h, w, 3)`` by the colors beside it.

    In cells on a line or next to one, clean colors of the same region spread (`spread_colors`).  Cells that they do
    not reach, as among dense strokes, keep what the network painted, brightened by the ink that they contain if it
    is `inked`, and averaged so that cells wholly in the region count most.
    """
    size = image.shape[:2]
    own, ink = cell_regions(regions, size), ink_share(regions, size)
    clean = (cv2.dilate((ink > INKED).view(np.uint8), np.ones((3, 3), np.uint8)) == 0) & (own > 0)
    colors = np.where(clean[..., None], image, remove_ink(image, lines)) if inked else image.copy()
    unreached = spread_colors(colors, own, clean)
    _average_where(colors, unreached, own, region_share(regions, own))
    samples = (own > 0) & (~unreached | (ink < MOSTLY_INK))
    if not samples.any():
        return ColorCells(colors, np.zeros(size, np.int32))
    source, distance = nearest(samples)
    source = np.where(distance > SOLID_CELLS, np.arange(source.size, dtype=np.int32).reshape(size), source)
    return ColorCells(colors.reshape(-1, 3)[source], own.reshape(-1)[source])


def calm_guesses(cells: ColorCells, confidence: Pixels) -> None:
    """Mixes, in place, each color with the mean guess of its region, the more the less a source told it.

    What no source tells, a network guesses cell by cell, and the guesses mottle what an artist would paint flat.
    confidence: ``(h, w)`` in 0…255.
    """
    region, doubt = cells.regions.reshape(-1), 1 - confidence.reshape(-1).astype(np.float32) / 255
    doubt = np.where(region > 0, doubt, 0)
    colors = cells.colors.reshape(-1, 3)
    total = np.bincount(region, weights=doubt)
    sums = np.stack([np.bincount(region, weights=doubt * colors[:, channel]) for channel in range(3)], axis=1)
    guess = (sums / np.maximum(total, 1e-6)[:, None])[region]
    cells.colors[:] = np.rint(colors + doubt[:, None] * (guess - colors)).astype(np.uint8).reshape(cells.colors.shape)


def _average_where(colors: Pixels, wanted: Mask, own: Regions, share: NDArray[np.uint8]) -> None:
    """Replaces, in place, wanted cells by the mean of the cells of the same region around them, weighted by share²."""
    row, column = np.nonzero(wanted)
    weights = np.square(share.astype(np.float32) / np.float32(255))
    y, x = row.astype(np.float32), column.astype(np.float32)
    found = _same_region_colors(ColorCells(colors, own), own[wanted], y, x, AVERAGE_CELLS, weights)
    colors[wanted] = np.where(np.isnan(found), colors[wanted], np.rint(found)).astype(np.uint8)


def spread_colors(colors: Pixels, regions: Regions, known: Mask) -> Mask:
    """Fills, in place, unknown cells with the mean color of their known neighbors of the same region, round by round.

    The first rounds cover what a line spoils beside it.  After them a cell takes only a color that resembles its own,
    so that colors reach the tips of strands but do not creep through gaps in the lines.
    Returns the cells ``(h, w)`` with a region that no color reached.
    """
    width = colors.shape[1] + 2
    region = np.pad(regions, 1).reshape(-1)
    reached = np.pad(np.where(known, regions, np.int32(0)), 1).reshape(-1)
    values = np.pad(colors, ((1, 1), (1, 1), (0, 0))).reshape(-1, 3)
    steps = np.array([dy * width + dx for dy in (-1, 0, 1) for dx in (-1, 0, 1) if dy or dx], dtype=np.int32)
    rest = np.flatnonzero((region > 0) & (reached == 0)).astype(np.int32)
    for round_number in range(MAX_SPREAD_CELLS):
        same = reached[rest[:, None] + steps] == region[rest, None]
        touched = np.flatnonzero(same.any(axis=1))
        front, mean = rest[touched], _neighbor_mean(values, rest[touched, None] + steps, same[touched])
        if round_number >= SPREAD_CELLS:
            alike = np.abs(mean - values[front]).max(axis=1) <= ALIKE
            touched, front, mean = touched[alike], front[alike], mean[alike]
        if not front.size:
            break
        values[front], reached[front] = np.rint(mean), region[front]
        rest = np.delete(rest, touched)
    colors[:] = values.reshape(-1, width, 3)[1:-1, 1:-1]
    return ((region > 0) & (reached == 0)).reshape(-1, width)[1:-1, 1:-1]


def _neighbor_mean(values: Pixels, index: NDArray[np.int32], chosen: Mask) -> NDArray[np.float32]:
    """Mean of the chosen neighbors ``(N, 8)`` among flat colors ``(M, 3)``: ``(N, 3)``."""
    weights = chosen / np.maximum(chosen.sum(axis=1, keepdims=True), 1)
    return np.einsum("nk,nkc->nc", weights.astype(np.float32), values[index].astype(np.float32))


def remove_ink(image: Pixels, lines: Pixels) -> Pixels:
    """Undoes the multiplication by the lines, as far as rounding allows: ``image / (lines / 255)``, ``(h, w, 3)``."""
    paper = np.maximum(resize(lines, image.shape[:2]), 64)
    return np.asarray(cv2.divide(image, cv2.merge([paper] * 3), scale=255), dtype=np.uint8)


def upsample_colors(cells: ColorCells, regions: Regions) -> Pixels:
    """Enlarges colors to the drawing's ``(H, W, 3)``: bilinear, but only from cells of the pixel's own region.

    Most pixels lie among cells of their own region, where that is plain bilinear interpolation; the others, along
    the lines, are done again, in bands of rows to bound the memory.
    """
    height, width = regions.shape
    colors: Pixels = np.asarray(cv2.resize(cells.colors, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)
    common, means = _common_region(cells.regions), _region_means(cells, int(regions.max()))
    for band in bands(regions.shape):
        own = extended_band(regions, band)
        _recolor_band(colors[band], own, _grid(height, cells.regions.shape[0])[band], cells, common, means)
        soften_under_ink(colors[band], regions[band] == 0)
    return colors


def bands(size: tuple[int, ...]) -> Iterator[slice]:
    """Rows of a large ``(height, width)``, a few at a time, which bounds the memory of what is done to them."""
    height, width = size
    rows = max(BAND_PIXELS // width, HALO_ROWS)
    for top in range(0, height, rows):
        yield slice(top, min(top + rows, height))


def extended_band(regions: Regions, band: slice) -> Regions:
    """Some rows of the regions, with ink given to the nearest region (`extend_regions`)."""
    start = max(band.start - HALO_ROWS, 0)
    return extend_regions(regions[start : band.stop + HALO_ROWS])[band.start - start : band.stop - start]


def _grid(side: int, cells: int) -> NDArray[np.float32]:
    """Where the pixels of a side lie among its cells: ``(side,)`` in cell units, centers at integers, clipped."""
    positions = (np.arange(side, dtype=np.float32) + 0.5) * (cells / side) - 0.5
    return np.clip(positions, 0, cells - 1, dtype=np.float32)


def _common_region(regions: Regions) -> Regions:
    """The region that a cell shares with its right, lower and diagonal neighbor; -1 where they differ."""
    padded = np.pad(regions, ((0, 1), (0, 1)), mode="edge")
    same = (padded[1:, :-1] == regions) & (padded[:-1, 1:] == regions) & (padded[1:, 1:] == regions)
    return np.where(same, regions, np.int32(-1))


def _region_means(cells: ColorCells, last: int) -> NDArray[np.float32]:
    """Mean color of the cells of each region, ``(last + 1, 3)``; NaN for a region without a cell."""
    flat, colors = cells.regions.reshape(-1), cells.colors.reshape(-1, 3)
    count = np.bincount(flat, minlength=last + 1)
    sums = np.stack([np.bincount(flat, weights=colors[:, c], minlength=last + 1) for c in range(3)], axis=1)
    return np.where(count[:, None] > 0, sums / np.maximum(count, 1)[:, None], np.nan).astype(np.float32)


def _recolor_band(
    colors: Pixels,
    own: Regions,
    rows: NDArray[np.float32],
    cells: ColorCells,
    common: Regions,
    means: NDArray[np.float32],
) -> None:
    """Recomputes, in place, the pixels of a band whose four cells are not all of the pixel's own region."""
    columns = _grid(own.shape[1], cells.regions.shape[1])
    mixed = np.flatnonzero(common[rows.astype(np.int32)[:, None], columns.astype(np.int32)] != own)
    if not mixed.size:
        return
    row, column = np.divmod(mixed.astype(np.int32), np.int32(own.shape[1]))
    region, y, x = own.reshape(-1)[mixed], rows[row], columns[column]
    found = _same_region_colors(cells, region, y, x, 0)
    lost = np.flatnonzero(np.isnan(found[:, 0]))
    found[lost] = _search_colors(cells, region[lost], np.rint(y[lost]), np.rint(x[lost]), means)
    found = np.where(np.isnan(found), colors[row, column], found)
    colors[row, column] = np.rint(found).astype(np.uint8)


def _search_colors(
    cells: ColorCells, region: Regions, y: NDArray[np.float32], x: NDArray[np.float32], means: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Colors ``(N, 3)`` for pixels in cells ``(x, y)`` with no cell of their region around.

    The nearest cells of the region, else its mean, else NaN; found once for all pixels of a region in a cell.
    """
    known = np.flatnonzero(~np.isnan(means[region, 0]))
    key = (region[known].astype(np.int64) * cells.regions.shape[0] + y[known].astype(np.int64)) * cells.regions.shape[1]
    _, first, group = np.unique(key + x[known].astype(np.int64), return_index=True, return_inverse=True)
    one = known[first]
    found = _same_region_colors(cells, region[one], y[one], x[one], SEARCH_CELLS)
    colors = np.full((len(region), 3), np.nan, np.float32)
    colors[known] = np.where(np.isnan(found), means[region[one]], found)[group]
    return colors


def _same_region_colors(
    cells: ColorCells,
    region: Regions,
    y: NDArray[np.float32],
    x: NDArray[np.float32],
    reach: int,
    trust: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """Weighted mean color of the cells of `region` around ``(x, y)``: ``(N, 3)``, NaN where there is none.

    reach 0: bilinear weights on the four cells around.  Otherwise a window that reaches further, nearest cells first.
    trust: ``(h, w)``, a factor on the weight of each cell.
    """
    height, width = cells.regions.shape
    flat_regions, flat_colors = cells.regions.reshape(-1), cells.colors.reshape(-1, 3)
    base_y, base_x = y.astype(np.int32), x.astype(np.int32)
    total, weights = np.zeros((len(y), 3), np.float32), np.zeros(len(y), np.float32)
    for dy in range(-reach, reach + 2):
        for dx in range(-reach, reach + 2):
            cell_y, cell_x = base_y + np.int32(dy), base_x + np.int32(dx)
            index = np.clip(cell_y, 0, height - 1) * np.int32(width) + np.clip(cell_x, 0, width - 1)
            weight = _cell_weight(cell_y - y, cell_x - x, reach) * (flat_regions[index] == region)
            if trust is not None:
                weight *= trust.reshape(-1)[index]
            total += weight[:, None] * flat_colors[index]
            weights += weight
    return np.where(weights[:, None] > 1e-6, total / np.maximum(weights, 1e-6)[:, None], np.float32(np.nan))


def _cell_weight(dy: NDArray[np.float32], dx: NDArray[np.float32], reach: int) -> NDArray[np.float32]:
    """Bilinear weight, or, for a wide window, a bell so narrow that the nearest cells decide."""
    if reach == 0:
        return np.asarray((1 - np.abs(dy)) * (1 - np.abs(dx)), dtype=np.float32)
    return np.asarray(np.exp(-(dy**2 + dx**2)), dtype=np.float32)


def soften_under_ink(colors: Pixels, ink: Mask) -> None:
    """Blurs the color layer under the ink alone, in place, so that regions meet without stair steps."""
    cv2.copyTo(cv2.blur(colors, (3, 3)), ink.view(np.uint8), colors)


def composite(colors: Pixels, lines: Pixels, mode: LineMode, network_image: Pixels) -> Pixels:
    """Color layer ``(H, W, 3)`` and lines ``(H, W)`` to the picture ``(H, W, 3)``.

    keep: the artist's lines, multiplied on the colors.  none: the colors alone.
    model: the network's own image ``(h, w, 3)``, enlarged.
    """
    if mode == "keep":
        return np.asarray(cv2.multiply(colors, cv2.merge([lines] * 3), scale=1 / 255), dtype=np.uint8)
    if mode == "none":
        return colors
    if mode == "model":
        return resize(network_image, (lines.shape[0], lines.shape[1]))
    raise InputError(f"unknown line mode {mode!r}: use one of {', '.join(LINE_MODES)}")


def _enlarge(lines: Pixels, size: tuple[int, int]) -> Pixels:
    if lines.shape == size:
        return lines
    return np.asarray(cv2.resize(lines, size[::-1], interpolation=cv2.INTER_LINEAR), dtype=np.uint8)
