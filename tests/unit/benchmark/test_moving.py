"""Moving with whole numbers, against the floating-point warps of training and against what is known by hand."""

import numpy as np
import pytest
import torch

from irodori.benchmark.moving import UNIT, nearest, points_of, sampled
from irodori.data.warp import WarpOptions, no_warp, random_warp

SIZE = 64


@pytest.fixture
def image() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3), np.uint8)


@pytest.mark.parametrize(
    "options",
    [
        WarpOptions(tps=0.05),
        WarpOptions(tps=0.0, move=0.3, scale=(0.5, 1.5), mirror=1.0, rotate_degrees=30),
    ],
    ids=["bend", "affine"],
)
def test_it_moves_as_the_warps_of_training_do(image: np.ndarray, options: WarpOptions):
    for seed in range(3):
        warp = random_warp(SIZE, options, np.random.default_rng(seed))
        theirs = warp.apply(torch.from_numpy(image).permute(2, 0, 1)[None].float())[0].permute(1, 2, 0).numpy()
        points = points_of(warp, SIZE)
        assert np.abs(points / UNIT - warp.backward(SIZE)[0].numpy()).max() < 0.51 / UNIT + 1e-3
        difference = sampled(image, points) - theirs
        assert np.abs(difference).max() <= 2  # noise is as steep as pictures get
        assert abs(difference.mean()) < 0.1


def test_no_warp_changes_nothing(image: np.ndarray):
    points = points_of(no_warp(), SIZE)
    assert np.array_equal(sampled(image, points), image)
    assert np.array_equal(nearest(image[..., 0], points), image[..., 0])


def test_a_mirror_is_exact(image: np.ndarray):
    points = points_of(random_warp(SIZE, WarpOptions(tps=0.0, mirror=1.0), np.random.default_rng(0)), SIZE)
    assert np.array_equal(sampled(image, points), image[:, ::-1])
    assert np.array_equal(nearest(image[..., 0], points), image[:, ::-1, 0])


def test_between_pixels_and_outside():
    image = np.array([[0, 100], [200, 40]], np.uint8)[..., None]
    points = np.array([[[UNIT // 2, 0], [0, UNIT // 4], [UNIT // 2, UNIT // 2], [-5 * UNIT, 9 * UNIT]]])
    assert sampled(image, points)[0, :, 0].tolist() == [50, 50, 85, 200]
    assert nearest(image[..., 0], points)[0].tolist() == [100, 0, 40, 200]
