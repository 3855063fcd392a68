import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from skimage.color import deltaE_ciede2000, rgb2lab
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from irodori.metrics.images import MAX_DECIBELS, decibels, delta_e_mean, ms_ssim, pixel_delta_e, psnr, ssim


@pytest.fixture(scope="module")
def pair() -> tuple[torch.Tensor, torch.Tensor]:
    """A smooth picture and a noisy copy, with the same border of 8 pixels."""
    generator = np.random.default_rng(0)
    truth = gaussian_filter(generator.uniform(-1, 1, (3, 192, 200)), (0, 4, 4)) * 4
    image = truth + generator.normal(0, 0.2, truth.shape)
    for each in (truth, image):
        each[:, :8] = each[:, -8:] = 0.25
        each[:, :, :8] = each[:, :, -8:] = 0.25
    return torch.from_numpy(image.clip(-1, 1)).float(), torch.from_numpy(truth.clip(-1, 1)).float()


def planes(image: torch.Tensor) -> np.ndarray:
    return (image.double().numpy() + 1) / 2


def test_psnr_is_scikit_image_s(pair):
    image, truth = pair
    assert psnr(*pair) == pytest.approx(peak_signal_noise_ratio(truth.numpy(), image.numpy(), data_range=2), abs=1e-4)


def test_psnr_of_known_errors():
    black = -torch.ones(3, 4, 4)
    assert psnr(black, -black) == pytest.approx(0, abs=1e-6)  # as wrong as can be
    assert psnr(black, black + 0.2) == pytest.approx(20, abs=1e-4)  # a tenth of the range everywhere
    assert psnr(black, black) == MAX_DECIBELS == decibels(0.0)
    assert decibels(4.0) == pytest.approx(0)


def test_a_mask_takes_its_pixels_alone(pair):
    image, truth = pair
    where = torch.zeros(192, 200)
    where[50:100, 30:90] = 1
    part = (slice(None), slice(50, 100), slice(30, 90))
    assert psnr(image, truth, where) == pytest.approx(psnr(image[part], truth[part]), abs=1e-4)
    assert psnr(image, truth, where * 0.5) == pytest.approx(psnr(image, truth, where), abs=1e-4)
    assert delta_e_mean(image, truth, where) == pytest.approx(delta_e_mean(image[part], truth[part]), abs=1e-4)
    assert psnr(image, truth, torch.ones(192, 200)) == pytest.approx(psnr(image, truth), abs=1e-4)


def test_ssim_is_scikit_image_s(pair):
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 1.0}
    _, full = structural_similarity(*map(planes, pair), channel_axis=0, full=True, **options)
    assert ssim(*pair) == pytest.approx(full.mean(), abs=3e-4)
    assert 0.2 < ssim(*pair) < 0.9


def test_ms_ssim_is_its_definition(pair):
    """Contrast and structure at five scales, luminance at the last, exponents of Wang, Simoncelli and Bovik 2003."""
    first, second = map(planes, pair)
    value = np.ones(1)
    for scale, weight in enumerate((0.0448, 0.2856, 0.3001, 0.2363, 0.1333)):
        mean, other, square, other_square, product = (
            gaussian_filter(each, (0, 1.5, 1.5), truncate=3.5, mode="mirror")[:, 5:-5, 5:-5]
            for each in (first, second, first**2, second**2, first * second)
        )
        covariance, variances = product - mean * other, square + other_square - mean**2 - other**2
        similarity = (2 * covariance + 0.03**2) / (variances + 0.03**2)
        if scale == 4:
            similarity = similarity * (2 * mean * other + 0.01**2) / (mean**2 + other**2 + 0.01**2)
        value = value * similarity.mean() ** weight
        height, width = (side // 2 * 2 for side in first.shape[1:])
        first, second = (
            each[:, :height, :width].reshape(3, height // 2, 2, width // 2, 2).mean((2, 4)) for each in (first, second)
        )
    assert ms_ssim(*pair) == pytest.approx(value.item(), abs=2e-3)
    assert 0.5 < value.item() < 0.95


@pytest.mark.parametrize(("side", "fits"), [(175, False), (176, True)])
def test_ms_ssim_needs_five_scales(side: int, fits: bool):
    image = torch.zeros(3, side, 400)
    assert (ms_ssim(image, image) is not None) == fits


def test_delta_e_is_scikit_image_s(pair):
    image, truth = (rgb2lab(planes(each), channel_axis=0) for each in pair)
    expected = deltaE_ciede2000(image, truth, channel_axis=0)
    difference = np.abs(pixel_delta_e(*pair).numpy() - expected)
    assert np.mean(difference < 0.02) > 0.9995  # the formula jumps where hues are opposite
    assert delta_e_mean(*pair) == pytest.approx(expected.mean(), abs=1e-3)


def test_delta_e_of_black_and_white_is_100():
    black = -torch.ones(3, 4, 4)
    assert delta_e_mean(black, -black) == pytest.approx(100, abs=1e-3)
    assert delta_e_mean(black, black) == 0
