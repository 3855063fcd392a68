"""The diffusion process: noise levels, noisy latents, what the network predicts, and the samplers of diffusers."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from irodori.systems.colorizediffusion.config import Prediction, Sampler, Spacing
from irodori.systems.progress import in_steps

NUM_TIMESTEPS = 1000
BETA_START, BETA_END = 0.00085, 0.012


def betas() -> Tensor:
    """The variances that the steps add, ``(1000,)``: squares of evenly spaced roots, rounded to float32 at the end."""
    roots = torch.linspace(BETA_START**0.5, BETA_END**0.5, NUM_TIMESTEPS, dtype=torch.float64)
    return (roots**2).float()


def alphas_cumprod() -> Tensor:
    """Share of the signal's variance that is left at each timestep, ``(1000,)``."""
    return (1 - betas().double()).cumprod(0).float()


def signal_and_noise(timesteps: Tensor) -> tuple[Tensor, Tensor]:
    """Factors alpha_t, beta_t of equation 5.2, each ``(B,)``: roots of the cumulative products, as for latents."""
    left = alphas_cumprod().to(timesteps.device)[timesteps]
    return left.sqrt(), (1 - left).sqrt()


def add_noise(clean: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
    """``alpha_t clean + beta_t noise`` for latents ``(B, c, h, w)`` or tokens ``(B, N, C)``; timesteps ``(B,)``."""
    signal, deviation = (_like(factor, clean) for factor in signal_and_noise(timesteps))
    return signal * clean + deviation * noise


def target(prediction: Prediction, clean: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
    """What the network should say: the noise, or v = alpha_t noise - beta_t clean (Salimans, Ho 2022)."""
    if prediction == "eps":
        return noise
    signal, deviation = (_like(factor, clean) for factor in signal_and_noise(timesteps))
    return signal * noise - deviation * clean


def denoised(prediction: Prediction, said: Tensor, noisy: Tensor, timesteps: Tensor) -> Tensor:
    """The clean latents that follow from what the network said about noisy ones."""
    signal, deviation = (_like(factor, noisy) for factor in signal_and_noise(timesteps))
    if prediction == "eps":
        return (noisy - deviation * said) / signal
    return signal * noisy - deviation * said


def _like(factor: Tensor, values: Tensor) -> Tensor:
    return factor.view(-1, *(1,) * (values.ndim - 1))


def make_sampler(sampler: Sampler, prediction: Prediction, spacing: Spacing = "leading") -> Any:
    """A scheduler of diffusers on this noise schedule.

    spacing: "leading", as in the release, begins below the last timestep, which many steps forgive (Euler and Heun have
    diffusers' own spacing then); "trailing" begins where images are all noise, as samples do (Lin et al. 2024).
    """
    import diffusers

    own: dict[str, Any] = {"timestep_spacing": "trailing"} if spacing == "trailing" else {}
    placed: dict[str, Any] = own or {"timestep_spacing": "leading", "steps_offset": 1}
    name, options = {
        "dpm++2m": ("DPMSolverMultistepScheduler", placed),
        "ddim": ("DDIMScheduler", {**placed, "clip_sample": False}),
        "euler": ("EulerDiscreteScheduler", own),
        "euler-a": ("EulerAncestralDiscreteScheduler", own),
        "heun": ("HeunDiscreteScheduler", own),
        "unipc": ("UniPCMultistepScheduler", placed),
    }[sampler]
    kind = {"eps": "epsilon", "v": "v_prediction"}[prediction]
    return getattr(diffusers, name)(trained_betas=betas().numpy(), prediction_type=kind, **options)


def sample(
    predict: Callable[[Tensor, Tensor], Tensor],
    scheduler: Any,
    num_steps: int,
    noise: Tensor,
    generators: Sequence[torch.Generator] = (),
) -> Tensor:
    """From noise to latents.

    predict: noisy latents and their timestep (a number) to the guided prediction.
    noise: ``(B, c, h, w)``, standard normal.  generators: one for each image, for samplers that draw more of it.
    Whoever watches (`irodori.systems.progress`) is told of each step.
    """
    scheduler.set_timesteps(num_steps, device=noise.device)
    draws = "generator" in inspect.signature(scheduler.step).parameters
    options = {"generator": list(generators)} if draws and generators else {}
    latents = noise * scheduler.init_noise_sigma
    for timestep in in_steps(scheduler.timesteps):
        said = predict(scheduler.scale_model_input(latents, timestep), timestep)
        latents = scheduler.step(said, timestep, latents, return_dict=False, **options)[0]
    return latents
