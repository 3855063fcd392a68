"""TagGAN as a system: three things to train one after the other, and how it colors (Yan et al. 2023, figure 2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor, nn

from irodori.checkpoint import check_keys
from irodori.data.sample import Sample
from irodori.data.tags import place_words, places, tag_columns, tag_targets
from irodori.data.vocabulary import find_tag
from irodori.errors import InputError
from irodori.losses.correspondence import part_cross_entropy
from irodori.nn.blocks import initialize
from irodori.systems.base import Attention, Guidance, Noise, Output, Phase, System
from irodori.systems.taggan.config import TagGANConfig
from irodori.systems.taggan.edits import ask
from irodori.systems.taggan.losses import (
    Terms,
    critic_terms,
    generator_terms,
    hybrid_terms,
    inversion_loss,
    places_loss,
    tagger_terms,
)
from irodori.systems.taggan.mapping import MappingNetwork, TagEditor, set_tags
from irodori.systems.taggan.networks import Critic, Generator, SketchCode
from irodori.systems.taggan.tagger import Tagger, gap


@dataclass(frozen=True)
class References:
    """Encoded references: features ``(B, C, h, w)`` and tag values ``(B, T)`` of each; without any, one of zeros."""

    maps: tuple[Tensor, ...]
    values: tuple[Tensor, ...]

    @cached_property
    def memory(self) -> Tensor:
        """The positions of all references, one after the other: ``(B, K, C)``."""
        return torch.cat([features.flatten(2).mT for features in self.maps], dim=1)

    @property
    def grids(self) -> tuple[tuple[int, int], ...]:
        return tuple((features.shape[-2], features.shape[-1]) for features in self.maps)


class TagGAN(System):
    """A frozen tagger reads the reference, a U-Net receives its features, changed tags change the features."""

    name: ClassVar[str] = "taggan"
    config_type: ClassVar[type] = TagGANConfig

    def __init__(self, config: TagGANConfig) -> None:
        super().__init__(config)
        self.config: TagGANConfig = config
        self.tagger = Tagger(config.tagger, config.tags)
        self.generator = Generator(config, self.tagger.num_features)
        self.discriminator = Critic(config.critic_channels) if config.weights.adversarial else None
        self.editor = self._build_editor(config, self.tagger.num_features)
        initialize(self, config.initialization)
        self.tagger.initialize()
        self.editor.initialize()

    @staticmethod
    def _build_editor(config: TagGANConfig, width: int) -> TagEditor:
        mapping = MappingNetwork(
            len(config.tags), config.mapping_channels, width, config.num_mapping_layers, config.mapping
        )
        return TagEditor(mapping, width, config.receiving == "attention", float(config.empty_ratio))

    @property
    def size_multiple(self) -> int:  # type: ignore[override]
        """Sides of network images are multiples of the deepest cells of sketch and references."""
        return self.config.stride

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags that the tagger knows; none once its features were trained with the generator."""
        return () if self.config.joint else self.config.tags

    @property
    def takes(self) -> frozenset[str]:  # type: ignore[override]
        """Tags, from step 2 on."""
        return self.takes_with(self.config)

    @classmethod
    def takes_with(cls, config: TagGANConfig) -> frozenset[str]:
        return frozenset({"tags"} if "tags" in config.steps else ())

    # --------------------------------------------------------------------------------------------------- training

    def phases(self) -> tuple[Phase, ...]:
        """Those in `config.steps`: the tagger; step 1, critic and generator; step 2, the mapping network and omega."""
        found: list[Phase] = []
        for step in self.config.steps:
            if step == "tagger":
                found.append(Phase("tagger", tuple(self.tagger.parameters())))
            elif step == "tags":
                found.append(Phase("tags", tuple(self.editor.parameters())))
            else:
                found += self._color_phases()
        return tuple(found)

    def _color_phases(self) -> list[Phase]:
        moved: list[nn.Parameter] = list(self.generator.parameters())
        if self.config.joint:
            moved += self.tagger.encoder_parameters()
        generator = Phase("generator", tuple(moved))
        if self.discriminator is None:
            return [generator]
        return [Phase("discriminator", tuple(self.discriminator.parameters())), generator]

    def start_from(self, path: Path, other: System) -> None:
        """Takes what `other` has trained, where it fits, and insists on what later steps build on.

        These are the tagger, and for step 2 the generator.  So one tagger serves all variants of the generator.
        """
        trained = other.config.steps if isinstance(other, TagGAN) else ()
        needed = {"tagger": ("colors", "tags"), "generator": ("tags",)}
        weights = {name: part.state_dict() for name, part in other.named_children()}
        for name, part in self.named_children():
            own, found = part.state_dict(), weights.get(name, {})
            if set(needed.get(name, ())) & set(self.config.steps):
                check_keys(path, own, found)
            fits = {key: value.shape for key, value in own.items()} == {
                key: value.shape for key, value in found.items()
            }
            if fits and (name != "editor" or "tags" in trained):
                part.load_state_dict(found)

    def train(self, mode: bool = True) -> TagGAN:
        """A frozen tagger stays in evaluation mode, or its running averages would move."""
        super().train(mode)
        self.tagger.train(mode and (self.config.joint or "tagger" in self.config.steps))
        return self

    def losses(self, phase: str, batch: Sample) -> Terms:
        if phase == "tagger":
            return self._tagger_losses(batch)
        if phase == "tags":
            return self._tag_losses(batch)
        with torch.set_grad_enabled(phase == "generator"):
            code, references = self.generator.encode(batch.sketch), self._training_references(batch)
            image = self.generator(code, references.memory)
        if phase == "generator":
            terms = generator_terms(self.config, batch, image, self.discriminator)
            return terms | self._attention_term(batch, code, references)
        assert self.discriminator is not None
        return critic_terms(batch, image, self.discriminator)

    def _attention_term(self, batch: Sample, code: SketchCode, references: References) -> Terms:
        """What the receiving block looks at, mean over its heads, against the parts that are there."""
        weight, attention = self.config.weights.attention, self.generator.attention
        if not weight or attention is None:
            return {}
        height, width = code.latent.shape[-2:]
        rows = attention.rows(code.latent, references.memory, torch.arange(height * width, device=code.latent.device))
        parts = batch.parts, batch.reference_parts
        return {"attention": weight * part_cross_entropy(rows, *parts, (height, width), references.grids[0])}

    def _tagger_losses(self, batch: Sample) -> Terms:
        targets = tag_targets(batch, self.config.tags)
        if self.tagger.training:
            self.tagger.count(*targets)
        reading, config = self.tagger(batch.reference), self.config
        terms = tagger_terms(config.weights, config.tagger.focus, reading.logits, targets, self.tagger.rarity())
        if reading.places is not None and config.weights.places:
            wanted = places(batch, place_words(config.tags), config.tagger.stride)
            terms["places"] = config.weights.places * places_loss(reading.places, wanted)
        return terms

    def _training_references(self, batch: Sample) -> References:
        """phi of the batch's references; without gradient if it is frozen, and 0 where there is none."""
        with torch.set_grad_enabled(self.config.joint and torch.is_grad_enabled()):
            return self._encode_present(batch.reference)

    def _tag_losses(self, batch: Sample) -> Terms:
        """Step 2 (equation 9): anchors with changed tags against targets."""
        with torch.no_grad():
            code = self.generator.encode(batch.sketch)
            anchor, target, wanted = self._edit_pairs(batch)
            received = self.generator.receive(code.latent, target.memory)
            image = self.generator.decode(received, code.skips, target.memory)
        features = self.editor(anchor.maps[0], anchor.values[0], wanted)
        edited = References((features,), (wanted,))
        edited_received = self.generator.receive(code.latent, edited.memory)
        edited_image = self.generator.decode(edited_received, code.skips, edited.memory)
        terms = hybrid_terms(self.config.weights, (image, edited_image), (received, edited_received))
        if self.config.weights.inversion and self.editor.omega is not None:
            change = self.editor.change(anchor.values[0], wanted)
            loss = inversion_loss(gap(target.maps[0]), gap(anchor.maps[0]), change)
            terms["inversion"] = self.config.weights.inversion * loss
        return terms

    def _edit_pairs(self, batch: Sample) -> tuple[References, References, Tensor]:
        """Anchor, target, and the tag values that should lead from one to the other (section 3.5)."""
        options, device = self.config.edits, batch.reference.device
        anchor = self._training_references(batch)
        is_asked = torch.rand(len(batch.sketch), device=device) < options.asked
        asked = ask(batch, self.config.tags)
        pictures = torch.where(is_asked[:, None, None, None], asked.target, batch.reference.roll(1, 0))
        target = self._encode_present(pictures)
        no_anchor = ~is_asked & (torch.rand(len(batch.sketch), device=device) < options.no_anchor)
        anchor = self._without(anchor, absent=no_anchor)
        asked_values = set_tags(anchor.values[0], asked.wanted, asked.is_wanted, self._groups(device))
        return anchor, target, torch.where(is_asked[:, None], asked_values, target.values[0])

    # --------------------------------------------------------------------------------------------------- coloring

    def _encode(self, image: Tensor) -> References:
        reading = self.tagger(image)
        return References((reading.features,), (reading.probabilities,))

    def _encode_present(self, image: Tensor) -> References:
        """The same, but nothing where a picture is 0 everywhere: that means "no reference" (`Sample`)."""
        return self._without(self._encode(image), absent=(image == 0).flatten(1).all(1))

    def _without(self, references: References, absent: Tensor) -> References:
        """Zeros, features and tags, where `absent` ``(B,)``: no reference."""
        present = (~absent).to(references.maps[0].dtype)
        maps = tuple(features * present[:, None, None, None] for features in references.maps)
        return References(maps, tuple(values * present[:, None] for values in references.values))

    def _groups(self, device: torch.device) -> Tensor:
        return tag_columns(self.tags).group.to(device)

    def encode_sketch(self, sketch: Tensor) -> SketchCode:
        return self.generator.encode(sketch)

    def encode_references(self, references: Sequence[Tensor], like: Tensor) -> References:
        """phi of every reference; without one, a single position of zeros that has no tags."""
        if references:
            found = [self._encode(reference) for reference in references]
            return References(tuple(one.maps[0] for one in found), tuple(one.values[0] for one in found))
        nothing = like.new_zeros(len(like), self.tagger.num_features, 1, 1)
        return References((nothing,), (like.new_zeros(len(like), len(self.config.tags)),))

    def read_tags(self, image: Tensor) -> Tensor:
        """How sure the tagger is of each tag in pictures ``(B, 3, H, W)``: ``(B, T)`` in 0…1."""
        return self.tagger(image).probabilities

    def check_guidance(self, guidance: Guidance) -> None:
        if guidance.tags and not self.takes:
            raise InputError("these weights have learned colors, but not tags yet: use weights of step 2 (--model)")
        super().check_guidance(guidance)
        for tag, _ in guidance.tags:
            find_tag(tag, self.tags)

    def paint(self, sketch_code: SketchCode, reference_code: References, noise: Noise, guidance: Guidance) -> Output:
        """Draws no random numbers: `noise` is ignored."""
        references = self.edited(reference_code, guidance.tags) if guidance.tags else reference_code
        memory, latent = references.memory, sketch_code.latent
        image = self.generator(sketch_code, memory)
        attention = self.generator.attention
        if attention is None:
            return Output(image)
        grid = (latent.shape[-2], latent.shape[-1])
        return Output(image, Attention(lambda queries: attention.rows(latent, memory, queries), grid, references.grids))

    def edited(self, references: References, tags: Sequence[tuple[str, float]]) -> References:
        """The references after tags of all of them were set (equation 10)."""
        device = references.maps[0].device
        wanted = torch.zeros(1, len(self.tags), device=device)
        is_wanted = torch.zeros(1, len(self.tags), dtype=torch.bool, device=device)
        for tag, value in tags:
            position = self.tags.index(find_tag(tag, self.tags))
            wanted[:, position], is_wanted[:, position] = value, True
        groups = self._groups(device)
        values = tuple(set_tags(value, wanted, is_wanted, groups) for value in references.values)
        changed = zip(references.maps, references.values, values, strict=True)
        return References(tuple(self.editor(*one) for one in changed), values)
