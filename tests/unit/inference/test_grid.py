"""Pictures over the references go where a constructed attention carried the colors."""

import numpy as np
import pytest
import torch

from fakes import MirrorSystem, box_drawing
from irodori.errors import InputError
from irodori.image import Geometry
from irodori.inference.colorizer import Colorizer
from irodori.inference.correspondence import Correspondence
from irodori.inference.grid import DARK, TILES, bring, grid_picture
from irodori.inference.sheet import layout_of, tints
from irodori.systems.base import Attention

SIDE = Geometry((64, 64), 64, 16)
LINES = box_drawing(64, 64, (4, 4, 60, 60), 2)


def quarters(*levels: int) -> np.ndarray:
    """``(64, 64, 3)``, four squares of one gray each, row by row."""
    return np.array(levels, np.uint8).reshape(2, 2, 1).repeat(32, 0).repeat(32, 1).repeat(3, 2)


def looked(weights: torch.Tensor, references: int = 1) -> Correspondence:
    """An attention ``(4, 4 * references)`` between pictures of four cells each."""
    attention = Attention.of(weights[None], (2, 2), ((2, 2),) * references)
    return Correspondence(attention, SIDE, (SIDE,) * references, LINES, (np.zeros((64, 64, 3), np.uint8),) * references)


def test_cells_change_places_as_the_attention_says():
    moved = looked(torch.eye(4)[[3, 2, 1, 0]])
    assert bring(moved, [quarters(10, 50, 90, 200)])[..., 0].tolist() == [[200, 90], [50, 10]]


def test_what_is_mixed_from_two_references_is_their_mean():
    weights = torch.zeros(4, 8)
    weights[:, 0], weights[:, 7] = 0.25, 0.75
    mixed = bring(looked(weights, 2), [quarters(100, 0, 0, 0), quarters(0, 0, 0, 20)])
    assert (mixed == 40).all()


def test_padding_of_the_sketch_is_cut_off():
    tall = Geometry((64, 16), 64, 32)  # padded from 16 to 32 columns
    attention = Attention.of(torch.eye(8)[None], (4, 2), ((4, 2),))
    lines, picture = np.full((64, 16), 255, np.uint8), np.full((64, 16, 3), 9, np.uint8)
    brought = bring(Correspondence(attention, tall, (tall,), lines, (picture,)), [picture])
    assert brought.shape == (4, 1, 3)
    assert (brought == 9).all()


def test_a_mirrored_grid_shows_each_tile_at_the_mirrored_place():
    reference = np.full((256, 256, 3), 200, np.uint8)
    result = Colorizer(MirrorSystem(), device="cpu")(np.full((256, 256), 255, np.uint8), reference, image_size=256)
    sheet, layout = np.asarray(result.grid()).astype(int), layout_of(result.correspondence)
    assert sheet.shape == (*layout.size, 3)
    (left, top, scale), (ref_left, ref_top, ref_scale) = layout.sketch, layout.references[0]
    side = 256 / TILES
    for row, column in ((0, 0), (2, 5), (7, 6)):
        x, y = (column + 0.5) * side, (row + 0.5) * side
        middle = np.array([[ref_left + x * ref_scale, ref_top + y * ref_scale]], np.float32)
        tint = tints(middle, layout)[0] * (DARK if (row + column) % 2 else 1.0)
        shown = sheet[round(top + y * scale), round(left + (256 - x) * scale)]
        assert np.abs(shown - 0.9 * tint - 0.1 * 127).max() < 14  # a tenth is spread over all


def test_the_grid_stands_on_every_reference():
    pictures = [np.full((40, 300, 3), 128, np.uint8), np.full((300, 40, 3), 128, np.uint8)]
    known = Colorizer(MirrorSystem(), device="cpu")(LINES, pictures).correspondence
    sheet, layout = grid_picture(known), layout_of(known)
    for picture, (left, top, scale) in zip(pictures, layout.references, strict=True):
        height, width = (round(side * scale) for side in picture.shape[:2])
        area = sheet[round(top) : round(top) + height, round(left) : round(left) + width]
        assert len(np.unique(area.reshape(-1, 3), axis=0)) >= TILES


def test_without_a_reference_there_is_no_grid():
    with pytest.raises(InputError, match="give a reference"):
        Colorizer(MirrorSystem(), device="cpu")(LINES, None).grid()
