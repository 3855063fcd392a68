"""CNF as a system: how it is trained, how it colors and how it undoes what it did (Pi 2023, section 3.1.2)."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from irodori.data.sample import Sample
from irodori.errors import ConfigError
from irodori.image import pad_reference, pad_sketch
from irodori.losses.correspondence import part_cross_entropy
from irodori.systems.base import EXACT, Attention, Guidance, Inputs, Noise, Output, Phase, System
from irodori.systems.cnf.config import CNFConfig
from irodori.systems.cnf.layers import InvertibleConv, OrthogonalDownsampling
from irodori.systems.cnf.losses import Terms, flow_terms
from irodori.systems.cnf.networks import Conditions, CouplingBlock, Encoded, Flow


class References(NamedTuple):
    """Encoded references: `Conditions`, and the sizes of their deepest features."""

    conditions: Conditions
    grids: tuple[tuple[int, int], ...]


class CNF(System):
    """A flow encodes the sketch, the inverse of another decodes it as a color image; both see the reference."""

    name: ClassVar[str] = "cnf"
    config_type: ClassVar[type] = CNFConfig

    def __init__(self, config: CNFConfig) -> None:
        super().__init__(config)
        self.config: CNFConfig = config
        self.color_flow = Flow(config)  # INN_c
        self.sketch_flow = Flow(config)  # INN_s
        # With the same rotations one undoes the other before training, up to the moments of sketches and color images.
        for color, sketch in zip(self.color_flow.modules(), self.sketch_flow.modules(), strict=True):
            if isinstance(color, InvertibleConv):
                sketch.load_state_dict(color.state_dict())

    @property
    def size_multiple(self) -> int:  # type: ignore[override]
        """Sides of network images are multiples of the deepest features' cells."""
        return self.config.stride

    def phases(self) -> tuple[Phase, ...]:
        """Both flows at once."""
        return (Phase("flows", tuple(self.parameters())),)

    def losses(self, phase: str, batch: Sample) -> Terms:
        if not self.color_flow.is_fitted:  # coloring needs the last block's inverse alone
            with torch.no_grad():
                self.color_flow(batch.reference)
        conditions = self.encode_references([batch.reference], batch.sketch).conditions
        encoded = self.sketch_flow(_three(batch.sketch), conditions)
        image = self.color_flow.inverse(encoded.latent, conditions)
        terms = flow_terms(self.config.weights, batch, image, self.loss_features())
        if self.config.weights.attention and self.config.aggregation == "fam":
            terms["attention"] = self.config.weights.attention * self._part_entropy(batch, encoded, conditions)
        return terms

    def _part_entropy(self, batch: Sample, encoded: Encoded, conditions: Conditions) -> Tensor:
        """How far INN_s looks at other parts of the reference than its own, mean over its blocks."""
        grid = (encoded.latent.shape[-2], encoded.latent.shape[-1])
        queries = torch.arange(grid[0] * grid[1], device=encoded.latent.device)
        rows = self._rows(encoded, conditions, queries).flatten(0, 1)
        parts, shown = (
            found.repeat(len(self.sketch_flow.blocks), 1, 1) for found in (batch.parts, batch.reference_parts)
        )
        return part_cross_entropy(rows, parts, shown, grid, grid)

    # --------------------------------------------------------------------------------------------------- coloring

    def encode_sketch(self, sketch: Tensor) -> Tensor:
        """The part of INN_s that no reference enters."""
        return self.sketch_flow.encode_stem(_three(sketch))[0]

    def encode_references(self, references: Sequence[Tensor], like: Tensor) -> References:
        """``{F_i^c}`` of each reference; without one, those of a zero-filled one."""
        images = list(references) or [like.new_zeros(len(like), 3, *like.shape[-2:])]
        if self.config.aggregation == "none":
            return References([[] for _ in self.color_flow.blocks], ())
        found = [self.color_flow.features(image) for image in images]
        grids = tuple((features[0].shape[-2], features[0].shape[-1]) for features in found)
        return References(list(zip(*found, strict=True)), grids)

    def paint(self, sketch_code: Tensor, reference_code: References, noise: Noise, guidance: Guidance) -> Output:
        """``I = INN_c⁻¹(INN_s(S, {F_i^c}), {F_i^c})``; draws no random numbers and takes no guidance."""
        conditions, grids = reference_code
        encoded = self.sketch_flow.encode(sketch_code, conditions)
        image = self.color_flow.inverse(encoded.latent, conditions)
        return Output(image.float().clamp(-1, 1), self._attention(encoded, conditions, grids))

    def _attention(
        self, encoded: Encoded, conditions: Conditions, grids: tuple[tuple[int, int], ...]
    ) -> Attention | None:
        """Spatial attention of the sketch's features, mean over the blocks of INN_s."""
        if self.config.aggregation != "fam" or not grids:
            return None
        return Attention(
            lambda queries: self._rows(encoded, conditions, queries).mean(0).float(),
            (encoded.latent.shape[-2], encoded.latent.shape[-1]),
            grids,
        )

    def _rows(self, encoded: Encoded, conditions: Conditions, queries: Tensor) -> Tensor:
        """Rows of the spatial attention of each block of INN_s, ``(blocks, B, n, K)``."""
        blocks = [block for block in self.sketch_flow.blocks if isinstance(block, CouplingBlock)]
        found = zip(blocks, encoded.features, conditions, strict=True)
        return torch.stack([block.attention_rows(x, given, queries) for block, x, given in found])

    def for_graphs(self) -> CNF:
        """In the precision of its weights, and with the matrices that they make kept."""
        copy = deepcopy(self)
        copy.color_flow.is_exact = copy.sketch_flow.is_exact = False
        for layer in copy.modules():
            if isinstance(layer, (InvertibleConv, OrthogonalDownsampling)):
                layer.settle()
        return copy

    # -------------------------------------------------------------------------------------------------- exactness

    def round_trip_error(self, inputs: Inputs) -> float:
        """The larger error of sketch → latent → sketch with INN_s and color → latent → color with INN_c."""
        sketch = _three(pad_sketch(inputs.sketch, self.size_multiple))
        references = [pad_reference(reference, self.size_multiple) for reference in inputs.references]
        conditions = self.encode_references(references, sketch).conditions
        errors = [flow_error(self.sketch_flow, sketch, conditions)]
        for reference in references:
            own = self.encode_references([reference], sketch).conditions
            errors.append(flow_error(self.color_flow, reference, own))
        return float(torch.tensor(errors).max())  # unlike Python's, NaN if any is

    @torch.no_grad()
    def health(self, batch: Sample) -> dict[str, float]:
        """Exactness on the first pair of a batch, and the worst condition number of the 1x1 convolutions.

        Raises ConfigError when the flows no longer find back.
        """
        was_training = self.training
        self.eval()
        error = self.round_trip_error(Inputs(batch.sketch[:1], (batch.reference[:1],)))
        self.train(was_training)
        conditions = {name: m.condition() for name, m in self.named_modules() if isinstance(m, InvertibleConv)}
        worst = max(conditions, key=lambda name: conditions[name])
        if not error <= EXACT:
            raise ConfigError(
                f"cnf: the flows lost their inverse: a round trip differs by {error:.2g} (largest condition number: "
                f"{conditions[worst]:.2g} in {worst}); start a new --run with a lower training.learning_rate"
            )
        return {"round_trip": error, "condition": conditions[worst]}


def flow_error(flow: Flow, image: Tensor, conditions: Conditions) -> float:
    """Largest absolute difference between an image and ``inverse(forward(image))``; NaN when that is not finite."""
    back = flow.inverse(flow(image, conditions).latent, conditions)
    return float((back - image).abs().max())


def _three(sketch: Tensor) -> Tensor:
    """A sketch as a gray color image: the flows have the channels of color images."""
    return sketch.expand(-1, 3, -1, -1)
