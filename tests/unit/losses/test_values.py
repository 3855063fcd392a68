"""Losses at values that can be computed by hand."""

import math

import pytest
import torch

from irodori.losses.adversarial import log_discriminator, log_generator, lsgan_discriminator, lsgan_generator
from irodori.losses.perceptual import gram, perceptual, squared_perceptual, style
from irodori.losses.reconstruction import keep_valid, masked_l1


def test_lsgan():
    real, fake = torch.tensor([1.0, 0.5]), torch.tensor([0.0, 1.0])
    assert lsgan_discriminator(real, fake).item() == pytest.approx((0.125 + 0.5) / 2)
    assert lsgan_generator(fake).item() == pytest.approx(0.5)
    assert lsgan_discriminator(torch.ones(3), torch.zeros(3)).item() == 0


def test_logarithmic_gan():
    real, fake = torch.tensor([0.0, 2.0]), torch.tensor([0.0, -1.0])
    probability = [1 / (1 + math.exp(-score)) for score in (0.0, 2.0, 0.0, -1.0)]
    real_part = -(math.log(probability[0]) + math.log(probability[1])) / 2
    fake_part = -(math.log(1 - probability[2]) + math.log(1 - probability[3])) / 2
    assert log_discriminator(real, fake).item() == pytest.approx(real_part + fake_part)
    assert log_generator(fake).item() == pytest.approx(-(math.log(probability[2]) + math.log(probability[3])) / 2)
    assert log_generator(torch.tensor([-200.0])).item() == pytest.approx(200.0)


def test_l1_counts_valid_pixels_alone():
    image, color = torch.zeros(1, 3, 2, 2), torch.ones(1, 3, 2, 2)
    color[..., 0, 0] = 100
    valid = torch.ones(1, 1, 2, 2)
    valid[..., 0, 0] = 0
    assert masked_l1(image, color, valid).item() == pytest.approx(1.0)
    assert masked_l1(image, color, torch.zeros_like(valid)).item() == 0


def test_unknown_pixels_get_the_truth_and_no_gradient():
    image = torch.zeros(1, 3, 2, 2, requires_grad=True)
    valid = torch.tensor([[[[1.0, 0.0], [1.0, 1.0]]]])
    whole = keep_valid(image, torch.full((1, 3, 2, 2), 0.5), valid)
    assert whole[0, 0].tolist() == [[0.0, 0.5], [0.0, 0.0]]
    whole.sum().backward()
    assert image.grad[0, 0].tolist() == [[1.0, 0.0], [1.0, 1.0]]


def test_gram_by_hand():
    features = torch.tensor([[[[1.0, 2.0]], [[3.0, 4.0]]]])  # two channels of 1x2
    expected = torch.tensor([[[5.0, 11.0], [11.0, 25.0]]]) / 4
    torch.testing.assert_close(gram(features), expected)


def test_perceptual_sums_the_layers_means():
    first, second = (
        [torch.zeros(1, 2, 2, 2), torch.zeros(1, 4, 1, 1)],
        [torch.ones(1, 2, 2, 2), torch.full((1, 4, 1, 1), 3.0)],
    )
    assert perceptual(first, second).item() == pytest.approx(4.0)
    assert squared_perceptual(first, second).item() == pytest.approx(10.0)


def test_style_ignores_where_things_are():
    features = torch.rand(1, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    moved = features.flip(-1)
    assert style([features], [moved]).item() == pytest.approx(0.0, abs=1e-6)
    assert perceptual([features], [moved]).item() > 0.1
