"""What each phase trains, and its objective (Yan 2025, equations 5.2, 5.3 and 5.5)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from irodori.data.index import PART_NAMES
from irodori.data.sample import Sample
from irodori.image import PAPER
from irodori.losses.correspondence import part_cross_entropy
from irodori.systems.colorizediffusion.blocks import ReferenceAttention
from irodori.systems.colorizediffusion.captions import part_of_patches, sayings
from irodori.systems.colorizediffusion.conditions import Reference, Separation, Told
from irodori.systems.colorizediffusion.diffusion import NUM_TIMESTEPS, add_noise, target
from irodori.systems.colorizediffusion.networks import Condition, DenoisingUNet

if TYPE_CHECKING:
    from irodori.systems.colorizediffusion.system import ColorizeDiffusion

Terms = dict[str, Tensor]

SCORE_BIAS = 6.0
"""Score of a picture and a prompt that is as likely true as false; most pairs are false."""

PROMPTS_PER_PICTURE = 10.0
"""About as many prompts are true of a picture; with it, the contrast's terms are of the size of the others."""

NOISY_FROM = 900
"""Timestep from which a later release adds nearly no noise to tokens."""


@dataclass(frozen=True)
class Step:
    """The random choices of one training step.

    noise: ``(B, c, h, w)``.  timesteps: ``(B,)``.  seen: ``(B, 1, 1)``, 0 where the reference is dropped or missing.
    """

    noise: Tensor
    timesteps: Tensor
    seen: Tensor


def parameters_of(system: ColorizeDiffusion, phase: str) -> tuple[nn.Parameter, ...]:
    """The parameters that a phase trains."""
    return tuple(_PHASES[phase][0](system))


def terms_of(system: ColorizeDiffusion, phase: str, batch: Sample) -> Terms:
    """The loss terms of a phase; those starting with "_" are only logged."""
    return _PHASES[phase][1](system, batch)


# ------------------------------------------------------------------------------------------------- frozen encoders


def autoencoder_terms(system: ColorizeDiffusion, batch: Sample) -> Terms:
    """L1 and a little KL divergence: latents stay near a standard normal (Rombach et al. 2022)."""
    color = seen_small(batch.color, system.config.objective.autoencoder_side)
    posterior = system.vae.encode(color).latent_dist
    image = system.vae.decode(posterior.sample()).sample
    kl = posterior.kl().mean() / posterior.mean[0].numel()
    return {
        "reconstruction": (image - color).abs().mean(),
        "kl": system.config.objective.kl_weight * kl,
        "_latent_deviation": posterior.mean.detach().std(),
    }


def seen_small(image: Tensor, side: int) -> Tensor:
    """Squares of `side` pixels: in half of the steps cut out at a random place, else whole pictures, scaled.

    side: 0 for pictures as they are.
    """
    height, width = image.shape[-2:]
    if side == 0 or side >= min(height, width):
        return image
    if torch.rand(()) < 0.5:
        return F.interpolate(image, (side, side), mode="area")
    top, left = (int(torch.randint(length - side + 1, ())) for length in (height, width))
    return image[..., top : top + side, left : left + side]


def image_text_terms(system: ColorizeDiffusion, batch: Sample) -> Terms:
    """Sigmoid contrast between pictures and prompts (Zhai et al. 2023), for class and local tokens.

    The data set tells which prompts are true of which picture and patch, so that every pair is labeled.  Local tokens
    are told the opposite: as in OpenCLIP (figure 5.21), they project *less* on what they show, which is what the
    thresholds of equation 5.11 are made for.
    """
    encoder = system.encoder
    assert encoder.logit_scale is not None
    said = sayings(batch)
    tokens = encoder.tokens(batch.reference)
    scores = encoder.logit_scale.exp() * F.normalize(tokens, dim=-1) @ encoder.encode_text(said.words).mT
    shown = part_of_patches(batch.reference_parts, encoder.config.grid)
    is_there = (shown[..., None] == said.parts) & (said.parts >= 0)
    terms = {
        "contrast": _contrast(scores[:, 0], said.truth, said.known),
        "local": _contrast(-scores[:, 1:], is_there * said.truth[:, None], said.known[:, None]),
    }
    if encoder.to_color is not None:
        patches = F.adaptive_avg_pool2d(batch.reference, encoder.config.grid).flatten(2).mT
        terms["color"] = (encoder.to_color(tokens[:, 1:]) - patches).abs().mean()
    if encoder.to_part is not None:
        terms["part"] = balanced_cross_entropy(encoder.to_part(tokens[:, 1:]), shown)
    true = said.truth * said.known
    recall = ((scores[:, 0] > SCORE_BIAS) * true).sum() / true.sum().clamp(min=1e-6)
    return terms | {"_recall": recall}


def balanced_cross_entropy(scores: Tensor, numbers: Tensor) -> Tensor:
    """Cross-entropy in which rare numbers weigh more: by the square root of how rare they are in the batch.

    scores: ``(..., C)``.  numbers: ``(...)``, -1 where unknown.
    """
    scores, numbers = scores.flatten(0, -2)[numbers.flatten() >= 0], numbers[numbers >= 0]
    weights = torch.bincount(numbers, minlength=scores.shape[-1]).clamp(min=1).float().rsqrt()
    return F.cross_entropy(scores, numbers, weights) if len(numbers) else scores.sum()


def _contrast(scores: Tensor, truth: Tensor, known: Tensor) -> Tensor:
    """Binary cross-entropy of scores over `SCORE_BIAS` where the truth is known, for each `PROMPTS_PER_PICTURE`."""
    losses = F.binary_cross_entropy_with_logits(scores - SCORE_BIAS, truth, reduction="none")
    return (losses * known).sum(-1).mean() / PROMPTS_PER_PICTURE


# ---------------------------------------------------------------------------------------------------- the network


def denoiser_terms(system: ColorizeDiffusion, batch: Sample) -> Terms:
    """Stages I and II: equation 5.2 with noise on the tokens, 5.3 without."""
    step = draw_step(system, batch)
    reference = noisy_reference(system, batch, step)
    tokens = system.prompt(reference, reference.local)
    return _denoising(system, batch, step, lambda hints: Condition(hints, tokens))


def adapter_terms(system: ColorizeDiffusion, batch: Sample) -> Terms:
    """The split-attention stage of v1.5 (section 5.5): both branches adapted, thresholds drawn for each sample."""
    step = draw_step(system, batch)
    separation = replace(_drawn_separation(system, batch), adapters="both")
    return _separated(system, batch, step, separation)


def background_terms(system: ColorizeDiffusion, batch: Sample) -> Terms:
    """Stage 2 of v2 (section 5.6.1)."""
    return _separated(system, batch, draw_step(system, batch), _drawn_separation(system, batch))


def style_terms(system: ColorizeDiffusion, batch: Sample) -> Terms:
    """Stage 3 of v2 (section 5.6.1): the background parts are frozen, and active in a share of the steps."""
    is_split = bool(torch.rand(()) < system.config.objective.split_share)
    separation = _drawn_separation(system, batch) if is_split else Separation()
    return _separated(system, batch, draw_step(system, batch), replace(separation, style=True))


def _separated(system: ColorizeDiffusion, batch: Sample, step: Step, separation: Separation) -> Terms:
    size = (batch.sketch.shape[-2], batch.sketch.shape[-1])
    reference = noisy_reference(system, batch, step)
    told: Told = system.conditioner()(reference, size, separation)
    return _denoising(system, batch, step, told.with_hints)


def _denoising(
    system: ColorizeDiffusion, batch: Sample, step: Step, condition: Callable[[tuple[Tensor, ...]], Condition]
) -> Terms:
    """Squared error of the prediction (equation 5.5), where the truth is known."""
    config = system.config
    with torch.no_grad():
        clean = system.latents(batch.color)
    hints = system.encode_sketch(with_margins(batch.sketch, config.objective.sketch_margin)).hints
    noisy = add_noise(clean, step.noise, step.timesteps)
    told = condition(hints)
    with watched(system.unet if config.objective.attention_weight else None) as looks:
        said = system.unet(noisy, step.timesteps, replace(told, tokens=told.tokens * step.seen))
    error = (said - target(config.prediction, clean, step.noise, step.timesteps)).square()
    known = F.interpolate(batch.valid, error.shape[-2:], mode="area")
    terms = {"denoising": (error * known).sum() / (known.sum() * error.shape[1]).clamp(min=1)}
    if looks:
        terms["attention"] = config.objective.attention_weight * part_loss(
            looks, batch, step, system.encoder.config.grid
        )
    return terms


class Look(NamedTuple):
    """Where the positions of a map of `size` ``(h, w)`` looked: weights ``(B, h * w, K)``."""

    weights: Tensor
    size: tuple[int, int]


@contextmanager
def watched(unet: DenoisingUNet | None) -> Iterator[list[Look]]:
    """Within it, the decoder's looks at the reference are noted; layers before have not seen the whole sketch."""
    looks: list[Look] = []

    def note(layer: ReferenceAttention, given: tuple[Any, ...]) -> None:
        x, tokens, size = given[:3]
        looks.append(Look(layer.weights(x, tokens), size))

    layers = (
        [] if unet is None else [one for one in unet.output_blocks.modules() if isinstance(one, ReferenceAttention)]
    )
    handles = [layer.register_forward_pre_hook(note) for layer in layers]
    try:
        yield looks
    finally:
        for handle in handles:
            handle.remove()


def part_loss(looks: Sequence[Look], batch: Sample, step: Step, grid: int) -> Tensor:
    """Cross-entropy between the parts of positions and of the tokens that they look at, mean of the layers.

    grid: tokens along each side of the reference.  References that were dropped have no parts.
    """
    reference_parts = torch.where(step.seen > 0, batch.reference_parts, -1)
    losses = [part_cross_entropy(look.weights, batch.parts, reference_parts, look.size, (grid, grid)) for look in looks]
    return torch.stack(losses).mean()


# --------------------------------------------------------------------------------------------------- random choices


def draw_step(system: ColorizeDiffusion, batch: Sample) -> Step:
    """Noise, timesteps and dropped references of a step, from torch's generator."""
    objective, config = system.config.objective, system.config
    count, device = len(batch.color), batch.color.device
    sides = (side // config.vae.stride for side in batch.color.shape[-2:])
    noise = torch.randn(count, config.unet.latent_channels, *sides, device=device)
    noise = noise + objective.offset_noise * torch.randn(count, config.unet.latent_channels, 1, 1, device=device)
    is_given = (batch.reference != 0).flatten(1).any(1)
    seen = (torch.rand(count, device=device) >= objective.reference_drop) & is_given
    timesteps = drawn_timesteps(torch.rand(count, device=device), objective.timestep_shift)
    return Step(noise, timesteps, seen.float()[:, None, None])


def drawn_timesteps(u: Tensor, shift: float) -> Tensor:
    """``(B,)`` in 0…1, drawn evenly, to timesteps; a shift of s multiplies the odds of a timestep by s."""
    return (NUM_TIMESTEPS * shift * u / (1 + (shift - 1) * u)).long().clamp(max=NUM_TIMESTEPS - 1)


@torch.no_grad()
def noisy_reference(system: ColorizeDiffusion, batch: Sample, step: Step) -> Reference:
    """The reference with its tokens noised as the objective says (equation 5.2)."""
    reference = system.encode_references([batch.reference], batch.sketch)
    if system.config.objective.token_noise == "none":
        return reference
    level = token_timesteps(step.timesteps, system.config.objective.token_noise == "clean-at-start")
    return replace(reference, tokens=add_noise(reference.tokens, torch.randn_like(reference.tokens), level))


def token_timesteps(timesteps: Tensor, clean_at_start: bool) -> Tensor:
    """tau_t of equation 5.2 has the sample's own t; a later release turns the level around from t = 900 on."""
    if not clean_at_start:
        return timesteps
    return torch.where(timesteps >= NOISY_FROM, NUM_TIMESTEPS - 1 - timesteps, timesteps)


def with_margins(sketch: Tensor, largest: float) -> Tensor:
    """Center cropping (section 5.4.3): margins of the sketch alone become paper.

    largest: of each margin, as a share of the side.
    """
    count, _, height, width = sketch.shape
    top, bottom, left, right = (largest * torch.rand(4, count, 1, device=sketch.device)).unbind()
    rows = (torch.arange(height, device=sketch.device) + 0.5) / height
    columns = (torch.arange(width, device=sketch.device) + 0.5) / width
    kept_rows, kept_columns = (rows >= top) & (rows <= 1 - bottom), (columns >= left) & (columns <= 1 - right)
    kept = (kept_rows[:, :, None] & kept_columns[:, None, :])[:, None]
    return torch.where(kept, sketch, PAPER)


def foreground(parts: Tensor) -> Tensor:
    """``(B, H, W)`` part numbers to a mask ``(B, 1, H, W)``: everything but the background."""
    return (parts != PART_NAMES.index("background")).float()[:, None]


def _drawn_separation(system: ColorizeDiffusion, batch: Sample) -> Separation:
    least, most = system.config.objective.thresholds
    sketch, reference = (least + (most - least) * torch.rand(2, len(batch.sketch), device=batch.sketch.device)).unbind()
    return Separation(
        sketch_mask=foreground(batch.parts),
        reference_mask=foreground(batch.reference_parts),
        background=True,
        sketch_threshold=sketch,
        reference_threshold=reference,
    )


# ------------------------------------------------------------------------------------------------------ who is trained


def _named(module: nn.Module, wanted: Callable[[str], bool]) -> Iterable[nn.Parameter]:
    return (parameter for name, parameter in module.named_parameters() if wanted(name))


def _is_added(name: str) -> bool:
    """True for parts of the U-Net that came after v1."""
    return ".adapters." in name or name.startswith(("warp_modules.", "style_modules."))


def _whole(*names: str) -> Callable[[ColorizeDiffusion], Iterable[nn.Parameter]]:
    def parameters(system: ColorizeDiffusion) -> Iterable[nn.Parameter]:
        for name, part in system.named_children():
            if name in names:
                yield from part.parameters()

    return parameters


def _denoiser(system: ColorizeDiffusion) -> Iterable[nn.Parameter]:
    yield from _named(system.unet, lambda name: not _is_added(name))
    yield from _whole("sketch_encoder", "projection")(system)


def _adapters(system: ColorizeDiffusion) -> Iterable[nn.Parameter]:
    yield from _named(system.unet, lambda name: ".adapters." in name)
    yield from _whole("threshold_embedder", "recovery")(system)


def _background(system: ColorizeDiffusion) -> Iterable[nn.Parameter]:
    yield from _named(system.unet, lambda name: ".adapters." in name or name.startswith("warp_modules."))
    yield from _whole("background_encoder")(system)


def _style(system: ColorizeDiffusion) -> Iterable[nn.Parameter]:
    yield from system.unet.style_modules.parameters()
    yield from _whole("style_encoder")(system)


_PHASES: Mapping[
    str, tuple[Callable[[ColorizeDiffusion], Iterable[nn.Parameter]], Callable[[ColorizeDiffusion, Sample], Terms]]
] = {
    "autoencoder": (_whole("vae"), autoencoder_terms),
    "image-text": (_whole("encoder"), image_text_terms),
    "denoiser": (_denoiser, denoiser_terms),
    "adapters": (_adapters, adapter_terms),
    "background": (_background, background_terms),
    "style": (_style, style_terms),
}
