"""A picture of which part of the references colored which part of the sketch.

References are tinted by place, hue from top to bottom and lightness from left to right, and each place of the sketch
has the tint of the place that it took its color from; arrows join the largest regions with theirs.  Gray: no reference
decided there.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from irodori.image import Pixels, resize
from irodori.inference.correspondence import Correspondence, Point, cell_center, innermost, without_padding
from irodori.inference.finish import ColorCells, upsample_colors
from irodori.inference.leaks import find_rooms
from irodori.inference.regions import Mask, Regions, cell_regions, closed_regions, extend_regions
from irodori.inference.sheet import Layout, Places, fitted_cells, layout_of, on_sheet, panel_size, paste, tinted, tints

MAX_ARROWS = 8
LEAST_AREA = 0.004
"""Smallest share of the sketch that a region with an arrow has."""
APART, APART_ALIKE = 40.0, 160.0
"""How far apart two arrows are, both ends together, in pixels of the sheet; and two arrows of the same color."""
AROUND = 0.12
"""How far around its strongest cell a place is averaged, as a share of the references' height."""
TINT, REFERENCE_TINT, GRAY = 0.75, 0.55, (140, 140, 140)


@dataclass(frozen=True)
class Arrow:
    """From the place in a reference to the place in the sketch, both on the sheet, and the color that traveled."""

    start: Point
    end: Point
    color: tuple[int, int, int]


def explain(correspondence: Correspondence, colors: Pixels, confidence: Pixels | None) -> Pixels:
    """The picture, sketch left, references right.

    colors: the color layer ``(H, W, 3)``.  confidence: ``(H, W)`` in 0…255, or None: sure everywhere.
    """
    layout = layout_of(correspondence)
    keys = key_places(correspondence, layout)
    sources = source_places(correspondence, keys)
    sheet = np.full((*layout.size, 3), 255, np.uint8)
    panel, lines = _sketch_panel(correspondence, sources, layout, confidence)
    paste(sheet, panel, layout.sketch)
    for picture, place in zip(correspondence.references, layout.references, strict=True):
        paste(sheet, _reference_panel(picture, place, layout), place)
    for arrow in choose_arrows(correspondence, sources, layout, lines, colors, confidence):
        _draw(sheet, arrow)
    return sheet


# --- the sheet -------------------------------------------------------------------------------------------------------


def _reference_panel(picture: Pixels, place: tuple[float, float, float], layout: Layout) -> Pixels:
    """A reference in its own lights and darks under the tint of each place."""
    panel = resize(picture, panel_size(picture.shape, place[2]))
    y, x = np.mgrid[0 : panel.shape[0], 0 : panel.shape[1]].astype(np.float32)
    places = np.stack([x.reshape(-1) + place[0], y.reshape(-1) + place[1]], axis=1)
    return tinted(panel, tints(places, layout).reshape(panel.shape), REFERENCE_TINT)


def _sketch_panel(
    correspondence: Correspondence, sources: Places, layout: Layout, confidence: Pixels | None
) -> tuple[Pixels, Pixels]:
    """The sketch's panel in the tints of the places that colored it, and the sketch itself in that size."""
    lines = resize(correspondence.lines, panel_size(correspondence.lines.shape, layout.sketch[2]))
    regions = closed_regions(lines)
    fitted = fitted_cells(tints(sources.reshape(-1, 2), layout).reshape(*sources.shape[:2], 3), correspondence)
    tint: NDArray[np.floating] = upsample_colors(
        ColorCells(fitted, cell_regions(regions, fitted.shape[:2])), regions
    ).astype(np.float32)
    if confidence is not None:
        sure = resize(confidence, lines.shape).astype(np.float32)[..., None] / 255
        tint = sure * tint + (1 - sure) * np.array(GRAY, np.float32)
    tint = TINT * tint + (1 - TINT) * 255
    return np.rint(tint * (lines[..., None] / 255)).astype(np.uint8), lines


# --- where colors came from ------------------------------------------------------------------------------------------


def key_places(correspondence: Correspondence, layout: Layout) -> Places:
    """Where on the sheet the cells of all references lie: ``(K, 2)``, NaN for padding."""
    found = []
    for grid, geometry, place in zip(
        correspondence.attention.reference_grids,
        correspondence.reference_geometries,
        layout.references,
        strict=True,
    ):
        inside = without_padding(np.ones(grid, np.float32), geometry) > 0
        for row, column in np.ndindex(*grid):
            point = on_sheet(cell_center((row, column), grid, geometry), place)
            found.append(point if inside[row, column] else (np.nan, np.nan))
    return np.array(found, np.float32)


def source_places(correspondence: Correspondence, keys: Places) -> Places:
    """Where on the sheet each cell of the sketch took its color from: ``(rows, columns, 2)``.

    The strongest cell of the references and what is attended around it, averaged: the mean of all would lie between
    two eyes.
    """
    rows, columns = correspondence.attention.sketch_grid
    places, inside = torch.from_numpy(np.nan_to_num(keys)), torch.from_numpy(~np.isnan(keys[:, 0]))
    reach = AROUND * float(np.nanmax(keys[:, 1]) - np.nanmin(keys[:, 1]) + 1)
    found = [_strongest_places(weights * inside, places, reach) for weights in correspondence.blocks()]
    return torch.cat(found).view(rows, columns, 2).numpy()


def _strongest_places(weights: torch.Tensor, places: torch.Tensor, reach: float) -> torch.Tensor:
    """weights: ``(n, K)``.  places: ``(K, 2)``.  Returns ``(n, 2)``."""
    center = places[weights.argmax(dim=1)]
    for _ in range(2):
        near = weights * torch.exp(-(torch.cdist(center, places) ** 2) / (2 * reach**2))
        center = near @ places / near.sum(dim=1, keepdim=True).clamp(min=1e-20)
    return center


# --- arrows ----------------------------------------------------------------------------------------------------------


def choose_arrows(
    correspondence: Correspondence,
    sources: Places,
    layout: Layout,
    lines: Pixels,
    colors: Pixels,
    confidence: Pixels | None,
) -> list[Arrow]:
    """At most `MAX_ARROWS`, the largest regions first, one around the figure last; lines: in panel size."""
    regions = find_rooms(closed_regions(lines))[0]  # so that open lines do not make one region of all
    cells = fitted_cells(sources, correspondence)
    own = cell_regions(extend_regions(regions), cells.shape[:2])
    shown = resize(colors, lines.shape)
    sure = None if confidence is None else resize(confidence, lines.shape)
    arrows: list[Arrow] = []
    for region in _by_importance(regions):
        mask = regions == region
        if len(arrows) == MAX_ARROWS or (sure is not None and sure[mask].mean() < 127):
            continue
        places = cells[own == region] if (own == region).any() else cells[_cell_under(mask, cells.shape)][None]
        arrow = _arrow(mask, places, shown, correspondence, layout)
        if all(_is_apart(arrow, other) for other in arrows):
            arrows.append(arrow)
    return arrows


def _by_importance(regions: Regions) -> list[int]:
    areas = np.bincount(regions.reshape(-1))
    areas[0] = 0
    border = set(np.unique(np.concatenate([regions[0], regions[-1], regions[:, 0], regions[:, -1]])).tolist())
    large = [region for region in range(len(areas)) if areas[region] >= LEAST_AREA * regions.size]
    return sorted(large, key=lambda region: (region in border, -int(areas[region])))


def _arrow(mask: Mask, places: Places, shown: Pixels, correspondence: Correspondence, layout: Layout) -> Arrow:
    """From where most cells of the region looked, among those that found about the color that the region shows."""
    column, row = innermost(mask)
    red, green, blue = (int(level) for level in np.median(shown[mask], axis=0))
    miss = np.abs(_colors_at(places, correspondence, layout) - (red, green, blue)).sum(axis=1)
    source = _medoid(places[miss <= np.median(miss)])
    end = layout.sketch[0] + column + 0.5, layout.sketch[1] + row + 0.5
    return Arrow((float(source[0]), float(source[1])), end, (red, green, blue))


def _colors_at(places: Places, correspondence: Correspondence, layout: Layout) -> NDArray[np.int64]:
    """The references' colors at places of the sheet: ``(N, 3)``."""
    tops = [place[1] for place in layout.references[1:]]
    found = []
    for (x, y), number in zip(places, np.searchsorted(tops, places[:, 1], side="right"), strict=True):
        picture, (left, top, scale) = correspondence.references[number], layout.references[number]
        row = min(max(int((y - top) / scale), 0), picture.shape[0] - 1)
        column = min(max(int((x - left) / scale), 0), picture.shape[1] - 1)
        found.append(picture[row, column])
    return np.array(found, np.int64)


def _cell_under(mask: Mask, grid: tuple[int, ...]) -> tuple[int, int]:
    """The cell under the middle of a region that no cell's own region is."""
    column, row = innermost(mask)
    return row * grid[0] // mask.shape[0], column * grid[1] // mask.shape[1]


def _medoid(places: Places) -> Places:
    """The one of ``(N, 2)`` places that is nearest to their median, so that it is one that really was looked at."""
    return places[np.linalg.norm(places - np.median(places, axis=0), axis=1).argmin()]


def _is_apart(arrow: Arrow, other: Arrow) -> bool:
    ends = ((arrow.start, other.start), (arrow.end, other.end))
    between = sum(float(np.hypot(a[0] - b[0], a[1] - b[1])) for a, b in ends)
    alike = np.abs(np.subtract(arrow.color, other.color)).max() < 16
    return between > (APART_ALIKE if alike else APART)


def _draw(sheet: Pixels, arrow: Arrow) -> None:
    """A curve with a white rim in the color that traveled, a ring where it began and a head where it ends."""
    curve = _curve(arrow)
    dark = tuple(int(level * 0.45) for level in arrow.color)
    head = _head(curve)
    for color, width, ring in (((255, 255, 255), 7, 11), (dark, 4, 9), (arrow.color, 2, 7)):
        _line(sheet, curve, color, width)
        _dot(sheet, arrow.start, color, ring)
        _dot(sheet, arrow.end, color, ring) if head is None else _fill(sheet, head, color, width)


def _curve(arrow: Arrow) -> NDArray[np.float64]:
    """A flat S from reference to sketch, ``(n, 2)``."""
    start, end = np.array(arrow.start), np.array(arrow.end)
    pull = np.array([0.45 * (end[0] - start[0]), 0.0])
    t = np.linspace(0, 1, 48)[:, None]
    return (1 - t) ** 3 * start + 3 * (1 - t) ** 2 * t * (start + pull) + 3 * (1 - t) * t**2 * (end - pull) + t**3 * end


def _head(curve: NDArray[np.float64]) -> NDArray[np.float64] | None:
    way = curve[-1] - curve[-4]
    length = float(np.hypot(*way))
    if length == 0:
        return None
    way = way / length
    side = np.array([-way[1], way[0]])
    return np.array([curve[-1] + 5 * way, curve[-1] - 11 * way + 8 * side, curve[-1] - 11 * way - 8 * side])


SHIFT = 4  # OpenCV's drawing takes sixteenths of pixels


def _line(sheet: Pixels, curve: NDArray[np.float64], color: tuple[int, ...], width: int) -> None:
    points = np.rint(curve * (1 << SHIFT)).astype(np.int32)
    cv2.polylines(sheet, [points], False, color, width, cv2.LINE_AA, SHIFT)


def _dot(sheet: Pixels, center: Point, color: tuple[int, ...], radius: int) -> None:
    place = tuple(round(value * (1 << SHIFT)) for value in center)
    cv2.circle(sheet, place, radius << SHIFT, color, -1, cv2.LINE_AA, SHIFT)


def _fill(sheet: Pixels, corners: NDArray[np.float64], color: tuple[int, ...], width: int) -> None:
    points = np.rint(corners * (1 << SHIFT)).astype(np.int32)
    cv2.polylines(sheet, [points], True, color, width, cv2.LINE_AA, SHIFT)
    cv2.fillPoly(sheet, [points], color, cv2.LINE_AA, SHIFT)
