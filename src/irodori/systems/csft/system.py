"""CSFT as a system: how it is trained and how it colors (Cui et al. 2022, figure 1)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from irodori.data.lines import extract_lines
from irodori.data.sample import Sample
from irodori.errors import ConfigError
from irodori.image import from_uint8
from irodori.losses.correspondence import hit_rate, middle_cells
from irodori.nn.blocks import initialize
from irodori.systems.base import Attention, Guidance, Noise, Output, Phase, System
from irodori.systems.csft.config import CSFTConfig
from irodori.systems.csft.correspondence import correlation_rows, domain_vectors, warp
from irodori.systems.csft.discriminators import ColorDiscriminator, StructureDiscriminator
from irodori.systems.csft.losses import Counterparts, Judges, Painting, Terms, discriminator_terms, generator_terms
from irodori.systems.csft.networks import AlignmentNetwork, Generator, enlarged

Grid = tuple[int, int]

WATCHED = (16, 16)
"""Grid of sketch positions whose attention is logged."""


class SketchCode(NamedTuple):
    """A sketch ``(B, 1, H, W)`` and its features V ``(B, d, h, w)``."""

    sketch: Tensor
    features: Tensor


class ReferenceCode(NamedTuple):
    """The positions of all references, one after the other.

    features: V, ``(B, K, d)``.  vectors: of the domain, ``(B, K, C)``.  colors: ``(B, K, 3)``.  grids: of each one.
    """

    features: Tensor
    vectors: Tensor
    colors: Tensor
    grids: tuple[Grid, ...]


class CSFT(System):
    """Sketch and reference meet in one domain, correlation warps the reference, a generator refines what came."""

    name: ClassVar[str] = "csft"
    config_type: ClassVar[type] = CSFTConfig

    def __init__(self, config: CSFTConfig) -> None:
        super().__init__(config)
        self.config: CSFTConfig = config
        self.alignment = AlignmentNetwork(config)
        self.generator = Generator(config.generator_channels, config.num_residual_blocks, config.fold)
        self.structure_discriminator = StructureDiscriminator(config) if config.is_structural else None
        self.color_discriminator = ColorDiscriminator(config) if config.is_colorific else None
        initialize(self, "kaiming")
        self.generator.calm()

    @property
    def size_multiple(self) -> int:  # type: ignore[override]
        """Sides of network images are multiples of all strides."""
        return self.config.size_multiple

    def phases(self) -> tuple[Phase, ...]:
        """Both discriminators, then alignment network and generator, at the same rate (section 4.1)."""
        generator = Phase("generator", (*self.alignment.parameters(), *self.generator.parameters()))
        judges = [judge for judge in (self.structure_discriminator, self.color_discriminator) if judge is not None]
        if not judges:
            return (generator,)
        return Phase("discriminators", tuple(p for judge in judges for p in judge.parameters())), generator

    # --------------------------------------------------------------------------------------------------- coloring

    def encode_sketch(self, sketch: Tensor) -> SketchCode:
        return SketchCode(sketch, self.alignment.sketch_features(sketch))

    def encode_references(self, references: Sequence[Tensor], like: Tensor) -> ReferenceCode:
        """Without a reference: a zero-filled one, of one color that tells nothing."""
        images = list(references) or [like.new_zeros(len(like), 3, *like.shape[-2:])]
        features = [self.alignment.reference_features(image) for image in images]
        stride = self.config.alignment_stride
        return ReferenceCode(
            torch.cat([maps.flatten(2).mT for maps in features], dim=1),
            torch.cat([domain_vectors(self.alignment.reference_in_domain(maps)) for maps in features], dim=1),
            torch.cat([F.avg_pool2d(image, stride).flatten(2).mT for image in images], dim=1),
            tuple((maps.shape[-2], maps.shape[-1]) for maps in features),
        )

    def paint(self, sketch_code: SketchCode, reference_code: ReferenceCode, noise: Noise, guidance: Guidance) -> Output:
        """CSFT draws no random numbers and takes no guidance: both are ignored."""
        painting = self._painting(sketch_code, reference_code)
        grid = (painting.coarse.shape[-2], painting.coarse.shape[-1])
        rows = partial(correlation_rows, painting.sketch, painting.reference, self.config.temperature)
        coarse = enlarged(painting.coarse, sketch_code.sketch)
        return Output(painting.image, Attention(rows, grid, reference_code.grids), warped_reference=coarse)

    def _painting(self, sketch: SketchCode, reference: ReferenceCode) -> Painting:
        vectors = self._sketch_vectors(sketch.features, reference)
        warped = warp(vectors, reference.vectors, reference.colors, self.config.temperature)
        coarse = warped.mT.unflatten(-1, sketch.features.shape[-2:])
        return Painting(self.generator(coarse, sketch.sketch), coarse, vectors, reference.vectors)

    def _sketch_vectors(self, features: Tensor, reference: ReferenceCode) -> Tensor:
        return domain_vectors(self.alignment.sketch_in_domain(features, reference.features))

    # --------------------------------------------------------------------------------------------------- training

    def losses(self, phase: str, batch: Sample) -> Terms:
        judges = Judges(self.structure_discriminator, self.color_discriminator)
        if judges.color is not None and batch.similar is None:
            raise ConfigError("the color discriminator needs similar pictures: set data.color_clusters, to 64 say")
        if phase == "discriminators":
            with torch.no_grad():
                reference = self.encode_references([batch.reference], batch.sketch)
                image = self._painting(self.encode_sketch(batch.sketch), reference).image
            return discriminator_terms(batch, image, judges)
        painting, counterparts = self._aligned(batch)
        terms = generator_terms(self.config, batch, painting, counterparts, judges, self.loss_features())
        return terms | {"_attention_hits": self._hits(batch, painting)}

    def _aligned(self, batch: Sample) -> tuple[Painting, Counterparts | None]:
        """The painting, and what equation 14 compares it with: the truth x_e and the reference's own sketch y_s."""
        reference = self.encode_references([batch.reference], batch.sketch)
        painting = self._painting(self.encode_sketch(batch.sketch), reference)
        if not self.config.weights.align:
            return painting, None
        color = self.encode_references([batch.color], batch.sketch).vectors
        drawn = self.encode_sketch(from_uint8(extract_lines((batch.reference + 1) * 127.5, "xdog"))).features
        return painting, Counterparts(color, self._sketch_vectors(drawn, reference))

    @torch.no_grad()
    def _hits(self, batch: Sample, painting: Painting) -> Tensor:
        """Share of the correlation that falls on the right part, at a grid of sketch positions."""
        grid = (painting.coarse.shape[-2], painting.coarse.shape[-1])
        queries = middle_cells(grid, WATCHED, painting.coarse.device)
        rows = correlation_rows(painting.sketch, painting.reference, self.config.temperature, queries)
        return hit_rate(rows, batch.parts, batch.reference_parts, WATCHED, grid)
