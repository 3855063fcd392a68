"""Where in the references each place of the sketch took its colors, in pixels of the files (SCFT, figure 7)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from irodori.errors import InputError
from irodori.image import Geometry, Pixels, resize
from irodori.inference.regions import closed_regions
from irodori.systems.base import Attention

Point = tuple[float, float]
HeatMap = NDArray[np.float32]

BLOCK = 256
"""Cells of the sketch whose attention is looked at together; the whole map may be larger than all else."""
PANEL_SIZE = 384
MARGIN = 12
NUM_POINTS = 4
MARKS = ((230, 57, 70), (29, 120, 220), (20, 150, 80), (240, 140, 20), (140, 70, 200), (0, 160, 170))


@dataclass(frozen=True)
class Correspondence:
    """A learned attention map, put into words of the files.

    attention: of one image (batch axis of length 1).
    geometry, reference_geometries: how sketch and references were fitted to the network.
    lines: the sketch ``(H, W)``.  references: their pixels, each ``(H, W, 3)``, in the order of the attention.
    numbers: their places among the pictures as they were given; one that serves several places is there several times.
    """

    attention: Attention
    geometry: Geometry
    reference_geometries: tuple[Geometry, ...]
    lines: Pixels
    references: tuple[Pixels, ...]
    numbers: tuple[int, ...] = ()

    def where(self, x: float, y: float) -> tuple[int, float, float, float]:
        """The place that the sketch point ``(x, y)`` looked at most: ``(reference_index, x_ref, y_ref, weight)``.

        weight: the share of attention of that one grid cell, 0…1.  Raises InputError outside the sketch.
        """
        maps = self._maps(x, y)
        index = int(np.argmax([grid.max() for grid in maps]))
        row, column = np.unravel_index(int(maps[index].argmax()), maps[index].shape)
        x_ref, y_ref = cell_center((int(row), int(column)), maps[index].shape, self.reference_geometries[index])
        return index, x_ref, y_ref, float(maps[index][row, column])

    def heatmap(self, x: float, y: float, reference_index: int = 0) -> HeatMap:
        """How much the sketch point looked at each pixel of a reference: ``(H_ref, W_ref)``, 0…1, highest cell 1."""
        if not 0 <= reference_index < len(self.references):
            raise InputError(
                f"there is no reference {reference_index}: they count from 0 to {len(self.references) - 1}"
            )
        grid, geometry = self._maps(x, y)[reference_index], self.reference_geometries[reference_index]
        grid = grid / max(float(grid.max()), 1e-12)
        fine = cv2.resize(grid, geometry.network_size[::-1], interpolation=cv2.INTER_LINEAR)
        height, width = geometry.fitted_size
        fine = cv2.resize(fine[:height, :width], geometry.size[::-1], interpolation=cv2.INTER_LINEAR)
        return np.clip(fine, 0, 1).astype(np.float32)

    def picture(self, points: Sequence[Point] | None = None) -> Pixels:
        """A sheet: the sketch with numbered squares, then for each point the reference that it looked at, with heat.

        points: ``(x, y)`` in sketch pixels; by default some inside the largest closed regions.
        """
        points = list(points) if points else default_points(self.lines)
        panels = [_sketch_panel(self.lines, points)]
        for number, (x, y) in enumerate(points):
            index, x_ref, y_ref, _ = self.where(x, y)
            panels.append(_reference_panel(self.references[index], self.heatmap(x, y, index), (x_ref, y_ref), number))
        return _sheet(panels)

    def blocks(self) -> Iterator[Tensor]:
        """All rows of the attention, some cells of the sketch at a time: ``(n, K)``, K cells of all references."""
        rows, columns = self.attention.sketch_grid
        for queries in torch.arange(rows * columns).split(BLOCK):
            yield self.attention.rows(queries)[0].float().cpu()

    def _maps(self, x: float, y: float) -> list[HeatMap]:
        """The attention of a sketch point, one grid per reference; cells that lie wholly in padding are 0."""
        height, width = self.geometry.size
        if not (-0.5 <= x <= width - 0.5 and -0.5 <= y <= height - 0.5):
            raise InputError(f"the point {x:g},{y:g} lies outside the sketch of {width}x{height} pixels")
        weights = self.attention.rows(torch.tensor([self._query(x, y)]))[0, 0].float().cpu().numpy()
        sizes = [rows * columns for rows, columns in self.attention.reference_grids]
        parts = np.split(weights, np.cumsum(sizes)[:-1])
        pairs = zip(parts, self.attention.reference_grids, self.reference_geometries, strict=True)
        return [without_padding(part.reshape(grid), geometry) for part, grid, geometry in pairs]

    def _query(self, x: float, y: float) -> int:
        rows, columns = self.attention.sketch_grid
        height, width = self.geometry.network_size
        x_net, y_net = self.geometry.to_network((x, y))
        column = min(max(int((x_net + 0.5) * columns / width), 0), columns - 1)
        row = min(max(int((y_net + 0.5) * rows / height), 0), rows - 1)
        return row * columns + column


def without_padding(grid: HeatMap, geometry: Geometry) -> HeatMap:
    """An attention map over one picture's cells, 0 on those that lie wholly in its padding."""
    rows, columns = (
        -(-fitted * cells // side)
        for fitted, cells, side in zip(geometry.fitted_size, grid.shape, geometry.network_size, strict=True)
    )
    inside = np.zeros_like(grid)
    inside[:rows, :columns] = grid[:rows, :columns]
    return inside


def cell_center(cell: tuple[int, int], grid: tuple[int, ...], geometry: Geometry) -> Point:
    """The center of a grid cell ``(row, column)`` as a point of the file, clipped to it."""
    places = []
    for axis in (1, 0):
        network = (cell[axis] + 0.5) * geometry.network_size[axis] / grid[axis]
        place = network * geometry.size[axis] / geometry.fitted_size[axis] - 0.5
        places.append(min(max(place, 0.0), geometry.size[axis] - 1.0))
    return places[0], places[1]


def default_points(lines: Pixels, count: int = NUM_POINTS) -> list[Point]:
    """Points ``(x, y)`` in the middle of the largest closed regions, the one around the figure last."""
    scale = min(1.0, 512 / max(lines.shape))
    small = resize(lines, (max(1, round(lines.shape[0] * scale)), max(1, round(lines.shape[1] * scale))))
    regions = closed_regions(small)
    areas = np.bincount(regions.reshape(-1))
    areas[0] = 0
    border = np.unique(np.concatenate([regions[0], regions[-1], regions[:, 0], regions[:, -1]]))
    order = sorted(range(len(areas)), key=lambda region: (region in border, -int(areas[region])))
    chosen = [region for region in order if areas[region] > 0][:count]
    inner = [innermost(regions == region) for region in chosen]
    return [((x + 0.5) / scale - 0.5, (y + 0.5) / scale - 0.5) for x, y in inner] or [(0.0, 0.0)]


def innermost(mask: NDArray[np.bool_]) -> tuple[int, int]:
    """The pixel ``(x, y)`` of a mask that is farthest from its edge."""
    padded = np.pad(mask.view(np.uint8), 1)
    distance = cv2.distanceTransform(padded, cv2.DIST_L2, 5)[1:-1, 1:-1]
    row, column = np.unravel_index(int(distance.argmax()), distance.shape)
    return int(column), int(row)


def _fit(pixels: Pixels) -> tuple[Image.Image, float]:
    """A picture as a panel, and the factor from its pixels to the panel's."""
    scale = PANEL_SIZE / max(pixels.shape[:2])
    size = (max(1, round(pixels.shape[0] * scale)), max(1, round(pixels.shape[1] * scale)))
    return Image.fromarray(resize(pixels, size)).convert("RGB"), scale


def _sketch_panel(lines: Pixels, points: Sequence[Point]) -> Image.Image:
    panel, scale = _fit(lines)
    for number, (x, y) in enumerate(points):
        _mark(panel, (x * scale, y * scale), number)
    return panel


def _reference_panel(reference: Pixels, heat: HeatMap, place: Point, number: int) -> Image.Image:
    panel, scale = _fit(reference)
    strength = cv2.resize(heat, panel.size, interpolation=cv2.INTER_AREA)
    hot = cv2.applyColorMap((strength * 255).astype(np.uint8), cv2.COLORMAP_JET)[..., ::-1]
    share = (0.15 + 0.55 * strength)[..., None]
    panel = Image.fromarray(np.rint(np.asarray(panel) * (1 - share) + hot * share).astype(np.uint8))
    _mark(panel, (place[0] * scale, place[1] * scale), number)
    return panel


def _mark(panel: Image.Image, center: Point, number: int) -> None:
    """Draws a colored square with the number of a point, counted from 1, wholly inside the panel."""
    draw, half = ImageDraw.Draw(panel), 9
    x, y = (min(max(place, half), max(side - half - 1, half)) for place, side in zip(center, panel.size, strict=True))
    box = (x - half, y - half, x + half, y + half)
    draw.rectangle(box, fill=MARKS[number % len(MARKS)], outline=(255, 255, 255), width=2)
    draw.text((x, y), str(number + 1), fill=(255, 255, 255), anchor="mm", font=ImageFont.load_default(13))


def _sheet(panels: Sequence[Image.Image]) -> Pixels:
    width = sum(panel.width + MARGIN for panel in panels) + MARGIN
    sheet = Image.new("RGB", (width, max(panel.height for panel in panels) + 2 * MARGIN), (255, 255, 255))
    left = MARGIN
    for panel in panels:
        sheet.paste(panel, (left, MARGIN))
        left += panel.width + MARGIN
    return np.asarray(sheet)
