"""Noise schedule, predictions, guidance and samplers of ColorizeDiffusion, against closed forms."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from irodori.systems.base import Noise
from irodori.systems.colorizediffusion.blocks import Split
from irodori.systems.colorizediffusion.config import SamplingConfig
from irodori.systems.colorizediffusion.diffusion import (
    add_noise,
    alphas_cumprod,
    betas,
    denoised,
    make_sampler,
    sample,
    target,
)
from irodori.systems.colorizediffusion.guidance import Guided, combined, guide, strengths_of
from irodori.systems.colorizediffusion.networks import Condition

SAMPLERS = {"dpm++2m": 0.03, "ddim": 0.05, "euler": 0.05, "euler-a": 0.1, "heun": 0.02, "unipc": 0.03}
"""What 60 steps may leave out of a Gaussian's deviation: those of first order leave more."""


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_the_schedule_is_the_released_one():
    assert betas()[[0, -1]].tolist() == pytest.approx([0.00085, 0.012], rel=1e-6)
    left = alphas_cumprod().double()
    sigmas = ((1 - left) / left).sqrt()
    assert sigmas[[0, -1]].tolist() == pytest.approx([0.02917, 14.6146], abs=5e-5)


def test_steps_are_spaced_as_in_the_release():
    sampler = make_sampler("dpm++2m", "eps")
    sampler.set_timesteps(20)
    assert sampler.timesteps.tolist() == list(range(941, 40, -47))
    assert (sampler.config.algorithm_type, sampler.config.solver_order) == ("dpmsolver++", 2)
    ddim = make_sampler("ddim", "v")
    ddim.set_timesteps(20)
    assert ddim.timesteps.tolist() == list(range(951, 0, -50))
    euler = make_sampler("euler", "eps")
    euler.set_timesteps(20)
    assert euler.timesteps.tolist() == pytest.approx(torch.linspace(999, 0, 20).tolist(), abs=1e-3)


@pytest.mark.parametrize("prediction", ["eps", "v"])
def test_a_right_prediction_gives_the_clean_latents_back(prediction):
    clean, noise, timesteps = draw(3, 4, 5, 6), draw(3, 4, 5, 6, seed=1), torch.tensor([0, 500, 999])
    noisy = add_noise(clean, noise, timesteps)
    found = denoised(prediction, target(prediction, clean, noise, timesteps), noisy, timesteps)
    torch.testing.assert_close(found, clean, rtol=1e-3, atol=1e-4)
    left = alphas_cumprod()[500]
    torch.testing.assert_close(noisy[1], left.sqrt() * clean[1] + (1 - left).sqrt() * noise[1])


def gaussian_predictor(prediction: str, deviation: float):
    """The best prediction for latents that are normal with a deviation: known in closed form."""

    def predict(latents: Tensor, timestep: Tensor) -> Tensor:
        position = float(timestep)
        lower = int(position)
        upper = min(lower + 1, 999)
        variance = 1 - alphas_cumprod()
        logs = (variance / (1 - variance)).log()
        sigma2 = (logs[lower] + (position - lower) * (logs[upper] - logs[lower])).exp()
        signal, noise = (1 / (1 + sigma2)).sqrt(), (sigma2 / (1 + sigma2)).sqrt()
        clean = latents * signal * deviation**2 / (signal**2 * deviation**2 + noise**2)
        eps = (latents - signal * clean) / noise
        return eps if prediction == "eps" else signal * eps - noise * clean

    return predict


@pytest.mark.parametrize("prediction", ["eps", "v"])
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_samplers_reach_a_gaussian(sampler: str, prediction: str):
    noise = draw(1, 4, 64, 64)
    generators = Noise((3,)).generators()
    found = sample(gaussian_predictor(prediction, 0.5), make_sampler(sampler, prediction), 60, noise, generators)
    assert found.std().item() == pytest.approx(0.5, rel=SAMPLERS[sampler])
    if sampler != "euler-a":  # deterministic: where a latent ends is where it began, scaled
        assert torch.corrcoef(torch.stack([found.flatten(), noise.flatten()]))[0, 1] > 0.999


def test_images_draw_their_own_noise():
    predict, noise = gaussian_predictor("eps", 1.0), draw(2, 4, 4, 4)
    both = sample(predict, make_sampler("euler-a", "eps"), 5, noise, Noise((7, 8)).generators())
    alone = sample(predict, make_sampler("euler-a", "eps"), 5, noise[1:], Noise((8,)).generators())
    torch.testing.assert_close(both[1:], alone)


# ------------------------------------------------------------------------------------------------------- guidance


def test_one_and_two_guidances():
    c, u, s = draw(2, 3), draw(2, 3, seed=1), draw(2, 3, seed=2)
    torch.testing.assert_close(combined([c], []), c)
    torch.testing.assert_close(combined([c, u], [4.0]), u + (c - u) * 4)
    both = 0.5 * (u + (c - u) * 4 + s + (c - s) * 1.5)
    torch.testing.assert_close(combined([c, u, s], [4.0, 1.5]), both)
    torch.testing.assert_close(combined([c, c, c], [4.0, 1.5]), c)


def network(latents: Tensor, timesteps: Tensor, condition: Condition) -> Tensor:
    """Says the sum of what it is told."""
    return (condition.tokens.sum((1, 2)) + 10 * condition.hints[0].sum((1, 2, 3)))[:, None, None, None] + 0 * latents


def condition(batch: int = 2) -> Condition:
    return Condition((torch.ones(batch, 1, 1, 1),), torch.ones(batch, 2, 3))


LATENTS = torch.zeros(2, 1, 1, 1)
BLANK = (torch.full((2, 1, 1, 1), -1.0),)


@pytest.mark.parametrize(
    ("reference_scale", "sketch_scale", "passes", "said"),
    [
        (1, 1, 1, 16),
        (4, 1, 2, 10 + 6 * 4),  # without the reference: 10
        (1, 3, 2, -4 + 20 * 3),  # with a blank sketch: 6 - 10
        (4, 3, 3, 0.5 * (10 + 6 * 4 + -4 + 20 * 3)),
    ],
)
def test_guidance_is_on_where_its_scale_is_above_1(reference_scale, sketch_scale, passes, said):
    sampling = SamplingConfig(reference_scale=reference_scale, sketch_scale=sketch_scale)
    guided = guide(network, condition(), BLANK, sampling)
    assert len(guided.conditions) == passes
    assert guided(LATENTS, torch.tensor(500.0)).flatten().tolist() == [said, said]


def test_outside_of_its_window_the_reference_is_one_zero_token():
    seen: list[Condition] = []

    def spy(latents: Tensor, timesteps: Tensor, condition: Condition) -> Tensor:
        seen.append(condition)
        return latents

    guided = Guided(spy, (condition(), condition()), (2.0,), window=(0.1, 0.9), pause=(0.4, 0.5))
    for progress in (0.05, 0.1, 0.3, 0.45, 0.7, 0.95):
        guided(LATENTS, torch.tensor(999.0 * (1 - progress) - (0.01 if progress == 0.1 else 0)))
    assert [tuple(told.tokens.shape[:2]) for told in seen] == [(4, 1), (4, 2), (4, 2), (4, 1), (4, 2), (4, 1)]
    assert not seen[0].tokens.any()


def test_a_split_is_repeated_for_every_pass():
    split = Split(torch.rand(2, 1, 4, 4), torch.tensor([0.1, 0.2]))
    told = Condition((torch.ones(2, 1, 1, 1),), torch.ones(2, 4, 3), split, background=(torch.ones(2, 5, 1),))
    guided = guide(lambda latents, timesteps, told: told.split.mask[:, :, :1, :1], told, BLANK, SamplingConfig())
    torch.testing.assert_close(guided(LATENTS, torch.tensor(1.0)), split.mask[:, :, :1, :1])


def test_the_overall_strength_reaches_what_it_reaches_in_the_release():
    assert strengths_of(0.5, 16) == (*(0.5,) * 6, 1.0, *(0.5,) * 6, 1.0, 1.0, 1.0)
    assert strengths_of(0.5, 3) == (0.5, 0.5, 0.5)


@pytest.mark.parametrize("name", ["dpm++2m", "ddim", "euler", "euler-a", "heun", "unipc"])
def test_trailing_steps_begin_at_the_last_timestep(name):
    sampler = make_sampler(name, "v", "trailing")
    sampler.set_timesteps(4)
    assert sampler.timesteps[0] == 999
    assert sorted(set(sampler.timesteps.round().int().tolist()), reverse=True) == [999, 749, 499, 249]
