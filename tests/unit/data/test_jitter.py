import math

import numpy as np
import pytest
import torch

from irodori.data.jitter import Jitter, JitterOptions, hue_turn, no_jitter, random_jitter, saturation
from irodori.data.layers import GRAY
from irodori.errors import ConfigError


def levels(seed: int = 0) -> torch.Tensor:
    return torch.randint(0, 256, (2, 3, 16, 16), generator=torch.Generator().manual_seed(seed)).float()


def test_no_jitter_keeps_every_level():
    picture = levels()
    jitter = no_jitter()
    assert torch.equal(Jitter.collate([jitter, jitter]).apply(picture), picture)


def test_a_third_of_a_turn_takes_red_to_green_to_blue():
    np.testing.assert_allclose(hue_turn(2 * math.pi / 3) @ [1, 0, 0], [0, 1, 0], atol=1e-12)
    np.testing.assert_allclose(hue_turn(2 * math.pi / 3) @ [0, 1, 0], [0, 0, 1], atol=1e-12)
    np.testing.assert_allclose(hue_turn(1.0) @ [5, 5, 5], [5, 5, 5], atol=1e-12)  # gray stays
    turn = hue_turn(0.7)
    np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-12)  # and distances between colors too


def test_no_saturation_is_the_brightness_of_each_pixel():
    color = np.array([10.0, 200.0, 90.0])
    np.testing.assert_allclose(saturation(0.0) @ color, np.full(3, np.dot(GRAY, color)), atol=1e-9)
    np.testing.assert_allclose(saturation(1.0) @ color, color)
    assert np.dot(GRAY, saturation(1.7) @ color) == pytest.approx(np.dot(GRAY, color))


def test_contrast_spreads_from_the_picture_s_mean():
    picture = levels()
    changed = Jitter(torch.tensor([0.5, 2.0]), torch.eye(3).expand(2, 3, 3)).apply(picture)
    for number, factor in enumerate((0.5, 2.0)):
        torch.testing.assert_close(changed[number].mean(), picture[number].mean())
        torch.testing.assert_close(changed[number].std(), factor * picture[number].std())


def test_each_option_changes_what_it_says():
    """Draws with one option alone: the change has the asked size and nothing else moves."""
    for seed in range(20):
        bright = random_jitter(JitterOptions(brightness=0.4), np.random.default_rng(seed))
        scale = bright.matrix[0, 0, 0].item()
        torch.testing.assert_close(bright.matrix[0], scale * torch.eye(3))
        assert 0.6 <= scale <= 1.4
        turned = random_jitter(JitterOptions(hue_degrees=36), np.random.default_rng(seed)).matrix[0]
        assert (
            math.cos(math.radians(36)) - 1e-6 <= (turned.trace().item() - 1) / 2 <= 1
        )  # of a turn: cosine of its angle
        spread = random_jitter(JitterOptions(contrast=0.3), np.random.default_rng(seed))
        assert torch.equal(spread.matrix[0], torch.eye(3))
        assert 0.7 <= spread.contrast.item() <= 1.3


@pytest.mark.parametrize("wrong", [{"brightness": 1.5}, {"hue_degrees": 200}, {"contrast": -0.1}])
def test_impossible_options_are_refused(wrong: dict):
    with pytest.raises(ConfigError, match="jitter"):
        JitterOptions(**wrong)
