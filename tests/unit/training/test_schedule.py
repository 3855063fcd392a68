import pytest

from irodori.errors import ConfigError
from irodori.systems.recipe import TrainingOptions
from irodori.training.schedule import learning_rate_factor


def factors(**options) -> list[float]:
    training = TrainingOptions(images=1000, batch_size=10, **options)
    return [learning_rate_factor(step, training) for step in range(training.steps + 1)]


def test_the_paper_s_schedule_is_flat_for_half_and_linear_to_zero():
    found = factors()
    assert found[:51] == [1.0] * 51
    assert found[75] == pytest.approx(0.5)
    assert found[100] == 0


def test_warm_up_rises_linearly():
    found = factors(warmup_images=100, decay="none")
    assert found[:3] == pytest.approx([0.1, 0.2, 0.3])
    assert found[9:] == [1.0] * 92


def test_cosine_passes_the_middle_at_one_half():
    found = factors(decay="cosine", decay_start=0.0)
    assert found[0] == 1
    assert found[50] == pytest.approx(0.5)
    assert found[100] == pytest.approx(0, abs=1e-12)


def test_steps_multiply_the_rate_at_fixed_intervals():
    found = factors(decay="steps", decay_factor=0.9, decay_images=250)
    assert found[:25] == [1.0] * 25
    assert found[25] == pytest.approx(0.9)
    assert found[74:76] == pytest.approx([0.9**2, 0.9**3])


def test_steps_without_an_interval_are_refused():
    with pytest.raises(ConfigError, match="decay_images"):
        TrainingOptions(decay="steps")
