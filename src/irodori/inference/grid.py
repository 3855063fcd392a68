"""The forward warp: pictures that lie over the references, brought to the sketch by the very mix that brought colors.

`irodori.inference.explain` shows for each place of the sketch the one place where most of its color came from; a grid
that is brought shows the mix too: sharp tiles came from one place, a blur from many.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F

from irodori.image import Pixels, resize, to_pixels
from irodori.inference.correspondence import Correspondence
from irodori.inference.finish import ColorCells, composite, upsample_colors
from irodori.inference.regions import cell_regions, closed_regions
from irodori.inference.sheet import Layout, Places, fitted_cells, layout_of, panel_size, paste, tinted, tints

TILES = 8
"""Along the longer side of a reference."""
DARK, REFERENCE_TINT = 0.55, 0.65


def bring(correspondence: Correspondence, pictures: Sequence[Pixels]) -> Pixels:
    """Pictures over the references, each of its reference's size, brought to where the colors went.

    Each cell of the sketch gets the mean of the pictures' cells, weighted by its attention: ``(rows, columns, 3)``,
    without the cells that lie in the sketch's padding.  Of the references themselves, this is the coarse image of CSFT.
    """
    attention = correspondence.attention
    cells = []
    for picture, geometry, grid in zip(
        pictures, correspondence.reference_geometries, attention.reference_grids, strict=True
    ):
        cells.append(F.adaptive_avg_pool2d(geometry.apply(picture), grid)[0].flatten(1).T)
    colors, (rows, columns) = torch.cat(cells), attention.sketch_grid
    brought = torch.cat([weights @ colors for weights in correspondence.blocks()])
    return fitted_cells(to_pixels(brought.T.view(1, 3, rows, columns)), correspondence)


def grid_picture(correspondence: Correspondence) -> Pixels:
    """A sheet: the references under a grid of tinted tiles, right, and the tiles where the colors went, left."""
    layout = layout_of(correspondence)
    pairs = list(zip(correspondence.references, layout.references, strict=True))
    brought = bring(correspondence, [_tiles(picture.shape, place, layout) for picture, place in pairs])
    sheet = np.full((*layout.size, 3), 255, np.uint8)
    lines = resize(correspondence.lines, panel_size(correspondence.lines.shape, layout.sketch[2]))
    regions = closed_regions(lines)
    fine = upsample_colors(ColorCells(brought, cell_regions(regions, brought.shape[:2])), regions)
    paste(sheet, composite(fine, lines, "keep", brought), layout.sketch)
    for picture, (left, top, scale) in pairs:
        panel = resize(picture, panel_size(picture.shape, scale))
        grid = _tiles(panel.shape, (left, top, 1.0), layout)
        paste(sheet, tinted(panel, grid, REFERENCE_TINT), (left, top, scale))
    return sheet


def _tiles(shape: tuple[int, ...], place: tuple[float, float, float], layout: Layout) -> Pixels:
    """Square tiles over a picture of this shape and place, each in the tint of its middle, every other one dark."""
    side = max(shape[:2]) / TILES
    row, column = (np.floor((np.arange(length) + 0.5) / side) for length in shape[:2])
    x, y = np.meshgrid(place[0] + (column + 0.5) * side * place[2], place[1] + (row + 0.5) * side * place[2])
    middles: Places = np.stack([x.reshape(-1), y.reshape(-1)], axis=1).astype(np.float32)
    tint = tints(middles, layout).reshape(shape)
    dark = (row[:, None] + column[None]) % 2 == 1
    return np.where(dark[..., None], np.rint(tint * DARK), tint).astype(np.uint8)
