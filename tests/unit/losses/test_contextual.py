"""The contextual loss at values that can be computed by hand."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from irodori.losses.contextual import contextual


def positions(*vectors: tuple[float, ...]) -> torch.Tensor:
    """Feature maps ``(1, C, 1, n)`` with these vectors side by side."""
    return torch.tensor(vectors).T[None, :, None]


def test_by_hand():
    reference = positions((1.0, 0.0), (-1.0, 0.0))  # of mean 0
    twin, between = (1.0, 0.0), (0.0, 1.0)
    assert contextual(positions(twin), reference).item() == pytest.approx(0.0, abs=1e-5)
    assert contextual(positions(between), reference).item() == pytest.approx(math.log(2), rel=1e-5)
    assert contextual(positions(twin, between), reference).item() == pytest.approx(-math.log(0.75), rel=1e-5)


def test_by_hand_between_the_extremes():
    """At 60 degrees the distances are 1/2 and 3/2; relative to the smaller 1 and 3, up to the 1e-3 that guards it."""
    found = contextual(positions((0.5, math.sqrt(0.75))), positions((2.0, 0.0), (-2.0, 0.0)), bandwidth=1.0)
    affinity = 1 / (1 + math.exp((0.5 - 1.5) / 0.501))
    assert found.item() == pytest.approx(-math.log(affinity), rel=1e-5)


def test_places_and_a_common_shift_do_not_matter():
    generator = torch.Generator().manual_seed(0)
    image, reference = (torch.randn(2, 5, 4, 4, generator=generator) for _ in range(2))
    found = contextual(image, reference)
    assert found.shape == (2,)
    torch.testing.assert_close(contextual(image.flip(-1), reference.flip(-2)), found)
    torch.testing.assert_close(contextual(image + 3, reference + 3), found, rtol=1e-4, atol=1e-4)
    assert (contextual(reference, reference) < 0.1 * found).all()


@pytest.mark.parametrize("block", [3, 16])
def test_blocks_change_neither_value_nor_gradient(block: int):
    generator = torch.Generator().manual_seed(1)
    reference = torch.randn(1, 6, 4, 4, generator=generator)
    gradients = []
    for size in (block, 1024):
        image = torch.randn(1, 6, 4, 4, generator=torch.Generator().manual_seed(2), requires_grad=True)
        contextual(image, reference, block=size).sum().backward()
        gradients.append(image.grad)
    torch.testing.assert_close(gradients[0], gradients[1])


def test_large_maps_are_averaged_down():
    generator = torch.Generator().manual_seed(3)
    image, reference = (torch.randn(1, 3, 128, 8, generator=generator) for _ in range(2))
    averaged = contextual(F.avg_pool2d(image, 2), F.avg_pool2d(reference, 2))
    torch.testing.assert_close(contextual(image, reference), averaged)
    averaged = contextual(F.avg_pool2d(image, 8), F.avg_pool2d(reference, 8))
    torch.testing.assert_close(contextual(image, reference, largest_side=16), averaged)
