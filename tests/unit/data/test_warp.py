import numpy as np
import pytest

from irodori.data.warp import Warp, WarpOptions, random_warp

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
        WarpOptions(tps=0.03, move=0.1, scale=(0.7, 1.2), mirror=0.5, rotate_degrees=20),
    ],
    ids=["tps", "move", "scale", "mirror", "all"],
)
def test_the_correspondence_says_where_a_dot_went(options: WarpOptions):
    """A bright blob at a sketch point must be found in the warped image where the field says."""
    for seed in range(6):
        generator = np.random.default_rng(seed)
        warp = random_warp(SIZE, options, generator)
        field = warp.correspondence()
        for x, y in dots(SIZE, generator, 8):
            if np.isnan(field[y, x]).any():
                continue
            image = np.zeros((SIZE, SIZE), np.uint8)
            image[y - 1 : y + 2, x - 1 : x + 2] = 255
            warped = warp.apply(image)
            rows, columns = np.nonzero(warped > 60)
            found = np.average(columns, weights=warped[rows, columns]), np.average(rows, weights=warped[rows, columns])
            inside = np.all((field[y, x] > 3) & (field[y, x] < SIZE - 4))
            assert not inside or np.hypot(*(field[y, x] - found)) < 1.5


def test_most_points_of_a_gentle_warp_are_known():
    warp = random_warp(SIZE, WarpOptions(tps=0.03), np.random.default_rng(1))
    assert np.isfinite(warp.correspondence()).all(-1).mean() > 0.85


def test_the_identity_changes_nothing():
    image = np.random.default_rng(0).integers(0, 255, (SIZE, SIZE, 3), np.uint8)
    warp = random_warp(SIZE, WarpOptions(tps=0.0), np.random.default_rng(0))
    np.testing.assert_array_equal(warp.apply(image), image)
    field = warp.correspondence()
    x, y = np.meshgrid(np.arange(SIZE), np.arange(SIZE))
    np.testing.assert_allclose(field, np.stack([x, y], -1), atol=1e-4)


def test_a_pure_shift_moves_by_exactly_that_much_and_loses_the_rest():
    affine = np.array([[1, 0, -10], [0, 1, 0]], float)  # the new image looks 10 px to the left
    field = Warp(affine, np.zeros((SIZE, SIZE, 2), np.float32)).correspondence()
    np.testing.assert_allclose(field[40, 20], (30, 40), atol=1e-4)
    assert np.isnan(field[40, SIZE - 5]).all()


def test_same_seed_same_warp():
    options = WarpOptions(tps=0.1, move=0.2)
    first, second = (random_warp(SIZE, options, np.random.default_rng(7)).backward for _ in range(2))
    np.testing.assert_array_equal(first, second)
