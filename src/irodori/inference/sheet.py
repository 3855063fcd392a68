"""The sheet on which a sketch stands at the left and its references at the right, and tints that tell its places."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from irodori.color import lab_to_rgb
from irodori.image import Pixels, to_pixels
from irodori.inference.correspondence import Correspondence, Point

PANEL, GAP, MARGIN = 640, 150, 24

Places = NDArray[np.float32]


class Layout(NamedTuple):
    """Where the pictures lie on the sheet, as ``(left, top, scale)``: the sketch's panel, and one per reference."""

    sketch: tuple[float, float, float]
    references: tuple[tuple[float, float, float], ...]
    size: tuple[int, int]


def layout_of(correspondence: Correspondence) -> Layout:
    """The sketch as high as `PANEL` allows, the references below each other in the same height."""
    height, width = correspondence.lines.shape
    scale = PANEL / max(height, width)
    panel_height, panel_width = max(height * scale, PANEL / 2), width * scale
    share = (panel_height - MARGIN * (len(correspondence.references) - 1)) / len(correspondence.references)
    left, top, places = 2 * MARGIN + panel_width + GAP, float(MARGIN), []
    right = left
    for picture in correspondence.references:
        fit = min(max(share, 32) / picture.shape[0], PANEL / picture.shape[1])
        places.append((left, top, fit))
        top += picture.shape[0] * fit + MARGIN
        right = max(right, left + picture.shape[1] * fit)
    bottom = max(MARGIN + height * scale, top - MARGIN) + MARGIN
    return Layout((float(MARGIN), float(MARGIN), scale), tuple(places), (round(bottom), round(right + MARGIN)))


def on_sheet(point: Point, place: tuple[float, float, float]) -> Point:
    """Where a point of a picture's file lies on the sheet."""
    left, top, scale = place
    return left + (point[0] + 0.5) * scale, top + (point[1] + 0.5) * scale


def tints(places: Places, layout: Layout) -> Pixels:
    """The tint of places ``(N, 2)`` of the references on the sheet: ``(N, 3)``."""
    left = layout.references[0][0]
    across = np.clip((places[:, 0] - left) / max(layout.size[1] - MARGIN - left, 1), 0, 1)
    down = np.clip((places[:, 1] - MARGIN) / max(layout.size[0] - 2 * MARGIN, 1), 0, 1)
    hue = np.deg2rad(10 + 290 * down)
    lab = np.stack([84 - 26 * across, 38 * np.cos(hue), 38 * np.sin(hue)], axis=1)
    rgb = lab_to_rgb(torch.from_numpy(lab.astype(np.float32)).T[None])
    return to_pixels(rgb[..., None])[:, 0]


def tinted(picture: Pixels, tint: Pixels, strength: float) -> Pixels:
    """A picture in its own lights and darks under a tint of the same size; strength: share of the tint, 0…1."""
    gray = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    shaded = tint * (0.6 + 0.4 * gray)[..., None]
    return np.rint(strength * shaded + (1 - strength) * picture).astype(np.uint8)


def paste(sheet: Pixels, panel: Pixels, place: tuple[float, float, float]) -> None:
    """Puts a picture, already in the sheet's scale, at its place; what stands over the edge by rounding is cut off."""
    left, top = round(place[0]), round(place[1])
    area = sheet[top : top + panel.shape[0], left : left + panel.shape[1]]
    area[:] = panel[: area.shape[0], : area.shape[1]]


def panel_size(shape: tuple[int, ...], scale: float) -> tuple[int, int]:
    """``(height, width)`` of a picture on the sheet."""
    return max(1, round(shape[0] * scale)), max(1, round(shape[1] * scale))


def fitted_cells(cells: NDArray, correspondence: Correspondence) -> NDArray:
    """Cells of the network's grid ``(rows, columns, …)`` without those that lie in the padding."""
    geometry = correspondence.geometry
    rows, columns = (
        -(-fitted * count // side)
        for fitted, count, side in zip(geometry.fitted_size, cells.shape, geometry.network_size, strict=False)
    )
    return np.ascontiguousarray(cells[:rows, :columns])
