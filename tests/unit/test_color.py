"""Lab and CIEDE2000 against scikit-image and against the pairs that Sharma et al. published."""

import numpy as np
import pytest
import torch
from skimage.color import deltaE_ciede2000, rgb2lab

from irodori.color import delta_e, delta_e_lab, lab_to_rgb, parse_hex, rgb_to_lab, to_hex
from irodori.errors import InputError

# Sharma, Wu and Dalal 2005, table 1: (L, a, b), (L, a, b), CIEDE2000.
SHARMA_PAIRS = [
    ((50.0, 2.6772, -79.7751), (50.0, 0.0, -82.7485), 2.0425),
    ((50.0, 3.1571, -77.2803), (50.0, 0.0, -82.7485), 2.8615),
    ((50.0, 2.8361, -74.0200), (50.0, 0.0, -82.7485), 3.4412),
    ((50.0, -1.3802, -84.2814), (50.0, 0.0, -82.7485), 1.0000),
    ((50.0, 0.0, 0.0), (50.0, -1.0, 2.0), 2.3669),
    ((50.0, -1.0, 2.0), (50.0, 0.0, 0.0), 2.3669),
    ((50.0, 2.4900, -0.0010), (50.0, -2.4900, 0.0009), 7.1792),
    ((50.0, 2.4900, -0.0010), (50.0, -2.4900, 0.0011), 7.2195),
    ((50.0, -0.0010, 2.4900), (50.0, 0.0009, -2.4900), 4.8045),
    ((50.0, -0.0010, 2.4900), (50.0, 0.0011, -2.4900), 4.7461),
    ((50.0, 2.5, 0.0), (50.0, 0.0, -2.5), 4.3065),
    ((50.0, 2.5, 0.0), (73.0, 25.0, -18.0), 27.1492),
    ((50.0, 2.5, 0.0), (61.0, -5.0, 29.0), 22.8977),
    ((50.0, 2.5, 0.0), (56.0, -27.0, -3.0), 31.9030),
    ((50.0, 2.5, 0.0), (58.0, 24.0, 15.0), 19.4535),
    ((50.0, 2.5, 0.0), (50.0, 3.1736, 0.5854), 1.0000),
    ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
    ((63.0109, -31.0961, -5.8663), (62.8187, -29.7946, -4.0864), 1.2630),
    ((61.2901, 3.7196, -5.3901), (61.4292, 2.2480, -4.9620), 1.8731),
    ((22.7233, 20.0904, -46.6940), (23.0331, 14.9730, -42.5619), 2.0373),
    ((36.4612, 47.8580, 18.3852), (36.2715, 50.5065, 21.2231), 1.4146),
    ((90.8027, -2.0831, 1.4410), (91.1528, -1.6435, 0.0447), 1.4441),
    ((6.7747, -0.2908, -2.4247), (5.8714, -0.0985, -2.2286), 0.6377),
    ((2.0776, 0.0795, -1.1350), (0.9033, -0.0636, -0.5514), 0.9082),
]


def _random_images(*, count: int = 2, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.rand(count, 3, 20, 30, generator=generator, dtype=torch.float64).to(dtype) * 2.0 - 1.0


def _for_skimage(image: torch.Tensor) -> np.ndarray:
    return ((image + 1.0) / 2.0).permute(0, 2, 3, 1).numpy()


@pytest.mark.parametrize(("lab1", "lab2", "expected"), SHARMA_PAIRS)
def test_delta_e_reproduces_the_published_pairs(lab1, lab2, expected):
    difference = delta_e_lab(torch.tensor([lab1], dtype=torch.float64), torch.tensor([lab2], dtype=torch.float64))
    assert difference.shape == (1,)
    assert difference.item() == pytest.approx(expected, abs=1e-4)


def test_lab_agrees_with_skimage():
    image = _random_images()
    witness = torch.from_numpy(rgb2lab(_for_skimage(image))).permute(0, 3, 1, 2)
    # Its white point is rounded to five digits, ours is the white of the sRGB matrix: at most 0.02 in Lab.
    assert (rgb_to_lab(image) - witness).abs().max() < 0.02


def test_delta_e_agrees_with_skimage():
    lab1, lab2 = rgb_to_lab(_random_images(count=2)).split(1)
    witness = deltaE_ciede2000(lab1[0].permute(1, 2, 0).numpy(), lab2[0].permute(1, 2, 0).numpy())
    assert torch.allclose(delta_e_lab(lab1, lab2)[0], torch.from_numpy(witness), atol=1e-6)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 1e-4)])
def test_lab_to_rgb_inverts_rgb_to_lab(dtype, tolerance):
    image = _random_images(dtype=dtype)
    returned = lab_to_rgb(rgb_to_lab(image))
    assert returned.dtype == dtype
    assert (returned - image).abs().max() < tolerance


def test_black_white_and_grays_have_no_chroma():
    gray = torch.linspace(-1.0, 1.0, 256).expand(1, 3, 256)
    lab = rgb_to_lab(gray)
    assert lab[0, 0, 0].item() == pytest.approx(0.0, abs=1e-4)
    assert lab[0, 0, -1].item() == pytest.approx(100.0, abs=1e-4)
    assert lab[:, 1:].abs().max() < 1e-3


def test_colors_outside_srgb_are_clipped():
    vivid = lab_to_rgb(torch.tensor([[50.0, 120.0, -120.0], [120.0, 0.0, 0.0]]))
    assert vivid.min() >= -1.0
    assert vivid.max() <= 1.0


@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 5), (2, 3, 5, 7)])
def test_delta_e_drops_the_channel_axis_of_any_shape(shape):
    difference = delta_e(torch.zeros(shape), torch.ones(shape))
    assert difference.shape == (shape[0], *shape[2:])
    assert (difference > 10.0).all()


def test_delta_e_of_equal_images_is_zero_and_it_is_symmetric():
    one, two = _random_images(count=2).split(1)
    assert delta_e(one, one).abs().max() == 0.0
    assert torch.allclose(delta_e(one, two), delta_e(two, one))


def test_gradients_are_finite_at_gray_black_white_and_equality():
    levels = torch.tensor([[-1.0, -1.0, -1.0], [0.0, 0.0, 0.0], [1.0, 1.0, 1.0], [0.3, -0.2, 0.9]], requires_grad=True)
    target = torch.tensor([[-1.0, -1.0, -1.0], [0.5, -0.5, 0.1], [0.0, 0.0, 0.0], [0.3, -0.2, 0.9]])
    (delta_e(levels, target).sum() + lab_to_rgb(rgb_to_lab(levels)).sum()).backward()
    assert levels.grad is not None
    assert levels.grad.isfinite().all()


def test_hex_both_ways():
    assert parse_hex("#Ff8000") == (255, 128, 0)
    assert all(parse_hex(to_hex((level, 255 - level, 7))) == (level, 255 - level, 7) for level in range(256))


@pytest.mark.parametrize("text", ["", "ff8000", "#ff800", "#ff80000", "#gg0000", "#ff8000\n", "red", "#١١١١١١"])
def test_what_is_no_hex_color_is_refused(text):
    with pytest.raises(InputError, match="#rrggbb"):
        parse_hex(text)


def test_levels_that_are_no_bytes_are_refused():
    with pytest.raises(InputError, match="0 to 255"):
        to_hex((0, 256, 0))
