"""Total variation, by its values."""

from __future__ import annotations

import pytest
import torch

from irodori.losses.smoothness import total_variation


def test_it_is_equation_4_written_out():
    image = torch.rand(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    for exponent in (1.0, 2.0):
        sums = []
        for picture in image:
            total = 0.0
            for y in range(4):
                for x in range(5):
                    right = picture[:, y, x + 1] - picture[:, y, x] if x < 4 else torch.zeros(3)
                    below = picture[:, y + 1, x] - picture[:, y, x] if y < 3 else torch.zeros(3)
                    total += (right.square().sum() + below.square().sum()) ** (exponent / 2)
            sums.append(total)
        torch.testing.assert_close(total_variation(image, exponent), torch.stack(sums).mean(), rtol=1e-4, atol=1e-4)


def test_flat_pictures_cost_nothing_and_have_a_finite_slope():
    image = torch.full((1, 3, 8, 8), 0.3, requires_grad=True)
    loss = total_variation(image)
    loss.backward()
    assert loss.item() == pytest.approx(0.0, abs=1e-6)
    assert image.grad.isfinite().all()
