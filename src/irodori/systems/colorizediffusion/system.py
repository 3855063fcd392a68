"""ColorizeDiffusion as a system: how it is trained and how it colors (Yan 2025, chapter 5)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor

from irodori.data.sample import Sample
from irodori.errors import ConfigError
from irodori.systems.base import Guidance, Masks, Noise, Output, Phase, System
from irodori.systems.colorizediffusion.config import ColorizeDiffusionConfig, SamplingConfig

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
    takes: ClassVar[frozenset[str]] = frozenset({"masks", "text"})

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
            raise ConfigError("colorizediffusion needs more packages: pip install 'irodori[diffusion]'") from error
        self._parts = make_parts(config)
        for name, part in self._parts.items():
            self.add_module(name, part)

    @property
    def size_multiple(self) -> int:  # type: ignore[override]
        """Sides of network images are multiples of the U-Net's innermost positions."""
        return self.config.stride

    @property
    def reference_multiple(self) -> int:
        """References keep their size: the encoder stretches them, and what was padded would be seen."""
        return 1

    # --------------------------------------------------------------------------------------------------- coloring

    def encode_sketch(self, sketch: Tensor) -> SketchCode:
        hints = self.sketch_encoder(released_sketch(sketch).to(self.dtype))
        return SketchCode(hints, (sketch.shape[-2], sketch.shape[-1]))

    def encode_references(self, references: Sequence[Tensor], like: Tensor) -> Reference:
        """Tokens of all references, one after the other; an all-zero one, or none, is "no reference"."""
        from irodori.systems.colorizediffusion.conditions import Reference

        if not references:
            shape = (len(like), 1 + self.config.encoder.num_tokens, self.config.encoder.token_channels)
            return Reference(like.new_zeros(shape, dtype=self.dtype))
        tokens = [self.encoder.tokens(image) for image in references]
        given = [_is_given(image).to(self.dtype)[:, None, None] for image in references]
        first, *others = (token * is_given for token, is_given in zip(tokens, given, strict=True))
        return Reference(torch.cat([first, *(more[:, 1:] for more in others)], dim=1), references[0])

    @property
    def dtype(self) -> torch.dtype:
        """Precision of the networks; latents on their way are always float32."""
        return self.unet.conv_out.weight.dtype

    def paint(self, sketch_code: SketchCode, reference_code: Reference, noise: Noise, guidance: Guidance) -> Output:
        separation = self.separation(reference_code, guidance.masks)
        return Output(self.draw(sketch_code, reference_code, noise, separation, self.config.sampling))

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

    def encode_text(self, prompts: Sequence[str]) -> Tensor:
        return self.encoder.encode_text(prompts)

    def with_tokens(self, reference_code: Reference, change: Callable[[Tensor], Tensor]) -> Reference:
        return replace(reference_code, tokens=change(reference_code.tokens))

    def draw(
        self, sketch: SketchCode, reference: Reference, noise: Noise, separation: Separation, sampling: SamplingConfig
    ) -> Tensor:
        """A picture ``(B, 3, H, W)`` in [-1, 1], by classifier-free guidance from each image's own noise."""
        from irodori.systems.colorizediffusion.diffusion import make_sampler, sample
        from irodori.systems.colorizediffusion.guidance import guide

        told = self.conditioner(noise)(reference, sketch.size, separation)
        told = replace(told, tokens=self.prompt(reference, told.tokens))
        strength = sampling.sketch_strength
        blank = self.blank_hints(sketch) if sampling.sketch_scale > 1 else ()
        condition = told.with_hints(tuple(strength * hint for hint in sketch.hints))
        predict = guide(self._predict, condition, tuple(strength * hint for hint in blank), sampling)
        generators = noise.generators()
        shape = (self.config.unet.latent_channels, *(side // self.config.vae.stride for side in sketch.size))
        start = torch.stack([torch.randn(shape, generator=generator) for generator in generators])
        sampler = make_sampler(sampling.sampler, self.config.prediction, sampling.spacing)
        latents = sample(predict, sampler, sampling.num_steps, start.to(reference.tokens.device), generators)
        image = self.vae.decode((latents / self.config.vae.scaling).to(self.dtype)).sample
        return image.float().clamp(-1, 1)

    def _predict(self, latents: Tensor, timesteps: Tensor, condition: Condition) -> Tensor:
        """What the U-Net says, in float32 whatever its precision."""
        return self.unet(latents.to(self.dtype), timesteps, condition).float()

    def prompt(self, reference: Reference, tokens: Tensor) -> Tensor:
        """The tokens that the U-Net sees: local ones, or, in the ablations of section 5.4.4, the class token."""
        if self.config.tokens == "local":
            return tokens
        token = reference.tokens[:, :1]
        return token if self.config.tokens == "cls" else self.get_submodule("projection")(token)

    def blank_hints(self, sketch: SketchCode) -> tuple[Tensor, ...]:
        """Hints of an empty sketch of the same size: all paper, which is not the same as no hints."""
        like = sketch.hints[0]
        blank = self.sketch_encoder(like.new_full((1, 3, *sketch.size), -1.0))
        return tuple(hint.expand(len(like), -1, -1, -1) for hint in blank)

    def conditioner(self, noise: Noise | None = None) -> Conditioner:
        """What looks at references.  noise: for latents of them; each picture gets the same again."""
        from irodori.systems.colorizediffusion.conditions import Conditioner

        return Conditioner(
            self.config.version,
            local_tokens=lambda image: self.encoder.tokens(image)[:, 1:],
            latents=lambda image: self.latents(image, noise),
            vae_stride=self.config.vae.stride,
            parts=self._parts,
        )

    def latents(self, image: Tensor, noise: Noise | None = None) -> Tensor:
        """A draw from the autoencoder's posterior, scaled; without `noise` from torch's own generator."""
        posterior = self.vae.encode(image.to(self.dtype)).latent_dist
        if noise is None:
            return posterior.sample() * self.config.vae.scaling
        drawn = noise.normal(tuple(posterior.mean.shape[1:]), image.device).to(posterior.mean)
        return (posterior.mean + posterior.std * drawn) * self.config.vae.scaling

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


def _is_given(image: Tensor) -> Tensor:
    """``(B,)``: true for pictures; all-zero ones stand for no reference."""
    return (image != 0).flatten(1).any(1)
