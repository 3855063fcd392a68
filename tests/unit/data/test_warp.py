import math

import cv2
import numpy as np
import pytest
import torch

from irodori.data.warp import Warp, WarpOptions, inverted, nearest_at, no_warp, random_warp, sample_at

SIZE = 96


def dots(size: int, generator: np.random.Generator, count: int = 24) -> list[tuple[int, int]]:
    """Points away from the border, ``(x, y)``."""
    return [tuple(generator.integers(size // 4, 3 * size // 4, 2)) for _ in range(count)]


@pytest.mark.parametrize(
    "options",
    [
        WarpOptions(tps=0.04),
        WarpOptions(tps=0.0, move=0.1),
        WarpOptions(tps=0.0, scale=(0.6, 1.2)),
        WarpOptions(tps=0.0, mirror=1.0),
        WarpOptions(tps=0.0, elastic=0.02),
        WarpOptions(tps=0.03, move=0.1, scale=(0.7, 1.2), mirror=0.5, rotate_degrees=20, elastic=0.01),
    ],
    ids=["tps", "move", "scale", "mirror", "elastic", "all"],
)
def test_the_correspondence_says_where_a_dot_went(options: WarpOptions):
    """A bright blob at a sketch point must be found in the warped image where the field says."""
    for seed in range(6):
        generator = np.random.default_rng(seed)
        warp = random_warp(SIZE, options, generator)
        field = warp.correspondence(SIZE)[0].permute(1, 2, 0).numpy()
        for x, y in dots(SIZE, generator, 8):
            if np.isnan(field[y, x]).any():
                continue
            image = np.zeros((SIZE, SIZE), np.uint8)
            image[y - 1 : y + 2, x - 1 : x + 2] = 255
            warped = warp.apply(torch.from_numpy(image)[None, None].float())[0, 0].numpy()
            rows, columns = np.nonzero(warped > 60)
            found = np.average(columns, weights=warped[rows, columns]), np.average(rows, weights=warped[rows, columns])
            inside = np.all((field[y, x] > 3) & (field[y, x] < SIZE - 4))
            assert not inside or np.hypot(*(field[y, x] - found)) < 1.5


def test_most_points_of_a_gentle_warp_are_known():
    warp = random_warp(SIZE, WarpOptions(tps=0.03), np.random.default_rng(1))
    assert warp.correspondence(SIZE).isfinite().float().mean() > 0.85


def test_the_identity_changes_nothing():
    image = torch.rand(1, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0)) * 255
    x, y = np.meshgrid(np.arange(SIZE), np.arange(SIZE))
    for warp in (no_warp(), random_warp(SIZE, WarpOptions(tps=0.0), np.random.default_rng(0))):
        torch.testing.assert_close(warp.apply(image), image, rtol=0, atol=0.01)
        np.testing.assert_allclose(warp.correspondence(SIZE)[0], np.stack([x, y]), atol=1e-4)


def test_a_pure_shift_moves_by_exactly_that_much_and_loses_the_rest():
    affine = torch.tensor([[[1.0, 0, -10], [0, 1, 0]]])  # the new image looks 10 px to the left
    field = Warp(affine, torch.zeros(1, 16, 2)).correspondence(SIZE)[0]
    np.testing.assert_allclose(field[:, 40, 20], (30, 40), atol=1e-4)
    assert field[:, 40, SIZE - 5].isnan().all()


def test_same_seed_same_warp():
    options = WarpOptions(tps=0.1, move=0.2)
    first, second = (random_warp(SIZE, options, np.random.default_rng(7)).backward(SIZE) for _ in range(2))
    assert torch.equal(first, second)


def test_the_elastic_displacement_is_smooth_and_as_large_as_asked():
    drawn = [random_warp(SIZE, WarpOptions(tps=0.0, elastic=0.03), np.random.default_rng(seed)) for seed in range(40)]
    moved = torch.cat([warp.bend(SIZE) for warp in drawn])
    assert moved.std().item() == pytest.approx(0.03 * SIZE, rel=0.05)
    assert moved.mean().abs() < 0.01 * SIZE
    step = (moved[..., 1:] - moved[..., :-1]).std() / moved.std()
    # Of white noise under a Gaussian of sigma: 1 - exp(-1 / 4 sigma^2) is half of the squared relative step.
    sigma = 0.08 * SIZE
    assert step.item() == pytest.approx(math.sqrt(2 * (1 - math.exp(-1 / (4 * sigma**2)))), rel=0.1)


def test_equal_elastic_weights_shift_the_picture():
    """B-splines add up to 1 everywhere, at the border too."""
    weights = torch.tensor([3.0, -2.0]).expand(1, 100, 2)
    bend = Warp(torch.eye(2, 3)[None], torch.zeros(1, 16, 2), weights).bend(SIZE)
    torch.testing.assert_close(bend, torch.tensor([3.0, -2.0]).view(1, 2, 1, 1).expand(1, 2, SIZE, SIZE))


def test_the_bend_is_the_thin_plate_spline_through_its_control_points():
    """At the control points the displacement is the drawn one; an affine displacement is reproduced everywhere."""
    size = 97  # so that control points lie on pixels
    drawn = torch.randn(1, 16, 2, generator=torch.Generator().manual_seed(0)) * 5
    bend = Warp(torch.eye(2, 3)[None], drawn).bend(size)
    torch.testing.assert_close(bend[0, :, ::32, ::32], drawn.view(4, 4, 2).permute(2, 0, 1), rtol=0, atol=0.01)
    y, x = torch.meshgrid(torch.arange(4.0), torch.arange(4.0), indexing="ij")
    bend = Warp(torch.eye(2, 3)[None], torch.stack([2 * x - y, 3 + y], -1).view(1, 16, 2)).bend(size)
    torch.testing.assert_close(bend[0, 0, 10, 70], torch.tensor(2 * 70 / 32 - 10 / 32), rtol=0, atol=1e-3)


@pytest.mark.parametrize("seed", range(3))
def test_reading_at_points_is_what_opencv_does(seed: int):
    """OpenCV rounds points to 1/32 pixel, so that bilinear values may differ by a few levels at edges."""
    options = WarpOptions(tps=0.05, move=0.2, scale=(0.5, 1.2), mirror=0.5, rotate_degrees=15)
    points = random_warp(SIZE, options, np.random.default_rng(seed)).backward(SIZE)
    x, y = points[0].numpy().transpose(2, 0, 1)
    image = cv2.GaussianBlur(np.random.default_rng(seed).integers(0, 256, (SIZE, SIZE), np.uint8), (0, 0), 1.5)
    expected = cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    found = sample_at(torch.from_numpy(image)[None, None].float(), points)[0, 0].numpy()
    assert np.abs(found - expected).max() < 2.5
    labels = cv2.remap(image, x, y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
    assert (nearest_at(torch.from_numpy(image)[None], points)[0].numpy() == labels).mean() > 0.99


def test_affine_maps_are_inverted():
    affine = random_warp(SIZE, WarpOptions(move=0.2, scale=(0.5, 2), mirror=0.5), np.random.default_rng(4)).affine
    expected = cv2.invertAffineTransform(affine[0].numpy())
    np.testing.assert_allclose(inverted(affine)[0], expected, rtol=1e-4, atol=1e-4)
