"""The networks against the released ones, written out a second time in `released`, on random small weights."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest
import torch
import torch.nn.functional as F
from diffusers import UNet2DConditionModel
from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint, convert_ldm_vae_checkpoint
from torch import Tensor

import released
from irodori.config import override
from irodori.systems.colorizediffusion.blocks import Split
from irodori.systems.colorizediffusion.conditions import Separation, Told
from irodori.systems.colorizediffusion.networks import Condition, size_label
from irodori.systems.colorizediffusion.openclip import clip_tensors
from irodori.systems.colorizediffusion.published import config_of, fitted
from irodori.systems.colorizediffusion.release import our_name
from irodori.systems.colorizediffusion.system import ColorizeDiffusion

SIZE = (64, 128)  # height and width of the output, pixels
LATENT_SIZE = (8, 16)


def close(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


@cache
def weights_of(version: str) -> released.Weights:
    return released.random_weights(released.small_shapes(version) | released.small_clip_shapes())


@cache
def system_of(version: str) -> ColorizeDiffusion:
    weights = weights_of(version)
    shapes = {name: tensor.shape for name, tensor in weights.items()}
    clip = {name: tensor for name, tensor in weights.items() if name.startswith("cond_stage_model.")}
    config = config_of(shapes, {name: tensor.shape for name, tensor in clip.items()})
    ours = {f"encoder.{name}": value for name, value in clip_tensors(clip).items()}
    for name in weights.keys() - clip.keys():
        if (mine := our_name(name, 4)) is not None:
            ours[mine] = fitted(mine, weights[name])
    system = ColorizeDiffusion(override(config, {"image_size": 64}))
    system.load_state_dict(ours)
    return system.eval().requires_grad_(False)


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def blobs(height: int, width: int, batch: int = 2) -> Tensor:
    """A smooth mask in 0…1."""
    return F.interpolate(2 * draw(batch, 1, 3, 5, seed=5), (height, width), mode="bicubic").sigmoid()


def picture(height: int, width: int, batch: int = 2, seed: int = 3) -> Tensor:
    return F.interpolate(draw(batch, 3, 6, 6, seed=seed), (height, width), mode="bicubic").tanh()


def hints() -> list[Tensor]:
    sizes = ((32, 8, 16), (32, 4, 8), (64, 2, 4), (128, 1, 2), (128, 1, 2))
    return [draw(2, *size, seed=9 + number) for number, size in enumerate(sizes)]


LATENTS, TIMESTEPS = draw(2, 4, *LATENT_SIZE), torch.tensor([941.0, 48.37])


def both(version: str, told: dict, condition: Condition) -> None:
    """Both U-Nets say the same, and not nothing."""
    expected = released.unet(weights_of(version), LATENTS, TIMESTEPS, told)
    assert 0.1 < expected.std() < 10
    close(system_of(version).unet(LATENTS, TIMESTEPS, condition), expected)


# ------------------------------------------------------------------------------------------------------------- v1


@torch.no_grad()
def test_hints_of_a_sketch():
    """Ours has lines -1, theirs +1; an empty sketch is all -1 for them."""
    system, sketch = system_of("v1"), torch.where(draw(2, 1, *SIZE) > 1, -1.0, 1.0)
    code = system.encode_sketch(sketch)
    for found, expected in zip(code.hints, released.hints(weights_of("v1"), -sketch.repeat(1, 3, 1, 1)), strict=True):
        close(found, expected)
    blank = released.hints(weights_of("v1"), torch.full((2, 3, *SIZE), -1.0))
    for found, expected in zip(system.blank_hints(code), blank, strict=True):
        close(found, expected)
        assert expected.abs().max() > 0.1


@torch.no_grad()
def test_v1_with_fractional_timesteps_and_strengths():
    tokens, strengths = draw(2, 16, released.TOKENS, seed=2), tuple(0.3 + 0.1 * block for block in range(16))
    told = {"hints": hints(), "context": tokens}
    both("v1", told, Condition(tuple(hints()), tokens))
    both("v1", {**told, "strengths": strengths}, Condition(tuple(hints()), tokens, strengths=strengths))


@torch.no_grad()
def test_v1_without_hints_is_the_u_net_of_diffusers():
    """A third opinion, on the second one too."""
    weights = {n.removeprefix("model.diffusion_model."): t for n, t in weights_of("v1").items() if "diffusion_" in n}
    unet = UNet2DConditionModel(
        block_out_channels=(32, 64, 128, 128), cross_attention_dim=released.TOKENS, use_linear_projection=False,
        attention_head_dim=(1, 2, 4, 4), layers_per_block=2, sample_size=8,
    )  # fmt: skip
    prefixed = {f"model.diffusion_model.{name}": tensor for name, tensor in weights.items()}
    unet.load_state_dict(convert_ldm_unet_checkpoint(prefixed, {**unet.config, "class_embed_type": None}))
    tokens = draw(2, 16, released.TOKENS, seed=2)
    nothing = tuple(torch.zeros_like(hint) for hint in hints())
    expected = unet.eval()(LATENTS, TIMESTEPS, tokens).sample
    close(system_of("v1").unet(LATENTS, TIMESTEPS, Condition(nothing, tokens)), expected)


def test_the_autoencoder_is_named_as_diffusers_names_it():
    prefix = "first_stage_model."
    theirs = {name: tensor for name, tensor in weights_of("v1").items() if name.startswith(prefix)}
    vae = system_of("v1").vae
    expected = convert_ldm_vae_checkpoint(theirs, vae.config)
    assert expected.keys() == vae.state_dict().keys()
    assert all(torch.equal(expected[name], tensor) for name, tensor in vae.state_dict().items())


@torch.no_grad()
@pytest.mark.parametrize("version", ["v1", "v1.5", "v2"])
def test_a_mask_exactly_at_the_threshold(version: str):
    """Foreground where attention has no adapters, else background: v2's decoder has some, its encoder has none."""
    mask = torch.full((2, 1, *LATENT_SIZE), 0.25)
    tokens = draw(2, 32, released.TOKENS, seed=2)
    told = {"hints": hints(), "context": tokens, "mask": mask, "tau": 0.25, "fg": True, "bg": True}
    split = Split(mask, torch.full((2,), 0.25), foreground=True, background=True)
    both(version, told, Condition(tuple(hints()), tokens, split))


# ----------------------------------------------------------------------------------------------------------- v1.5


@torch.no_grad()
@pytest.mark.parametrize(("foreground", "background"), [(False, True), (True, False), (True, True), (False, False)])
def test_split_attention_with_adapters(foreground: bool, background: bool):
    tokens, mask = draw(2, 32, released.TOKENS, seed=2), blobs(*LATENT_SIZE)
    assert 0.2 < (mask > 0.4).float().mean() < 0.8
    more = {"fg_scale": 0.9, "bg_scale": 1.2, "merge": 0.3}
    told = {"hints": hints(), "context": tokens, "mask": mask, "tau": 0.4, "fg": foreground, "bg": background, **more}
    split = Split(mask, torch.full((2,), 0.4), foreground, background, 0.9, 1.2, 0.3)
    both("v1.5", told, Condition(tuple(hints()), tokens, split))


def told_by(version: str, separation: Separation, image: Tensor) -> Told:
    system = system_of(version)
    conditioner = replace(
        system.conditioner(), latents=lambda image: system.vae.encode(image).latent_dist.mode() * 0.18215
    )
    return conditioner(system.encode_references([image], image), SIZE, separation)


def local(version: str, image: Tensor) -> Tensor:
    return released.clip_tokens(weights_of(version), prepared(image))[:, 1:]


def prepared(image: Tensor) -> Tensor:
    """CLIP's input as released, at the small tower's 56 pixels."""
    x = F.interpolate(image, (56, 56), mode="bicubic", align_corners=True, antialias=True)
    mean, deviation = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
    return ((x + 1) / 2 - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(deviation).view(3, 1, 1)


IMAGE, REFERENCE_MASK, SKETCH_MASK = picture(90, 50), blobs(90, 50), blobs(*SIZE)
WHITENED = torch.where(REFERENCE_MASK >= 0.5, torch.ones(()), IMAGE)
MASKS = {"sketch_mask": SKETCH_MASK, "reference_mask": REFERENCE_MASK}


@torch.no_grad()
def test_tokens_of_v1_split_without_training():
    told = told_by("v1", Separation(**MASKS, background=True), IMAGE)
    close(told.tokens, torch.cat([local("v1", IMAGE), local("v1", WHITENED)], 1))
    assert told.split is not None
    close(told.split.mask, F.interpolate(SKETCH_MASK, scale_factor=0.125, mode="bicubic"))


@torch.no_grad()
def test_tokens_of_v15():
    weights = weights_of("v1.5")
    whole = local("v1.5", IMAGE)
    fg = whole + released.threshold_token(weights, 0.05)
    cut = released.threshold_token(weights, 0.5)
    bg = released.recovered(weights, local("v1.5", WHITENED) + cut)
    told = told_by("v1.5", Separation(**MASKS, background=True), IMAGE)
    close(told.tokens, torch.cat([fg, bg], 1))
    assert told.split is not None
    assert (told.split.foreground, told.split.background) == (False, True)
    told = told_by("v1.5", Separation(**MASKS, foreground=True), IMAGE)
    close(told.tokens, torch.cat([whole, whole], 1))
    told = told_by("v1.5", Separation(**MASKS, foreground=True, background=True), IMAGE)
    close(told.tokens, torch.cat([fg, bg, fg, bg], 1))
    other = picture(40, 70, seed=8)
    told = told_by("v1.5", Separation(**MASKS, background=True, picture=other), IMAGE)
    close(told.tokens, torch.cat([fg, local("v1.5", other) + cut], 1))
    assert told_by("v1.5", Separation(), IMAGE).split is None


# ------------------------------------------------------------------------------------------------------------- v2


@torch.no_grad()
def test_v2_with_background_and_style():
    tokens, mask = draw(2, 32, released.TOKENS, seed=2), blobs(*LATENT_SIZE)
    widths = [128] * 6 + [64] * 3 + [32] * 3
    skips = [(128, 2)] * 3 + [
        (128, 8),
        (128, 8),
        (64, 8),
        (64, 32),
        (64, 32),
        (32, 32),
        (32, 128),
        (32, 128),
        (32, 128),
    ]
    hs_bg = [draw(2, count, width, seed=40 + number) for number, (width, count) in enumerate(skips)]
    style = [draw(2, 2 * width, seed=60 + number) for number, width in enumerate(widths)]
    told = {"hints": hints(), "context": tokens, "mask": mask, "tau": 0.4, "fg": True, "bg": True}
    split = Split(mask, torch.full((2,), 0.4))
    both("v2", {**told, "hs_bg": hs_bg}, Condition(tuple(hints()), tokens, split, background=tuple(hs_bg)))
    more = {"background": tuple(hs_bg), "style": tuple(style)}
    both("v2", {**told, "hs_bg": hs_bg, "style": style}, Condition(tuple(hints()), tokens, split, **more))
    plain = {"hints": hints(), "context": tokens[:, :16], "style": style}
    both("v2", plain, Condition(tuple(hints()), tokens[:, :16], style=tuple(style)))


@pytest.mark.parametrize("reference", [(50, 90), (64, 128), (200, 130), (64, 127), (300, 40)])
def test_size_labels(reference: tuple[int, int]):
    close(size_label(reference, SIZE), released.size_label(reference, SIZE))


def latents(image: Tensor) -> Tensor:
    stretched = F.interpolate(image, SIZE, mode="bicubic")
    return system_of("v2").vae.encode(stretched).latent_dist.mode() * 0.18215


def encoded(name: str, image: Tensor, tokens: Tensor) -> list[Tensor]:
    label = released.size_label((image.shape[-2], image.shape[-1]), SIZE).repeat(2, 1)
    return released.reference_encoder(weights_of("v2"), name, latents(image), label, tokens)


def all_close(found: tuple[Tensor, ...], expected: list[Tensor]) -> None:
    assert len(found) == len(expected) == 12
    for mine, theirs in zip(found, expected, strict=True):
        close(mine, theirs)


@torch.no_grad()
def test_background_and_style_of_v2():
    whole, background = local("v2", IMAGE), local("v2", WHITENED)
    told = told_by("v2", Separation(**MASKS, background=True, style=True, background_factor=0.7), IMAGE)
    label_of_whole = released.size_label((90, 50), SIZE).repeat(2, 1)
    expected = released.reference_encoder(weights_of("v2"), "bg_encoder", latents(WHITENED), label_of_whole, whole)
    all_close(told.background, [0.7 * each for each in expected])
    all_close(told.style, encoded("style_encoder", IMAGE, whole))
    close(told.tokens, torch.cat([whole, background], 1))
    assert told.split is not None
    assert (told.split.foreground, told.split.background) == (True, True)


@torch.no_grad()
@pytest.mark.parametrize("style", [False, True])
def test_a_background_picture_in_v2(style: bool):
    """Its features are prompted with its own tokens, but with the reference's where style is on."""
    other = picture(40, 70, seed=8)
    whole, background = local("v2", IMAGE), local("v2", other)
    told = told_by("v2", Separation(**MASKS, background=True, style=style, picture=other, merge=0.4), IMAGE)
    all_close(told.background, encoded("bg_encoder", other, whole if style else background))
    close(told.tokens, torch.cat([whole, background], 1))
    if style:
        pairs = zip(encoded("style_encoder", IMAGE, whole), encoded("style_encoder", other, background), strict=True)
        all_close(told.style, [mine * 0.6 + 0.4 * theirs for mine, theirs in pairs])


@torch.no_grad()
def test_foreground_alone_changes_nothing_in_v2():
    told = told_by("v2", Separation(**MASKS, foreground=True), IMAGE)
    plain = Condition(tuple(hints()), local("v2", IMAGE))
    unet = system_of("v2").unet
    close(unet(LATENTS, TIMESTEPS, told.with_hints(tuple(hints()))), unet(LATENTS, TIMESTEPS, plain))


# ----------------------------------------------------------------------------------------------------------- CLIP


@torch.no_grad()
def test_tokens_of_a_reference():
    encoder = system_of("v1").encoder
    close(encoder.preprocess(IMAGE), prepared(IMAGE))
    close(encoder.tokens(IMAGE), released.clip_tokens(weights_of("v1"), prepared(IMAGE)))
    nothing = system_of("v1").encode_references([], IMAGE)
    assert nothing.tokens.shape == (2, 17, released.TOKENS)
    assert not nothing.tokens.any()


@torch.no_grad()
def test_text_leaves_the_last_block_out():
    ids = torch.zeros(3, 12, dtype=torch.int64)
    ids[:, 0], ids[0, 1:4], ids[1, 1:3], ids[2, 1:] = 298, torch.tensor([5, 9, 299]), torch.tensor([7, 299]), 299
    found = system_of("v1").encoder.text_vectors(ids)
    close(found, released.clip_text(weights_of("v1"), ids))
    close(found.norm(dim=-1), torch.ones(3))
    assert (found - released.clip_text(weights_of("v1"), ids, blocks=3)).abs().max() > 0.01
