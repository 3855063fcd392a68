import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio

from irodori.metrics.points import sc_psnr

GENERATOR = torch.Generator().manual_seed(0)
IMAGE, REFERENCE = (torch.rand(3, *size, generator=GENERATOR) * 2 - 1 for size in ((40, 50), (60, 30)))


def test_it_is_the_psnr_of_the_patches():
    points = [(10.0, 12.0, 8.0, 40.0), (30.4, 20.6, 15.0, 10.0)]
    ours = torch.stack([IMAGE[:, 8:17, 6:15], IMAGE[:, 17:26, 26:35]])
    theirs = torch.stack([REFERENCE[:, 36:45, 4:13], REFERENCE[:, 6:15, 11:20]])
    expected = peak_signal_noise_ratio(theirs.numpy(), ours.numpy(), data_range=2)
    assert sc_psnr(IMAGE, REFERENCE, points) == pytest.approx(expected, abs=1e-3)


def test_corresponding_places_of_a_moved_picture_are_the_same():
    moved = torch.roll(IMAGE, (3, 5), dims=(1, 2))
    points = [(x, y, x + 5, y + 3) for x in (10, 20, 30) for y in (10, 20, 30)]
    assert sc_psnr(IMAGE, moved, points) == 100.0
    assert sc_psnr(IMAGE, moved, [(x, y, x, y) for x, y, _, _ in points]) < 15


def test_points_whose_patch_leaves_a_picture_are_left_out():
    inside = (10, 10, 10, 10)
    outside = [(3, 10, 10, 10), (10, 36, 10, 10), (10, 10, 26, 10), (10, 10, 10, 3)]
    assert sc_psnr(IMAGE, REFERENCE, [inside, *outside]) == sc_psnr(IMAGE, REFERENCE, [inside])
    assert sc_psnr(IMAGE, REFERENCE, outside) is None
    assert sc_psnr(IMAGE, REFERENCE, []) is None
    assert sc_psnr(IMAGE, REFERENCE, outside, radius_px=3) is not None
