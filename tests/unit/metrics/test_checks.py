"""Every figure refuses what would give a wrong number: bytes, other ranges, other sizes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from irodori.errors import ConfigError, InputError
from irodori.image import from_uint8
from irodori.metrics import checks
from irodori.metrics.bleed import bleed
from irodori.metrics.distributions import SetComparison, pixel_vector
from irodori.metrics.images import delta_e_mean, ms_ssim, psnr, ssim
from irodori.metrics.lines import line_fidelity, reference_leak
from irodori.metrics.palettes import palette_distance
from irodori.metrics.perceptual import embedding_similarity, lpips
from irodori.metrics.points import sc_psnr
from irodori.metrics.similarity import content_relevance, style_relevance
from irodori.nn.features import Embedding, Features

SIZE = (24, 20)
PARTS = torch.zeros(SIZE, dtype=torch.long)


class Pixels(Features):
    """Two layers: the picture itself and its half."""

    name, layers = "pixels", ("one", "two", "three", "four", "five")

    def activations(self, image: Tensor):
        yield from ((layer, image) for layer in self.layers)


class Mean(Embedding):
    name, num_features, image_size = "mean", 3, 1

    def forward(self, image: Tensor) -> Tensor:
        return image.mean(dim=(2, 3))


PAIRS: dict[str, Callable[[Tensor, Tensor], object]] = {
    "psnr": psnr,
    "psnr where": lambda image, truth: psnr(image, truth, torch.ones(SIZE)),
    "ssim": ssim,
    "ms_ssim": ms_ssim,
    "delta_e_mean": delta_e_mean,
    "bleed": lambda image, truth: bleed(image, truth, PARTS),
    "palette_distance": palette_distance,
    "sc_psnr": lambda image, truth: sc_psnr(image, truth, [(9, 9, 9, 9)]),
    "content": lambda image, truth: content_relevance(Pixels(), image, truth),
    "style": lambda image, truth: style_relevance(Pixels(), image, truth),
    "lpips": lambda image, truth: lpips(Pixels(), image, truth),
    "embedding": lambda image, truth: embedding_similarity(Mean(), image, truth),
    "leak": lambda image, truth: reference_leak(image, torch.ones(1, *SIZE), truth, truth),
    "lines": lambda image, truth: line_fidelity(image, truth[:1]),
    "set": lambda image, truth: [SetComparison(Mean()).update(each, real=True) for each in (image, truth)],
    "vector": lambda image, truth: [pixel_vector(each) for each in (image, truth)],
}


@pytest.fixture
def images() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    first, second = (torch.rand(3, *SIZE, generator=generator) * 2 - 1 for _ in range(2))
    return first, second


@pytest.mark.parametrize("name", PAIRS)
def test_good_pictures_are_measured(name: str, images):
    PAIRS[name](*images)


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda image: ((image + 1) * 127.5).byte(), r"floats in \[-1, 1\], got uint8"),
        (lambda image: (image + 1) * 127.5, r"values in \[-1, 1\], got"),
        (lambda image: torch.full_like(image, torch.nan), r"values in \[-1, 1\], got nan"),
        (lambda image: image[None], r"expected the shape"),
    ],
)
def test_bytes_and_other_ranges_are_refused(name: str, which: int, spoil, message: str, images):
    pair = list(images)
    pair[which] = spoil(pair[which])
    with pytest.raises(InputError, match=message):
        PAIRS[name](*pair)


@pytest.mark.parametrize("name", ["psnr", "ssim", "ms_ssim", "delta_e_mean", "bleed", "content", "lpips", "lines"])
def test_pictures_of_two_sizes_are_refused(name: str, images):
    with pytest.raises(InputError, match="same height and width, got 24x20 and 20x24"):
        PAIRS[name](images[0], images[1].mT)


def test_bytes_cannot_wrap_around():
    """Differences of bytes are taken modulo 256: black against white is an error of 1 instead of 255, and random
    pictures get 28 dB instead of 8.  The right number comes from floats, and bytes are refused."""
    generator = np.random.default_rng(0)
    first, second = (generator.integers(0, 256, (3, 64, 64), np.uint8) for _ in range(2))
    wrapped = 10 * np.log10(255**2 / np.mean((first - second) ** 2))  # everything stays uint8
    right = 10 * np.log10(255**2 / np.mean((first.astype(float) - second) ** 2))
    assert wrapped - right > 15
    as_floats = [from_uint8(torch.from_numpy(each)) for each in (first, second)]
    assert psnr(*as_floats) == pytest.approx(right, abs=1e-3)
    with pytest.raises(InputError, match="uint8"):
        psnr(torch.from_numpy(first), torch.from_numpy(second))


def test_part_maps_must_be_able_to_say_none(images):
    with pytest.raises(InputError, match="signed integers"):
        bleed(*images, PARTS.byte())
    with pytest.raises(InputError, match="signed integers"):
        bleed(*images, PARTS.float())


@pytest.mark.parametrize("where", [torch.ones(1, *SIZE), torch.full(SIZE, 255.0), torch.ones(SIZE).byte()])
def test_masks_are_weights_in_0_to_1(where: Tensor, images):
    with pytest.raises(InputError, match=r"weights in 0…1"):
        delta_e_mean(*images, where)


def test_an_empty_mask_has_no_figure(images):
    with pytest.raises(InputError, match="nothing to measure"):
        psnr(*images, torch.zeros(SIZE))


def test_a_missing_package_names_the_extra():
    with pytest.raises(ConfigError, match=r"needs nosuchpackage: pip install 'irodori\[benchmark\]'"):
        checks.optional("nosuchpackage.part")
