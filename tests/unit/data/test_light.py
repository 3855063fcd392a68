import numpy as np
import pytest
import torch

from irodori.data.light import Light, no_light, random_light


def test_no_light_field_changes_nothing():
    assert (no_light().field(32) == 1).all()


def test_fields_lie_between_the_depth_and_one():
    for seed in range(40):
        light = random_light(64, np.random.default_rng(seed))
        field = light.field(64)
        assert field.shape == (1, 1, 64, 64)
        assert 1 - light.depth - 1e-5 <= field.min() <= field.max() <= 1
        assert 0.1 <= light.depth <= 0.45


@pytest.mark.parametrize("curvature", [0.0, -4.0])
def test_a_hard_shade_is_a_half_plane_or_a_disc(curvature: float):
    """The disc of radius 1 / 4 touches the middle of the picture's left side."""
    center = torch.tensor([[0.0, 0.5]]) if curvature else torch.tensor([[0.5, 0.5]])
    light = Light(
        center, torch.tensor([[1.0, 0]]), torch.tensor([curvature]), torch.tensor([1e-4]), torch.tensor([0.4])
    )
    field = light.field(200)
    share = torch.pi / 16 if curvature else 0.5
    assert (field < 0.61).float().mean() == pytest.approx(share, abs=0.01)
    assert (field > 0.99).float().mean() == pytest.approx(1 - share, abs=0.01)
