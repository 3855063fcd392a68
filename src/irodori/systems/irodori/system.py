"""Color transport as a system: how it is trained and how it colors (docs/systems/irodori.md)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from irodori.data.index import PART_NAMES
from irodori.data.sample import Sample
from irodori.systems.base import Attention, Guidance, Noise, Output, Phase, System
from irodori.systems.irodori.config import IrodoriConfig
from irodori.systems.irodori.guidance import Dabs, draw_guidance
from irodori.systems.irodori.labels import NUM_LABELS, balance, cell_shares
from irodori.systems.irodori.losses import (
    Terms,
    attention_loss,
    color_terms,
    label_hits,
    offered_labels,
    part_name_loss,
)
from irodori.systems.irodori.networks import CELL, Code, Encoders, Painter
from irodori.systems.irodori.sources import Sources
from irodori.systems.irodori.tags import COLOR_TAGS, seen_tags, with_tags
from irodori.systems.irodori.uses import use_bias


class References(NamedTuple):
    """Encoded references: their codes, matching features and tokens."""

    codes: list[Code]
    features: list[Tensor]
    tokens: Sources | None


class Irodori(System):
    """Sketch and references share a domain; one attention brings the references' own colors to their places."""

    name: ClassVar[str] = "irodori"
    config_type: ClassVar[type] = IrodoriConfig
    draws_lines: ClassVar[bool] = False
    takes: ClassVar[frozenset[str]] = frozenset({"hints", "palette", "uses", "tags"})

    def __init__(self, config: IrodoriConfig) -> None:
        super().__init__(config)
        self.config: IrodoriConfig = config
        self.encoders = Encoders(config.channels, config.num_shared_blocks)
        self.painter = Painter(config, len(PART_NAMES))

    @property
    def size_multiple(self) -> int:  # type: ignore[override]
        """Sides of network images are multiples of the coarsest features' cells."""
        return 8 * self.config.reference_shrink

    def phases(self) -> tuple[Phase, ...]:
        """Everything at once."""
        return (Phase("transport", tuple(self.parameters())),)

    # --------------------------------------------------------------------------------------------------- coloring

    def encode_sketch(self, sketch: Tensor) -> Code:
        return self.encoders.encode_sketch(sketch)

    def encode_references(self, references: Sequence[Tensor], like: Tensor) -> References:
        references = [F.avg_pool2d(reference, self.config.reference_shrink) for reference in references]
        codes = [self.encoders.encode_reference(reference) for reference in references]
        features = [self.painter.join_reference(code) for code in codes]
        tokens = None
        for reference, maps in zip(references, features, strict=True):
            more = self.painter.transport.reference_tokens(reference, maps)
            tokens = more if tokens is None else tokens + more
        return References(codes, features, tokens)

    def paint(self, sketch_code: Code, reference_code: References, noise: Noise, guidance: Guidance) -> Output:
        """Draws no random numbers: `noise` is ignored."""
        batch, painter = len(sketch_code.fine), self.painter
        present = torch.ones(batch, len(reference_code.codes), dtype=torch.bool, device=sketch_code.fine.device)
        features = painter.look(sketch_code, reference_code.codes, present)
        hints, palette = _given(guidance.hints), guidance.palette
        sources = self._sources(features, reference_code.tokens, hints, palette)
        bias = None
        if any(guidance.uses):
            names = [painter.to_part_names(maps) for maps in (features, *reference_code.features)]
            bias = use_bias(names[0], names[1:], guidance.uses)
        transported = painter.transport(features, sources, bias=bias)
        if guidance.tags:
            transported = with_tags(transported, painter.to_part_names(features), guidance.tags)
        image, colors, confidence = painter.finish(features, transported)
        attention = None
        if reference_code.codes:
            attention = Attention(
                lambda cells: painter.transport.attention_rows(features, sources, cells, bias),
                (features.shape[-2], features.shape[-1]),
                tuple((maps.shape[-2], maps.shape[-1]) for maps in reference_code.features),
            )
        return Output(image, attention, warped_reference=colors, confidence=confidence.clamp(0, 1))

    def name_parts(self, sketch_code: Code) -> Tensor:
        features = self.painter.look(sketch_code, (), torch.ones(len(sketch_code.fine), 0, dtype=torch.bool))
        return self.painter.to_part_names(features).softmax(1)

    @property
    def tags(self) -> tuple[str, ...]:
        """Colors of parts."""
        return COLOR_TAGS

    def read_tags(self, image: Tensor) -> Tensor:
        """How well each color name fits the parts that the part-name head finds."""
        small = F.avg_pool2d(image, self.config.reference_shrink)
        features = self.painter.join_reference(self.encoders.encode_reference(small))
        return seen_tags(small, self.painter.to_part_names(features))

    def _sources(
        self, features: Tensor, tokens: Sources | None, hints: tuple[Tensor, Tensor] | None, palette: Tensor | None
    ) -> Sources:
        """All tokens but the empty one.  hints: points ``(B, N, 2)`` and colors ``(B, N, 3)``."""
        transport = self.painter.transport
        if tokens is None:
            tokens = transport.palette_tokens(features.new_zeros(len(features), 0, 3))
        if hints is not None:
            tokens = tokens + transport.hint_tokens(features_at(features, hints[0]), hints[1])
        if palette is not None:
            tokens = tokens + transport.palette_tokens(palette)
        return tokens

    # --------------------------------------------------------------------------------------------------- training

    def losses(self, phase: str, batch: Sample) -> Terms:
        weights = self.config.weights
        batch, hints, palette = draw_guidance(batch, self.config.guidance)
        present = (batch.reference != 0).flatten(1).any(1)[:, None]
        reference = self.encode_references([batch.reference], batch.sketch)
        features = self.painter.look(self.encode_sketch(batch.sketch), reference.codes, present)
        wanted = cell_shares(batch.parts, CELL)
        shown = cell_shares(batch.reference_parts, CELL * self.config.reference_shrink)
        sources = self._training_sources(features, reference, present, hints, palette)
        labels = torch.cat([shown.flatten(2).mT, *(_one_hot(dabs.labels) for dabs in (hints, palette))], dim=1)
        transported = self.painter.transport(features, sources, labels=labels)
        image, colors, _ = self.painter.finish(features, transported)
        terms = color_terms(weights, batch, image, colors)
        offered = offered_labels(shown, *((dabs.labels, dabs.present) for dabs in (hints, palette)))
        if weights.attention:
            empty = 1 - transported.confidence.mean(1)
            cells = F.avg_pool2d(balance(batch.parts, weights.small_parts, weights.largest), CELL)
            loss = attention_loss(wanted, transported.labels, empty, offered, cells)
            terms["attention"] = weights.attention * loss
        if weights.parts:
            in_sketch = part_name_loss(self.painter.to_part_names(features), wanted)
            in_reference = part_name_loss(self.painter.to_part_names(reference.features[0]), shown)
            terms["parts"] = weights.parts * (in_sketch + in_reference)
        terms["_attention_hits"] = label_hits(wanted, transported.labels, offered).detach()
        return terms

    def _training_sources(
        self, features: Tensor, reference: References, present: Tensor, hints: Dabs, palette: Dabs
    ) -> Sources:
        assert reference.tokens is not None
        sources = self._sources(features, reference.tokens, (hints.points, hints.colors), palette.colors)
        count = reference.tokens.keys.shape[2]
        flags = torch.cat([present.expand(-1, count), hints.present, palette.present], dim=1)
        return Sources(sources.keys, sources.colors, sources.values, flags, sources.num_reference_tokens)


def _given(hints: Tensor | None) -> tuple[Tensor, Tensor] | None:
    return None if hints is None else (hints[..., :2], hints[..., 2:])


def _one_hot(labels: Tensor) -> Tensor:
    """``(B, N)`` labels, -1 = none, to ``(B, N, NUM_LABELS)``."""
    return F.one_hot(labels + 1, NUM_LABELS + 1)[..., 1:].to(torch.float32)


def features_at(features: Tensor, points: Tensor) -> Tensor:
    """The features ``(B, C, h, w)`` of the cells under points ``(B, N, 2)`` in pixels: ``(B, N, C)``."""
    height, width = features.shape[-2:]
    column = (points[..., 0] / CELL).long().clamp(0, width - 1)
    row = (points[..., 1] / CELL).long().clamp(0, height - 1)
    index = (row * width + column)[..., None].expand(-1, -1, features.shape[1])
    return features.flatten(2).mT.gather(1, index)
