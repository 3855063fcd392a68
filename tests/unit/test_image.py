"""The internal form: exact both ways, and a geometry that can be undone."""

import numpy as np
import pytest
import torch

from irodori.image import PAPER, Geometry, from_uint8, pad_reference, pad_sketch, resize, to_pixels, to_tensor, to_uint8


def test_every_level_survives_both_ways():
    levels = torch.arange(256, dtype=torch.uint8)
    image = from_uint8(levels)
    assert image.dtype == torch.float32
    assert (image.min().item(), image.max().item()) == (-1.0, 1.0)
    assert torch.equal(to_uint8(image), levels)


def test_values_outside_are_clipped():
    assert to_uint8(torch.tensor([-3.0, -1.0, 1.0, 7.0])).tolist() == [0, 0, 255, 255]


@pytest.mark.parametrize("shape", [(5, 7, 3), (5, 7, 4), (5, 7, 1)])
def test_pixels_survive_the_tensor_form(shape):
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    image = to_tensor(pixels)
    assert image.shape == (1, shape[2], 5, 7)
    np.testing.assert_array_equal(to_pixels(image), pixels)


def test_gray_becomes_one_channel():
    assert to_tensor(np.zeros((5, 7), np.uint8)).shape == (1, 1, 5, 7)


def test_resize_keeps_flat_color_and_equal_size():
    flat = np.full((40, 30, 3), (12, 200, 77), np.uint8)
    assert (resize(flat, (9, 50)) == (12, 200, 77)).all()
    assert (resize(flat, (90, 50)) == (12, 200, 77)).all()
    assert resize(flat, (40, 30)) is flat


@pytest.mark.parametrize(("size", "padded"), [((17, 31), (32, 32)), ((16, 48), (16, 48)), ((1, 1), (16, 16))])
def test_sketches_are_padded_with_paper_at_the_bottom_and_right(size, padded):
    image = torch.zeros(2, 1, *size)
    result = pad_sketch(image, 16)
    assert result.shape == (2, 1, *padded)
    assert torch.equal(result[..., : size[0], : size[1]], image)
    assert (result[..., size[0] :, :] == PAPER).all()
    assert (result[..., :, size[1] :] == PAPER).all()


@pytest.mark.parametrize("side", [1, 7, 15, 16, 100])
def test_references_are_padded_with_their_own_border(side):
    """White padding would be one more color for the attention to take."""
    image = -torch.rand(1, 3, 40, side, generator=torch.Generator().manual_seed(0))
    result = pad_reference(image, 16)
    assert result.shape[-2] == 48
    assert result.shape[-1] % 16 == 0
    assert result.max() <= image.max()
    assert torch.equal(result[..., :40, side:], image[..., -1:].expand(-1, -1, -1, result.shape[-1] - side))


def test_a_dark_reference_of_an_odd_shape_stays_dark():
    geometry = Geometry((300, 220), 128, 16)
    assert geometry.apply(np.full((300, 220, 3), 30, np.uint8)).max() < -0.7
    assert geometry.apply(np.full((300, 220), 30, np.uint8)).max() == PAPER


SIZES = [
    ((17, 31), (140, 256), (144, 256)),
    ((255, 256), (255, 256), (256, 256)),
    ((8000, 100), (256, 3), (256, 16)),
    ((100, 8000), (3, 256), (16, 256)),
]


@pytest.mark.parametrize(("size", "fitted", "network"), SIZES)
def test_geometry_sizes(size, fitted, network):
    geometry = Geometry(size, image_size=256, multiple=16)
    assert geometry.fitted_size == fitted
    assert geometry.network_size == network
    image = geometry.apply(np.full((*size, 3), 90, np.uint8))
    assert image.shape == (1, 3, *network)
    cropped = geometry.crop(image)
    assert cropped.shape == (1, 3, *fitted)
    assert (to_uint8(cropped) == 90).all()


def test_the_thinnest_picture_keeps_a_pixel():
    assert Geometry((1, 5000), image_size=256, multiple=16).fitted_size == (1, 256)


def test_points_go_to_the_network_with_pixel_centers():
    geometry = Geometry((100, 200), image_size=400, multiple=16)
    assert geometry.to_network((-0.5, -0.5)) == (-0.5, -0.5)
    assert geometry.to_network((199.5, 99.5)) == (399.5, 199.5)
    assert geometry.to_network((0.0, 0.0)) == (0.5, 0.5)
