"""ColorizeDiffusion as a system: its phases, what training does to samples, guidance by masks and text."""

from __future__ import annotations

import math
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from batches import batch_for, plain_sample
from irodori import Colorizer
from irodori.data.index import Index
from irodori.data.sample import Sample
from irodori.errors import ConfigError, InputError, MissingPackageError
from irodori.systems import build_system, preset
from irodori.systems.base import Guidance, Inputs, Masks, Noise, Sampling
from irodori.systems.colorizediffusion.blocks import ReferenceAttention
from irodori.systems.colorizediffusion.captions import NUM_FALSE, part_of_patches, sayings
from irodori.systems.colorizediffusion.config import ColorizeDiffusionConfig, ObjectiveConfig, UNetConfig
from irodori.systems.colorizediffusion.losses import (
    Look,
    Step,
    balanced_cross_entropy,
    draw_step,
    drawn_timesteps,
    foreground,
    noisy_reference,
    part_loss,
    seen_small,
    token_timesteps,
    with_margins,
)
from irodori.systems.colorizediffusion.system import ColorizeDiffusion
from irodori.systems.colorizediffusion.text_edits import apply_edits
from irodori.systems.text import TextEdit
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


def test_a_shift_draws_noisy_timesteps_more_often():
    u = torch.linspace(0, 1, 5)
    assert drawn_timesteps(u, 1.0).tolist() == [0, 250, 500, 750, 999]
    assert drawn_timesteps(u, 3.0).tolist() == [0, 500, 750, 900, 999]


def test_the_foreground_is_all_but_the_background():
    assert foreground(torch.tensor([[[0, 2], [-1, 7]]])).tolist() == [[[[0, 1], [1, 1]]]]


def test_attention_weights_are_those_that_the_layer_uses():
    layer = ReferenceAttention(16, 8, 12)
    x, tokens = torch.randn(2, 6, 16), torch.randn(2, 5, 12)
    weights = layer.weights(x, tokens)
    assert weights.shape == (2, 6, 5)
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 6))
    one_head = ReferenceAttention(8, 8, 12)
    x = torch.randn(1, 6, 8)
    by_hand = one_head.to_out(one_head.weights(x, tokens[:1]) @ one_head.to_v(tokens[:1]))
    torch.testing.assert_close(one_head(x, tokens[:1], (2, 3)), by_hand)


def test_the_attention_can_be_told_the_parts():
    """Known looks: all on the right part costs nothing, evenly on two parts ln 2, and dropped references nothing."""
    parts = torch.tensor([[[1, 2], [1, 2]]]).repeat_interleave(8, 1).repeat_interleave(8, 2).expand(3, -1, -1)
    batch = replace(plain_sample(3, 16), parts=parts, reference_parts=parts)
    right = torch.tensor([[0.5, 0, 0.5, 0], [0, 0.5, 0, 0.5]]).repeat(2, 1)
    looks = [Look(torch.stack([right, torch.full((4, 4), 0.25), torch.full((4, 4), 0.25)]), (2, 2))]
    step = Step(torch.zeros(3), torch.zeros(3), torch.tensor([1.0, 1.0, 0.0])[:, None, None])
    assert part_loss(looks, batch, step, 2).item() == pytest.approx(math.log(2) / 2)


def test_only_the_decoder_is_watched_and_only_where_asked(dataset: Index):
    batch = batch_for("colorizediffusion", dataset)
    system = tiny(objective=ObjectiveConfig(attention_weight=0.5, reference_drop=0.0))
    terms = system.losses("denoiser", batch)
    assert set(terms) == {"denoising", "attention"}
    terms["attention"].backward()
    moved = {name for name, one in system.unet.named_parameters() if one.grad is not None and one.grad.abs().sum() > 0}
    assert any(name.startswith("output_blocks") and "attn2.to_k" in name for name in moved)
    last = f"output_blocks.{len(system.unet.output_blocks) - 1}."
    assert f"{last}transformer.attn2.to_k.weight" in moved
    assert f"{last}transformer.attn2.to_v.weight" not in moved  # what is found there is the denoising's affair
    assert all(not module._forward_pre_hooks for module in system.unet.modules())
    assert set(tiny().losses("denoiser", batch)) == {"denoising"}
    with pytest.raises(ConfigError, match="no places to look at"):
        replace(preset("colorizediffusion/tiny").system, tokens="cls", objective=ObjectiveConfig(attention_weight=0.1))


def test_training_end_to_end(dataset: Index, tmp_path: Path):
    recipe = preset("colorizediffusion/tiny")
    run = RunFolder(tmp_path / "run")
    train(recipe, dataset, run, LoopOptions(device="cpu", progress=False, stop_after=3, log_every=1))
    colorizer = Colorizer.from_pretrained(run.model, device="cpu")
    result = colorizer(torch.full((50, 40), 255, dtype=torch.uint8).numpy(), seed=3, image_size=64)
    assert result.image.size == (40, 50)
    assert result.provenance["system"] == "colorizediffusion"


# ----------------------------------------------------------------------------------------------------------- captions


def red_hair_before_white(count: int = 2) -> Sample:
    """References: the left half is white background, the right half red hair; the last one is not annotated."""
    reference = torch.ones(count, 3, 32, 32)
    reference[..., 16:] = torch.tensor([0xD6, 0x3A, 0x34]).view(3, 1, 1) / 127.5 - 1
    parts = torch.zeros(count, 32, 32, dtype=torch.int64)
    parts[:, :, 16:] = 2
    parts[-1] = -1
    tags = (("smile",),) * (count - 1) + ((),)
    return replace(plain_sample(count), reference=reference, reference_parts=parts, tags=tags)


def test_what_can_be_said_of_a_picture():
    said = sayings(red_hair_before_white())
    true = {word for word, truth in zip(said.words, said.truth[0], strict=True) if truth > 0.99}
    assert true == {"red hair", "hair", "white background", "background", "smile"}
    assert said.known[0].all()
    assert not said.known[1].any()  # nothing is known of a picture without parts and words
    place = said.words.index("red hair")
    assert said.parts[place] == 2
    assert said.parts[said.words.index("smile")] == -1
    assert NUM_FALSE < len(said.words) < 2 * NUM_FALSE


def test_patches_show_the_part_that_covers_most_of_them():
    parts = red_hair_before_white(1).reference_parts.clone()
    parts[:] = 0
    parts[:, :, 16:] = 2
    assert part_of_patches(parts, 2).tolist() == [[0, 2, 0, 2]]
    parts[:, 0, 16:] = 99
    assert part_of_patches(parts, 1).tolist() == [[-1]]  # nothing covers more than half


def test_local_tokens_are_told_the_opposite_of_the_class_token():
    """Figure 5.21: what fits a place makes its token's projection small."""
    system, batch = tiny(), red_hair_before_white(2)
    grid = system.config.encoder.grid
    words = torch.nn.functional.one_hot(torch.arange(2), 16).float()  # "hair" and "background" along two axes

    def loss(sign: float) -> float:
        local = torch.zeros(1, grid, grid, 16)
        local[:, :, : grid // 2, 1] = local[:, :, grid // 2 :, 0] = sign
        tokens = torch.cat([torch.full((1, 1, 16), -1.0), local.flatten(1, 2)], 1)
        system.encoder.tokens = lambda image: tokens.expand(len(image), -1, -1)
        system.encoder.encode_text = lambda prompts: torch.stack(
            [
                words[("hair", "background").index(p)] if p in ("hair", "background") else torch.zeros(16)
                for p in prompts
            ]
        )
        torch.manual_seed(0)
        return system.losses("image-text", batch)["local"].item()

    assert loss(-1.0) < loss(0.0) < loss(1.0)


def test_rare_numbers_weigh_more():
    scores, numbers = torch.tensor([[1.0, 0.0]]).expand(6, 2), torch.tensor([0, 0, 0, 0, 1, -1])
    common, rare = math.log(1 + math.exp(-1)), math.log(1 + math.e)
    found = balanced_cross_entropy(scores.view(2, 3, 2), numbers.view(2, 3))
    assert found.item() == pytest.approx((4 * common / 2 + rare) / (4 / 2 + 1))
    assert balanced_cross_entropy(scores, torch.full((6,), -1)).isfinite()


def test_the_encoder_learns_to_read_colors_and_parts_off_a_patch():
    system, batch = tiny(), red_hair_before_white(2)
    phase = next(phase for phase in system.phases() if phase.name == "image-text")
    optimizer = torch.optim.Adam(phase.parameters, 1e-2)
    read = []
    for _ in range(30):
        terms = system.losses("image-text", batch)
        read.append((terms["color"].item(), terms["part"].item()))
        optimizer.zero_grad()
        (terms["color"] + terms["part"]).backward()
        optimizer.step()
    assert all(last < 0.3 * first for first, last in zip(read[0], read[-1], strict=True))


def test_the_stem_belongs_to_a_patch():
    config = preset("colorizediffusion/tiny").system.encoder
    assert config.stem_stride == 2
    with pytest.raises(ConfigError, match="patch_size must be a multiple of the stem's stride \\(8\\)"):
        replace(config, stem=(8, 8, 8))
    with pytest.raises(ConfigError, match="multiples of 8"):
        replace(config, stem=(12,))


def test_the_small_autoencoder_starts_with_the_mean_colors_of_cells():
    system = build_system("colorizediffusion", preset("colorizediffusion/small").system)
    image = torch.rand(1, 3, 32, 48) * 2 - 1
    posterior = system.vae.encode(image).latent_dist
    assert posterior.mean.shape == (1, 4, 4, 6)
    torch.testing.assert_close(posterior.std, torch.full_like(posterior.std, 0.1))
    cells = torch.nn.functional.avg_pool2d(image, 8)
    decoded = system.vae.decode(posterior.mean).sample
    assert decoded.shape == image.shape
    torch.testing.assert_close(torch.nn.functional.avg_pool2d(decoded, 8), cells, rtol=0, atol=0.3)
    flat = torch.full((1, 3, 16, 16), 0.25)
    torch.testing.assert_close(system.vae.decode(system.vae.encode(flat).latent_dist.mean).sample, flat)


def test_autoencoders_see_cut_outs_and_small_pictures():
    image = torch.arange(64.0).view(1, 1, 8, 8)
    torch.manual_seed(0)
    seen = [seen_small(image, 4) for _ in range(20)]
    assert all(each.shape == (1, 1, 4, 4) for each in seen)
    scaled = [each for each in seen if each[0, 0, 0, 0] == image[0, 0, :2, :2].mean()]
    cut = [each for each in seen if float(each[0, 0, 0, 0]) in range(64) and (each.diff(dim=-1) == 1).all()]
    assert 4 < len(scaled) < 16
    assert len(scaled) + len(cut) == 20
    assert seen_small(image, 0) is image


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
    local = torch.cat([code.tokens[:, :1], torch.randn_like(code.tokens[:, 1:])], 1)
    sketch = system.encode_sketch(inputs().sketch)

    def painted(told: Tensor, guidance: Guidance) -> Tensor:
        return system.paint(sketch, replace(code, tokens=told), Noise((0,)), guidance).image

    torch.testing.assert_close(painted(code.tokens, Guidance()), painted(local, Guidance()), rtol=0, atol=0)
    assert not torch.equal(painted(code.tokens + 1, Guidance()), painted(code.tokens, Guidance()))
    edit = Guidance(text=(TextEdit(target="red hair"),))  # algorithm 1, on the class token
    assert not torch.equal(painted(code.tokens, edit), painted(code.tokens, Guidance()))


@torch.no_grad()
def test_prompts_become_vectors_of_length_1():
    system = tiny().eval()
    found = system.encode_text(["red hair", "Red Hair", "blue hair", ""])
    torch.testing.assert_close(found.norm(dim=-1), torch.ones(4))
    torch.testing.assert_close(found[0], found[1])
    assert (found[0] - found[2]).abs().max() > 1e-3


@torch.no_grad()
def test_text_edits_change_the_tokens_of_the_reference():
    system = tiny().eval()
    code = system.encode_references(inputs().references, inputs().sketch)
    sketch = system.encode_sketch(inputs().sketch)
    edits = (TextEdit(target="red hair", anchor="black hair"), TextEdit(target="blue eyes", scale=3))
    plain, edited, by_hand = (
        system.paint(sketch, reference, Noise((0,)), guidance).image
        for reference, guidance in (
            (code, Guidance()),
            (code, Guidance(text=edits)),
            (replace(code, tokens=apply_edits(code.tokens, edits, system.encode_text)), Guidance()),
        )
    )
    assert (plain - edited).abs().max() > 1e-3
    torch.testing.assert_close(edited, by_hand, rtol=0, atol=0)


@torch.no_grad()
def test_the_fit_of_words_is_read_at_the_places_of_the_first_reference():
    system = tiny().eval()
    code = system.encode_references(inputs().references * 2, inputs().sketch)
    found = system.text_fit(code, ["hair", "eyes"])
    assert found.shape == (2, 4, 4)
    expected = system.encode_text(["eyes"])[0] @ code.tokens[0, 1 + 6]
    torch.testing.assert_close(found[1, 1, 2], expected)


@torch.no_grad()
def test_steps_and_scales_can_be_asked_for():
    system, four = tiny().eval(), Sampling(num_steps=4, guidance_scale=1.0, sampler="ddim")
    calls = []
    system.unet.register_forward_hook(lambda module, given, found: calls.append(len(given[0])))
    system.colorize(inputs(Guidance(sampling=four)))
    assert calls == [1] * 4  # one pass each: nothing is guided
    calls.clear()
    system.colorize(inputs(Guidance(sampling=Sampling(sketch_scale=2.0))))
    assert calls == [3] * 3
    with pytest.raises(InputError, match="guidance scales start at 1"):
        system.colorize(inputs(Guidance(sampling=Sampling(guidance_scale=0.5))))
    with pytest.raises(InputError, match="expected one of dpm"):
        system.colorize(inputs(Guidance(sampling=Sampling(sampler="fast"))))


def test_other_systems_take_neither_text_nor_masks_nor_steps():
    scft = build_system("scft", preset("scft/tiny").system)
    asked = {
        "edits in words": Guidance(text=(TextEdit(target="red hair"),)),
        "masks": Guidance(masks=Masks(half(32, 32), half(24, 40))),
        "steps": Guidance(sampling=Sampling(num_steps=4)),
    }
    for words, guidance in asked.items():
        with pytest.raises(InputError, match=f"takes no {words}.*colorizediffusion"):
            scft.colorize(inputs(guidance))
    with pytest.raises(InputError, match="takes no edits in words"):
        scft.text_fit(None, ["hair"])


@torch.no_grad()
def test_offloaded_parts_are_at_work_only_while_they_are_needed(monkeypatch: pytest.MonkeyPatch):
    """With a GPU that is really the CPU: every part goes there and comes back, and the picture is the same."""
    system, moves = tiny("tiny-v2").eval(), []
    expected = system.colorize(inputs()).image
    original = torch.nn.Module.to

    def watched(self, *arguments, **options):
        moves.append((next(name for name, part in system.named_children() if part is self), str(arguments[0])))
        return original(self, *arguments, **options)

    system.place(torch.device("cpu", 0), offload=True)
    monkeypatch.setattr(torch.nn.Module, "to", watched)
    torch.testing.assert_close(system.colorize(inputs()).image, expected, rtol=0, atol=0)
    assert {name for name, _ in moves} >= {"unet", "sketch_encoder", "vae", "encoder", "style_encoder"}
    assert [place for _, place in moves] == ["cpu:0", "cpu"] * (len(moves) // 2)
    assert all(there[0] == back[0] for there, back in zip(moves[::2], moves[1::2], strict=True))


@torch.no_grad()
def test_half_precision_colors_nearly_the_same():
    system, given = tiny().eval(), inputs()
    exact = system.colorize(given).image
    rounded = system.to(torch.bfloat16).colorize(given).image
    assert rounded.dtype == torch.float32
    assert (rounded - exact).abs().mean() < 0.05


def test_without_its_packages_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    Colorizer(tiny(), device="cpu").save_pretrained(tmp_path)
    monkeypatch.setitem(sys.modules, "irodori.systems.colorizediffusion.parts", None)
    monkeypatch.setattr("irodori.weights.shipped", lambda: {"tiny": tmp_path / "model.safetensors"})
    with pytest.raises(MissingPackageError, match=r"irodori\[diffusion\]"):
        Colorizer.from_pretrained("tiny", device="cpu")


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
