from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.linalg import sqrtm
from scipy.stats import norm

from irodori.errors import InputError
from irodori.image import to_pixels
from irodori.metrics.distributions import SetComparison, ndb_jsd, pixel_vector
from irodori.nn.features import Embedding

GENERATOR = np.random.default_rng(0)


class Corner(Embedding):
    """The first four pixels of the first row, all channels."""

    name, num_features, image_size = "corner", 12, 2

    def forward(self, image):
        return image[:, :, 0, :4].flatten(1)


def images_of(vectors: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(vectors).float().view(-1, 3, 1, 4).expand(-1, -1, 4, -1)


def compared(true: np.ndarray, found: np.ndarray, seed: int = 0) -> SetComparison:
    comparison = SetComparison(Corner(), seed)
    for vectors, real in ((true, True), (found, False)):
        for image in images_of(vectors):
            comparison.update(image, real)
    return comparison


TRUE = GENERATOR.uniform(-0.9, 0.9, (60, 12))
FOUND = GENERATOR.uniform(-0.5, 0.9, (50, 12)) @ np.diag(np.linspace(0.5, 1, 12))


def test_fid_is_the_frechet_distance_of_gaussians():
    """Heusel et al. 2017, with scipy's matrix square root."""
    means, covariances = zip(*((each.mean(0), np.cov(each.T)) for each in (TRUE, FOUND)), strict=True)
    product = sqrtm(covariances[0] @ covariances[1]).real
    expected = ((means[0] - means[1]) ** 2).sum() + np.trace(covariances[0] + covariances[1] - 2 * product)
    assert compared(TRUE, FOUND).compute().fid == pytest.approx(expected, abs=1e-4)


def test_kid_is_the_unbiased_discrepancy_of_the_cubic_kernel():
    """Bińkowski et al. 2018; with subsets of all pictures it is one number, so there is nothing random in it."""
    found = FOUND[:50]
    true = TRUE[:50]

    def kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return (a @ b.T / 12 + 1) ** 3

    within = [(kernel(each, each).sum() - np.trace(kernel(each, each))) / (50 * 49) for each in (true, found)]
    result = compared(true, found).compute()
    assert result.kid == pytest.approx(sum(within) - 2 * kernel(true, found).mean(), abs=1e-5)
    assert result.kid_deviation == pytest.approx(0, abs=1e-6)


def test_the_same_pictures_have_distance_0():
    result = compared(TRUE, TRUE[::-1].copy()).compute()
    assert result.fid == pytest.approx(0, abs=1e-4)
    assert result.kid < 0  # unbiased: below 0 for the very same pictures


def test_a_shift_of_the_mean_is_its_square():
    assert compared(TRUE * 0.5, TRUE * 0.5 + 0.1).compute().fid == pytest.approx(12 * 0.1**2, abs=1e-4)


def test_subsets_depend_on_the_seed_alone():
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = compared(TRUE, FOUND, seed=3).compute()
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(2)
    assert compared(TRUE, FOUND, seed=3).compute() == first
    assert compared(TRUE, FOUND, seed=4).compute().kid != first.kid


def test_one_picture_is_no_distribution():
    with pytest.raises(InputError, match="at least two pictures in each set, got 60 true and 1"):
        compared(TRUE, FOUND[:1]).compute()


CENTERS = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0], [10.0, 10.0]])


def clouds(counts: tuple[int, ...]) -> torch.Tensor:
    points = np.repeat(CENTERS, counts, axis=0) + GENERATOR.normal(0, 0.1, (sum(counts), 2))
    return torch.from_numpy(points)


def test_equal_shares_do_not_differ():
    result = ndb_jsd(clouds((100, 100, 100, 100)), clouds((50, 50, 50, 50)), bins=4)
    assert (result.ndb, result.ndb_share, result.jsd) == (0, 0.0, pytest.approx(0, abs=1e-9))


def test_a_missing_mode_by_hand():
    """Shares 1/4 each against 1/3, 1/3, 1/3, 0 of 300: z-tests by their textbook form, JSD by its sum."""
    result = ndb_jsd(clouds((100, 100, 100, 100)), clouds((100, 100, 100, 0)), bins=4)
    p, q = np.full(4, 1 / 4), np.array([1, 1, 1, 0]) / 3
    pooled = (p * 400 + q * 300) / 700
    z = (p - q) / np.sqrt(pooled * (1 - pooled) * (1 / 400 + 1 / 300))
    assert result.ndb == (2 * norm.cdf(-np.abs(z)) < 0.05).sum() == 4
    middle = (p + q) / 2
    terms = np.concatenate([p * np.log(p / middle), q[:3] * np.log(q[:3] / middle[:3])])
    assert result.jsd == pytest.approx(terms.sum() / 2)


@pytest.mark.parametrize(("counts", "different"), [((61, 39), 0), ((65, 35), 2)])
def test_the_test_is_two_sided(counts: tuple[int, int], different: int):
    """Against equal shares of 200: z = 1.80 and 2.46, where 1.96 is the limit (1.64 one-sided)."""
    assert ndb_jsd(clouds((100, 100, 0, 0)), clouds((*counts, 0, 0)), bins=2).ndb == different


def test_few_pictures_cannot_tell_a_difference():
    result = ndb_jsd(clouds((100, 100, 100, 100)), clouds((2, 2, 2, 0)), bins=4)
    assert result.ndb == 0
    assert result.jsd > 0.05


def test_bins_depend_on_the_seed_alone():
    true, found = (torch.from_numpy(GENERATOR.normal(size=(200, 5))) for _ in range(2))
    assert ndb_jsd(true, found, 20, seed=1) == ndb_jsd(true, found, 20, seed=1)
    assert ndb_jsd(true, found, 20, seed=1).jsd != ndb_jsd(true, found, 20, seed=2).jsd


def test_divergence_of_a_collapse_to_one_of_two_modes():
    """Shares 1/2, 1/2 against 1, 0: halves of ln(2/3) / 2 + ln(2) / 2 and of ln(4/3)."""
    result = ndb_jsd(torch.zeros(10, 2) + torch.arange(10)[:, None] % 2, torch.zeros(10, 2), bins=2)
    assert result.jsd == pytest.approx(0.5 * np.log(4 / 3) + 0.25 * np.log(2 / 3) + 0.25 * np.log(2))


@pytest.mark.parametrize(("true", "found"), [((5, 3), (5, 3)), ((20, 3), (20, 4)), ((20, 3), (0, 3)), ((20,), (20,))])
def test_what_ndb_cannot_compare(true, found):
    with pytest.raises(InputError, match="NDB"):
        ndb_jsd(torch.zeros(true), torch.zeros(found), bins=10)


def test_pixel_vectors_are_area_averages():
    image = torch.rand(3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    expected = np.asarray(Image.fromarray(to_pixels(image[None])).resize((16, 16), Image.Resampling.BOX))
    found = (pixel_vector(image) + 1) * 127.5
    assert found.shape == (768,)
    np.testing.assert_allclose(found.numpy(), expected.ravel(), atol=1)
