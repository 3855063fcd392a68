"""SCFT as a system: how it is trained and how it colors (Lee et al. 2020, section 3.1 and figure 2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from irodori.data.sample import Sample
from irodori.nn.blocks import initialize
from irodori.nn.patchgan import PatchDiscriminator
from irodori.systems.base import Attention, Guidance, Noise, Output, Phase, System
from irodori.systems.scft.config import SCFTConfig
from irodori.systems.scft.losses import Terms, discriminator_terms, generator_terms
from irodori.systems.scft.networks import Generator, Pyramid


class SCFT(System):
    """Sketch and reference are encoded, features of matching places are transferred, a U-Net decoder paints."""

    name: ClassVar[str] = "scft"
    config_type: ClassVar[type] = SCFTConfig

    def __init__(self, config: SCFTConfig) -> None:
        super().__init__(config)
        self.config: SCFTConfig = config
        self.generator = Generator(
            config.channels, config.aggregation, config.bottleneck_channels, config.num_residual_blocks
        )
        is_adversarial = config.weights.adversarial > 0
        self.discriminator = PatchDiscriminator(4, config.discriminator_channels) if is_adversarial else None
        initialize(self, config.initialization)

    @property
    def size_multiple(self) -> int:  # type: ignore[override]
        """Sides of network images are multiples of the attention's stride."""
        return self.config.stride

    def phases(self) -> tuple[Phase, ...]:
        """Discriminator (learning rate twice the generator's, section 3.5), then generator."""
        generator = Phase("generator", tuple(self.generator.parameters()))
        if self.discriminator is None:
            return (generator,)
        return Phase("discriminator", tuple(self.discriminator.parameters()), learning_rate_scale=2.0), generator

    def losses(self, phase: str, batch: Sample) -> Terms:
        if phase == "discriminator":
            assert self.discriminator is not None
            with torch.no_grad():
                image, _ = self.generator(batch.sketch, [batch.reference])
            return discriminator_terms(batch, image, self.discriminator)
        image, attended = self.generator(batch.sketch, [batch.reference])
        return generator_terms(self.config, batch, image, attended, self.discriminator, self.loss_features())

    def encode_sketch(self, sketch: Tensor) -> Pyramid:
        return self.generator.sketch_encoder(sketch)

    def encode_references(
        self, references: Sequence[Tensor], like: Tensor
    ) -> tuple[Tensor, tuple[tuple[int, int], ...]]:
        """Positions of all references and their grids; without a reference, those of a zero-filled one (A.5)."""
        images = list(references) or [like.new_zeros(len(like), 3, *like.shape[-2:])]
        stride = self.config.stride
        grids = tuple((image.shape[-2] // stride, image.shape[-1] // stride) for image in images)
        return self.generator.encode_references(images), grids

    def paint(
        self,
        sketch_code: Pyramid,
        reference_code: tuple[Tensor, tuple[tuple[int, int], ...]],
        noise: Noise,
        guidance: Guidance,
    ) -> Output:
        """SCFT draws no random numbers and takes no guidance: both are ignored."""
        positions, grids = reference_code
        image, attended = self.generator.decode(sketch_code, positions)
        if attended is None:
            return Output(image)
        grid = sketch_code.activations[-1].shape[-2:]
        return Output(image, Attention.of(attended.weights, (grid[0], grid[1]), grids))
