"""ColorizeDiffusion as a system: how it is trained and how it colors (Yan 2025, chapter 5)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor

from irodori.config import override
from irodori.data.sample import Sample
from irodori.errors import ConfigError, InputError, MissingPackageError
from irodori.systems.base import Guidance, Masks, Noise, Output, Phase, Sampling, System
from irodori.systems.colorizediffusion.config import ColorizeDiffusionConfig, SamplingConfig
from irodori.systems.text import TextEdit

if TYPE_CHECKING:
    from irodori.systems.colorizediffusion.conditions import Conditioner, Reference, Separation
    from irodori.systems.colorizediffusion.image_text import ImageTextEncoder
    from irodori.systems.colorizediffusion.networks import Condition, DenoisingUNet, SketchEncoder


@dataclass(frozen=True)
class SketchCode:
    """An encoded sketch: its hints, and its size ``(height, width)`` in pixels."""

    hints: tuple[Tensor, ...]
    size: tuple[int, int]


class ColorizeDiffusion(System):
    """A latent diffusion model draws the picture; hints of the sketch say where, tokens of the reference say how."""

    name: ClassVar[str] = "colorizediffusion"
    config_type: ClassVar[type] = ColorizeDiffusionConfig
    takes: ClassVar[frozenset[str]] = frozenset({"masks", "text", "sampling"})
    keeps_references: ClassVar[bool] = True  # the encoder stretches them, and what was padded would be seen

    is_large: ClassVar[bool] = True
    is_feed_forward: ClassVar[bool] = False

    unet: DenoisingUNet
    sketch_encoder: SketchEncoder
    vae: Any  # diffusers.AutoencoderKL
    encoder: ImageTextEncoder

    def __init__(self, config: ColorizeDiffusionConfig) -> None:
        super().__init__(config)
        self.config: ColorizeDiffusionConfig = config
        try:
            from irodori.systems.colorizediffusion.parts import make_parts
        except ImportError as error:
            raise MissingPackageError(
                "colorizediffusion needs more packages: pip install 'irodori[diffusion]'"
            ) from error
        for name, part in make_parts(config).items():
            self.add_module(name, part)
        self._workplace: torch.device | None = None  # where parts go while they work, when the whole has no room there

    @property
    def size_multiple(self) -> int:  # type: ignore[override]
        """Sides of network images are multiples of the U-Net's innermost positions."""
        return self.config.stride

    # ---------------------------------------------------------------------------------------------------- placement

    @property
    def device(self) -> torch.device:
        return self._workplace or super().device

    @property
    def dtype(self) -> torch.dtype:
        """Precision of the networks; latents on their way are always float32."""
        return self.unet.conv_out.weight.dtype

    def place(self, device: torch.device, *, offload: bool = False) -> None:
        self._workplace = device if offload else None
        self.to("cpu" if offload else device)

    @classmethod
    def memory(cls, config: Any, size: tuple[int, int], dtype: torch.dtype, *, offload: bool = False) -> int | None:
        from irodori.systems.colorizediffusion.memory import estimate

        height, width = (-(-side // config.stride) * config.stride for side in size)
        needs = estimate(config, (height, width), dtype)
        return needs.offloaded if offload else needs.total

    @contextmanager
    def working(self, name: str) -> Iterator[Any]:
        """A part, where it can work."""
        part = self.get_submodule(name)
        if self._workplace is not None:
            part.to(self._workplace)
        try:
            yield part
        finally:
            if self._workplace is not None:
                part.to("cpu")

    def _calling(self, name: str) -> Callable[..., Any]:
        """A part as a function."""

        def call(*arguments: Any) -> Any:
            with self.working(name) as part:
                return part(*arguments)

        return call

    # --------------------------------------------------------------------------------------------------- encoding

    def encode_sketch(self, sketch: Tensor) -> SketchCode:
        hints = self._calling("sketch_encoder")(released_sketch(sketch).to(self.dtype))
        return SketchCode(hints, (sketch.shape[-2], sketch.shape[-1]))

    def encode_references(self, references: Sequence[Tensor], like: Tensor) -> Reference:
        """Tokens of all references, one after the other; an all-zero one, or none, is "no reference"."""
        from irodori.systems.colorizediffusion.conditions import Reference

        if not references:
            shape = (len(like), 1 + self.config.encoder.num_tokens, self.config.encoder.token_channels)
            return Reference(like.new_zeros(shape, dtype=self.dtype))
        tokens = [self.tokens(image) for image in references]
        given = [_is_given(image).to(self.dtype)[:, None, None] for image in references]
        first, *others = (token * is_given for token, is_given in zip(tokens, given, strict=True))
        return Reference(torch.cat([first, *(more[:, 1:] for more in others)], dim=1), references[0])

    def tokens(self, image: Tensor) -> Tensor:
        """``(B, 1 + N, C)``, the class token first."""
        with self.working("encoder") as encoder:
            return encoder.tokens(image)

    def encode_text(self, prompts: Sequence[str]) -> Tensor:
        """Vectors of length 1 in the space of the tokens, ``(len(prompts), C)``."""
        with self.working("encoder") as encoder:
            return encoder.encode_text(prompts)

    def text_fit(self, reference_code: Reference, prompts: Sequence[str]) -> Tensor:
        """``v . c`` of equation 5.10."""
        grid = self.config.encoder.grid
        local = reference_code.local[0, : grid**2].float()
        return (self.encode_text(prompts).float() @ local.mT).unflatten(1, (grid, grid))

    def latents(self, image: Tensor, noise: Noise | None = None) -> Tensor:
        """A draw from the autoencoder's posterior, scaled; without `noise` from torch's own generator."""
        with self.working("vae") as vae:
            posterior = vae.encode(image.to(self.dtype)).latent_dist
        if noise is None:
            return posterior.sample() * self.config.vae.scaling
        drawn = noise.normal(tuple(posterior.mean.shape[1:]), image.device).to(posterior.mean)
        return (posterior.mean + posterior.std * drawn) * self.config.vae.scaling

    def conditioner(self, noise: Noise | None = None) -> Conditioner:
        """What looks at references.  noise: for latents of them; each picture gets the same again."""
        from irodori.systems.colorizediffusion.conditions import Conditioner

        return Conditioner(
            self.config.version,
            local_tokens=lambda image: self.tokens(image)[:, 1:],
            latents=lambda image: self.latents(image, noise),
            vae_stride=self.config.vae.stride,
            parts={name: self._calling(name) for name, _ in self.named_children()},
        )

    # --------------------------------------------------------------------------------------------------- coloring

    def paint(self, sketch_code: SketchCode, reference_code: Reference, noise: Noise, guidance: Guidance) -> Output:
        sampling = asked_sampling(self.config.sampling, guidance.sampling)
        separation = self.separation(reference_code, guidance.masks)
        if guidance.text:
            reference_code = self.edited(reference_code, guidance.text)
        return Output(self.draw(sketch_code, reference_code, noise, separation, sampling))

    def edited(self, reference: Reference, edits: Sequence[TextEdit]) -> Reference:
        """The reference as it would be if words were true of it (section 5.8)."""
        from irodori.systems.colorizediffusion.text_edits import apply_edits

        is_global = self.config.tokens != "local"
        return replace(reference, tokens=apply_edits(reference.tokens, edits, self.encode_text, is_global=is_global))

    def separation(self, reference: Reference, masks: Masks | None) -> Separation:
        """What masks ask for: backgrounds matched apart; v2 has the reference's style besides, masked or not."""
        from irodori.systems.colorizediffusion.conditions import Separation

        if reference.image is None:
            return Separation()
        plain = Separation(style=self.config.version == "v2" and self.config.sampling.style)
        if masks is None:
            return plain
        return replace(
            plain,
            background=True,
            sketch_mask=masks.sketch.to(self.dtype),
            reference_mask=masks.reference,
            sketch_threshold=masks.sketch_threshold,
            reference_threshold=masks.reference_threshold,
        )

    def draw(
        self, sketch: SketchCode, reference: Reference, noise: Noise, separation: Separation, sampling: SamplingConfig
    ) -> Tensor:
        """A picture ``(B, 3, H, W)`` in [-1, 1], by classifier-free guidance from each image's own noise."""
        from irodori.systems.colorizediffusion.diffusion import make_sampler, sample
        from irodori.systems.colorizediffusion.guidance import guide, strengths_of
        from irodori.systems.colorizediffusion.networks import attention_count

        told = self.conditioner(noise)(reference, sketch.size, separation)
        told = replace(told, tokens=self.prompt(reference, told.tokens))
        strength = sampling.sketch_strength
        blank = self.blank_hints(sketch) if sampling.sketch_scale > 1 else ()
        strengths = strengths_of(sampling.reference_strength, attention_count(self.config.unet))
        condition = told.with_hints(tuple(strength * hint for hint in sketch.hints), strengths)
        generators = noise.generators()
        shape = (self.config.unet.latent_channels, *(side // self.config.vae.stride for side in sketch.size))
        start = torch.stack([torch.randn(shape, generator=generator) for generator in generators])
        sampler = make_sampler(sampling.sampler, self.config.prediction, sampling.spacing)
        with self.working("unet"):
            predict = guide(self._predict, condition, tuple(strength * hint for hint in blank), sampling)
            latents = sample(predict, sampler, sampling.num_steps, start.to(reference.tokens.device), generators)
        with self.working("vae") as vae:
            return vae.decode((latents / self.config.vae.scaling).to(self.dtype)).sample.float().clamp(-1, 1)

    def _predict(self, latents: Tensor, timesteps: Tensor, condition: Condition) -> Tensor:
        """What the U-Net says, in float32 whatever its precision."""
        return self.unet(latents.to(self.dtype), timesteps, condition).float()

    def prompt(self, reference: Reference, tokens: Tensor) -> Tensor:
        """The tokens that the U-Net sees: local ones, or, in the ablations of section 5.4.4, the class token."""
        if self.config.tokens == "local":
            return tokens
        token = reference.tokens[:, :1]
        return token if self.config.tokens == "cls" else self._calling("projection")(token)

    def blank_hints(self, sketch: SketchCode) -> tuple[Tensor, ...]:
        """Hints of an empty sketch of the same size: all paper, which is not the same as no hints."""
        like = sketch.hints[0]
        blank = self._calling("sketch_encoder")(like.new_full((1, 3, *sketch.size), -1.0))
        return tuple(hint.expand(len(like), -1, -1, -1) for hint in blank)

    # --------------------------------------------------------------------------------------------------- training

    def phases(self) -> tuple[Phase, ...]:
        """Those of `config.objective.phases`: a stage of the paper trains one of them, from the stage before."""
        from irodori.systems.colorizediffusion.losses import parameters_of

        return tuple(Phase(name, parameters_of(self, name)) for name in self.config.objective.phases)

    def losses(self, phase: str, batch: Sample) -> dict[str, Tensor]:
        from irodori.systems.colorizediffusion.losses import terms_of

        return terms_of(self, phase, batch)


def released_sketch(sketch: Tensor) -> Tensor:
    """Our sketch ``(B, 1, H, W)``, lines -1, to what the networks are used to: ``(B, 3, H, W)``, **lines +1**."""
    return -sketch.expand(-1, 3, -1, -1)


def asked_sampling(own: SamplingConfig, asked: Sampling | None) -> SamplingConfig:
    """The model's own way to draw with what was asked for; InputError for what cannot be."""
    if asked is None:
        return own
    given = {
        "num_steps": asked.num_steps,
        "reference_scale": asked.guidance_scale,
        "sketch_scale": asked.sketch_scale,
        "reference_strength": asked.reference_strength,
        "sampler": asked.sampler,
    }
    try:
        return override(own, {name: value for name, value in given.items() if value is not None})
    except ConfigError as error:
        raise InputError(str(error)) from error


def _is_given(image: Tensor) -> Tensor:
    """``(B,)``: true for pictures; all-zero ones stand for no reference."""
    return (image != 0).flatten(1).any(1)
