"""ColorizeDiffusion as a system: its phases, what training does to samples, guidance by masks and text."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from batches import batch_for, plain_sample
from irodori import Colorizer
from irodori.data.index import Index
from irodori.errors import ConfigError, InputError
from irodori.systems import build_system, preset
from irodori.systems.base import Guidance, Inputs, Masks, Noise
from irodori.systems.colorizediffusion.captions import ANY_COLOR, color_numbers, part_of_patches, phrases, text
from irodori.systems.colorizediffusion.config import ColorizeDiffusionConfig, ObjectiveConfig, UNetConfig
from irodori.systems.colorizediffusion.losses import (
    Step,
    draw_step,
    foreground,
    noisy_reference,
    token_timesteps,
    with_margins,
)
from irodori.systems.colorizediffusion.system import ColorizeDiffusion
from irodori.training.loop import LoopOptions, train
from irodori.training.run_folder import RunFolder

TINIES = ("tiny", "tiny-v1.5", "tiny-v2")


def tiny(name: str = "tiny", **changes) -> ColorizeDiffusion:
    torch.manual_seed(0)
    system = build_system("colorizediffusion", replace(preset(f"colorizediffusion/{name}").system, **changes))
    assert isinstance(system, ColorizeDiffusion)
    return system


# ----------------------------------------------------------------------------------------------------------- training


@pytest.mark.parametrize("name", TINIES[1:])
def test_later_stages_train_their_own_parts_alone(name: str, dataset: Index):
    system, batch = tiny(name), batch_for("colorizediffusion", dataset)
    for phase in system.phases():
        system.requires_grad_(False)
        for parameter in phase.parameters:
            parameter.requires_grad_(True)
        terms = system.losses(phase.name, batch)
        assert terms["denoising"].isfinite()
        terms["denoising"].backward()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in phase.parameters)
        system.zero_grad()
    trained = {id(p) for phase in system.phases() for p in phase.parameters}
    base = dict(system.unet.input_blocks.named_parameters())
    assert all(id(p) not in trained or ".adapters." in key for key, p in base.items())


def test_all_parts_have_a_phase():
    """Across the versions, every parameter is trained by some phase."""
    for name, phases in (("tiny", ()), ("tiny-v1.5", ("adapters",)), ("tiny-v2", ("background", "style"))):
        every = ("autoencoder", "image-text", "denoiser", *phases)
        system = tiny(name, objective=ObjectiveConfig(phases=every))
        trained = [id(p) for phase in system.phases() for p in phase.parameters]
        assert set(trained) == {id(p) for p in system.parameters()}
        assert len(trained) == len(set(trained))


def test_a_phase_of_another_version_is_refused():
    with pytest.raises(ConfigError, match="v1 has no part 'style'"):
        ColorizeDiffusionConfig(objective=ObjectiveConfig(phases=("style",)))


def test_margins_cut_the_sketch_alone_and_become_paper():
    sketch = torch.full((64, 1, 40, 20), -1.0)
    found = with_margins(sketch, 0.25)
    kept = found < 0
    assert kept[:, 0, 20, 10].all()  # the middle stays
    for rows in (kept.any(3).float().argmax(2), kept.flip(2).any(3).float().argmax(2)):
        assert rows.max() <= 10
        assert 3 < rows.float().mean() < 7  # uniform in 0…10
    assert torch.equal(with_margins(sketch, 0.0), sketch)
    assert set(found.unique().tolist()) == {-1.0, 1.0}


def test_tokens_are_noised_by_the_samples_own_timestep():
    """Equation 5.2: hardly at t = 0, beyond recognition at t = 999."""
    system, batch = tiny(), plain_sample(2)
    clean = system.encode_references([batch.reference], batch.sketch).tokens
    step = replace(draw_step(system, batch), timesteps=torch.tensor([0, 999]))
    torch.manual_seed(1)
    noisy = noisy_reference(system, batch, step).tokens
    torch.manual_seed(1)
    noise = torch.randn_like(clean)
    torch.testing.assert_close(noisy[0], 0.99957 * clean[0] + 0.02915 * noise[0], rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(noisy[1], 0.06827 * clean[1] + 0.99767 * noise[1], rtol=1e-3, atol=1e-4)
    quiet = tiny(objective=ObjectiveConfig(token_noise="none"))
    torch.testing.assert_close(noisy_reference(quiet, batch, step).tokens, clean)


def test_the_later_release_turns_the_level_around_from_900_on():
    timesteps = torch.tensor([0, 899, 900, 999])
    assert token_timesteps(timesteps, clean_at_start=True).tolist() == [0, 899, 99, 0]
    assert token_timesteps(timesteps, clean_at_start=False) is timesteps


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_references_are_dropped_at_their_rate(share: float):
    system = tiny(objective=ObjectiveConfig(reference_drop=share))
    batch = plain_sample(1)
    many = replace(
        batch, reference=batch.reference.expand(4000, -1, -1, -1), color=batch.color.expand(4000, -1, -1, -1)
    )
    torch.manual_seed(0)
    step: Step = draw_step(system, many)
    assert step.seen.mean().item() == pytest.approx(1 - share, abs=0.03)
    missing = replace(batch, reference=torch.zeros_like(batch.reference))
    assert not draw_step(tiny(objective=ObjectiveConfig(reference_drop=0.0)), missing).seen.any()


def test_the_foreground_is_all_but_the_background():
    assert foreground(torch.tensor([[[0, 2], [-1, 7]]])).tolist() == [[[[0, 1], [1, 1]]]]


def test_training_end_to_end(dataset: Index, tmp_path: Path):
    recipe = preset("colorizediffusion/tiny")
    run = RunFolder(tmp_path / "run")
    train(recipe, dataset, run, LoopOptions(device="cpu", progress=False, stop_after=3, log_every=1))
    colorizer = Colorizer.from_pretrained(run.model, device="cpu")
    result = colorizer(torch.full((50, 40), 255, dtype=torch.uint8).numpy(), seed=3, image_size=64)
    assert result.image.size == (40, 50)
    assert result.provenance["system"] == "colorizediffusion"


# ----------------------------------------------------------------------------------------------------------- captions


def test_what_can_be_said_of_a_picture():
    image = torch.full((1, 3, 8, 8), 1.0)
    image[:, :, :, 4:] = torch.tensor([205, 40, 40]).view(1, 3, 1, 1) / 127.5 - 1
    parts = torch.zeros(1, 8, 8, dtype=torch.int64)
    parts[:, :, 4:] = 2
    said = [text(phrase) for phrase in phrases(image, parts)[0]]
    assert said == ["white background", "background", "red hair", "hair"]
    assert part_of_patches(parts, 2).tolist() == [[0, 2, 0, 2]]
    parts[:, 0, 4:] = 99
    assert part_of_patches(parts, 1).tolist() == [[-1]]  # nothing covers more than half
    assert color_numbers(image).unique().tolist() == [4, 5]
    assert text((ANY_COLOR, 1)) == "skin"


# ----------------------------------------------------------------------------------------------------------- coloring


def inputs(guidance: Guidance | None = None) -> Inputs:
    generator = torch.Generator().manual_seed(0)
    sketch = torch.where(torch.rand(1, 1, 32, 32, generator=generator) < 0.1, -1.0, 1.0)
    return Inputs(sketch, (torch.rand(1, 3, 24, 40, generator=generator) * 2 - 1,), guidance or Guidance())


def half(height: int, width: int) -> Tensor:
    mask = torch.zeros(1, 1, height, width)
    mask[..., : width // 2] = 1
    return mask


def wake(system: ColorizeDiffusion) -> ColorizeDiffusion:
    """Moves what starts at zero, so that every path shows."""
    torch.manual_seed(1)
    for parameter in system.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.3)
    return system.eval()


@pytest.mark.parametrize("name", TINIES)
@torch.no_grad()
def test_masks_and_their_thresholds_matter(name: str):
    system = wake(tiny(name))
    masks = Masks(half(32, 32), half(24, 40))
    plain = system.colorize(inputs()).image
    split = system.colorize(inputs(Guidance(masks=masks))).image
    assert (plain - split).abs().max() > 1e-3
    all_background = replace(masks, sketch_threshold=1.1)
    assert (system.colorize(inputs(Guidance(masks=all_background))).image - split).abs().max() > 1e-3
    two = Inputs(inputs().sketch, inputs().references * 2, Guidance(masks=masks))
    assert system.colorize(two).image.isfinite().all()
    assert system.colorize(Inputs(inputs().sketch, (), Guidance(masks=masks))).image.isfinite().all()


@torch.no_grad()
def test_the_style_of_v2_can_be_switched_off():
    system = wake(tiny("tiny-v2"))
    styled = system.colorize(inputs()).image
    plain = wake(tiny("tiny-v2", sampling=replace(system.config.sampling, style=False))).colorize(inputs()).image
    assert (styled - plain).abs().max() > 1e-3


@pytest.mark.parametrize("tokens", ["cls", "projected-cls"])
@torch.no_grad()
def test_ablations_see_the_class_token_alone(tokens):
    system = tiny(tokens=tokens).eval()
    code = system.encode_references(inputs().references, inputs().sketch)
    other = system.with_tokens(code, lambda t: torch.cat([t[:, :1], torch.randn_like(t[:, 1:])], 1))
    sketch = system.encode_sketch(inputs().sketch)
    images = [system.paint(sketch, each, Noise((0,)), Guidance()).image for each in (code, other)]
    torch.testing.assert_close(*images, rtol=0, atol=0)
    moved = system.with_tokens(code, lambda t: t + 1)
    assert not torch.equal(system.paint(sketch, moved, Noise((0,)), Guidance()).image, images[0])


@torch.no_grad()
def test_prompts_become_vectors_of_length_1():
    system = tiny().eval()
    found = system.encode_text(["red hair", "Red Hair", "blue hair", ""])
    torch.testing.assert_close(found.norm(dim=-1), torch.ones(4))
    torch.testing.assert_close(found[0], found[1])
    assert (found[0] - found[2]).abs().max() > 1e-3


def test_other_systems_take_neither_text_nor_masks():
    scft = build_system("scft", preset("scft/tiny").system)
    with pytest.raises(InputError, match="takes no text"):
        scft.encode_text(["red hair"])
    with pytest.raises(InputError, match="takes no masks"):
        scft.colorize(inputs(Guidance(masks=Masks(half(32, 32), half(24, 40)))))


@torch.no_grad()
def test_half_precision_colors_nearly_the_same():
    system, given = tiny().eval(), inputs()
    exact = system.colorize(given).image
    rounded = system.to(torch.bfloat16).colorize(given).image
    assert rounded.dtype == torch.float32
    assert (rounded - exact).abs().mean() < 0.05


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"channels": 48, "norm_groups": 32}, "multiples"),
        ({"multipliers": ()}, "at least 1"),
        ({"attention_levels": 9}, "attention_levels"),
    ],
)
def test_networks_that_cannot_be_are_refused(changes, message: str):
    with pytest.raises(ConfigError, match=message):
        UNetConfig(**changes)
