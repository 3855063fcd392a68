"""The contract that every colorization system signs; `tests/systems/` holds each of them to it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from irodori.checkpoint import check_keys
from irodori.data.sample import Sample
from irodori.errors import ConfigError, InputError
from irodori.image import pad_mask, pad_reference, pad_sketch
from irodori.nn.features import Features
from irodori.systems.text import TextEdit

EXACT = 1e-5
"""A sketch that was encoded and decoded again, on [-1, 1], is the same up to this much, or the way back is broken."""


@dataclass(frozen=True)
class Inputs:
    """What a coloring starts from, in the internal form (`irodori.image`).

    sketch: ``(B, 1, H, W)``, lines -1, paper +1.
    references: any number of ``(B, 3, h, w)`` color images in [-1, 1]; empty means "no reference".
    guidance: what the artist asks for beside the pictures.
    """

    sketch: Tensor
    references: tuple[Tensor, ...] = ()
    guidance: Guidance = field(default_factory=lambda: Guidance())


@dataclass(frozen=True)
class Guidance:
    """What the artist asks for beside the pictures; a system takes the kinds in its `System.takes`.

    hints: ``(B, N, 5)``, each ``x, y`` in pixels of the network's sketch and the ``r, g, b`` wanted there, in [-1, 1].
    palette: ``(B, M, 3)`` colors in [-1, 1] to choose from, without a place.
    uses: for each reference the part names that it is for, such as ``("hair",)``; an empty one: for all parts that no
        other reference names.
    tags: names and values, such as ``("red_hair", 1.0)``: 0 = not at all, 1 = as in a picture that shows it.
    text: edits in words of what the references show, in this order.
    masks: what is foreground, so that backgrounds are matched with backgrounds.
    sampling: how to draw, for systems that do so step by step.
    """

    hints: Tensor | None = None
    palette: Tensor | None = None
    uses: tuple[tuple[str, ...], ...] = ()
    tags: tuple[tuple[str, float], ...] = ()
    text: tuple[TextEdit, ...] = ()
    masks: Masks | None = None
    sampling: Sampling | None = None

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of guidance given."""
        given = {
            "hints": self.hints is not None,
            "palette": self.palette is not None,
            "uses": any(self.uses),
            "tags": bool(self.tags),
            "text": bool(self.text),
            "masks": self.masks is not None,
            "sampling": self.sampling is not None,
        }
        return frozenset(kind for kind, is_given in given.items() if is_given)


@dataclass(frozen=True)
class Masks:
    """Foregrounds, 0…1: ``(B, 1, H, W)`` of the network's sketch, ``(B, 1, h, w)`` of the first reference.

    sketch_threshold, reference_threshold: what lies over them is foreground.
    """

    sketch: Tensor
    reference: Tensor
    sketch_threshold: float = 0.05
    reference_threshold: float = 0.5


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How a system that paints step by step, from noise, does so; None: as the model was made for.

    num_steps: more are slower and finer.  guidance_scale: how far the reference is followed, 1 = no further than in
    training.  sketch_scale: the same of the sketch.  reference_strength: below 1 the reference counts less.  sampler:
    the solver's name.
    """

    num_steps: int | None = None
    guidance_scale: float | None = None
    sketch_scale: float | None = None
    reference_strength: float | None = None
    sampler: str | None = None


@dataclass(frozen=True)
class Noise:
    """One seed per image, so that an image is the same alone, in any batch and on any device."""

    seeds: tuple[int, ...]

    def generators(self) -> list[torch.Generator]:
        """A fresh generator per seed, on the CPU, for systems that draw more than once."""
        return [torch.Generator().manual_seed(seed) for seed in self.seeds]

    def normal(self, shape: tuple[int, ...], device: torch.device) -> Tensor:
        """One independent normal draw per seed: ``(len(seeds), *shape)``."""
        draws = [torch.randn(shape, generator=generator) for generator in self.generators()]
        return torch.stack(draws).to(device)


@dataclass(frozen=True)
class Attention:
    """A learned attention map: how much each sketch position took from each reference position.

    rows: the rows of the given query positions, ``(n,)`` to ``(B, n, K)``, each of sum 1; computed when asked for,
        because the whole map of a large picture is larger than all else.  Queries are positions of `sketch_grid`
        (row-major), keys those of all `reference_grids`, one after the other.
    """

    rows: Callable[[Tensor], Tensor]
    sketch_grid: tuple[int, int]
    reference_grids: tuple[tuple[int, int], ...]

    @classmethod
    def of(
        cls, weights: Tensor, sketch_grid: tuple[int, int], reference_grids: tuple[tuple[int, int], ...]
    ) -> Attention:
        """An attention whose whole map ``(B, Q, K)`` is there already."""
        return cls(lambda queries: weights[:, queries], sketch_grid, reference_grids)

    @property
    def weights(self) -> Tensor:
        """The whole map, ``(B, Q, K)``."""
        return self.rows(torch.arange(self.sketch_grid[0] * self.sketch_grid[1]))


@dataclass(frozen=True)
class Output:
    """A coloring at network size: ``image (B, 3, H, W)`` in [-1, 1], and what the system can tell about it.

    warped_reference: ``(B, 3, H, W)``, the references' colors brought to their places, before any refinement.
    confidence: ``(B, 1, H, W)`` in 0…1, how much of a pixel's color comes from a reference or from guidance.
    """

    image: Tensor
    attention: Attention | None = None
    warped_reference: Tensor | None = None
    confidence: Tensor | None = None
    log_prob: Tensor | None = None


@dataclass(frozen=True)
class Phase:
    """Parameters that are trained together, in one optimizer step.

    name: passed to `System.losses`.
    parameters: what moves; everything else is frozen meanwhile.
    learning_rate_scale: factor on the recipe's learning rate (SCFT: 2 for the discriminator).
    """

    name: str
    parameters: tuple[nn.Parameter, ...]
    learning_rate_scale: float = 1.0


class System(nn.Module, ABC):
    """A colorization method: its networks, its losses and its way to color.

    MUST: build from its config alone; be deterministic given `noise`; keep frozen parts out of every phase; accept
    any input size from 17x31 up; work without a reference.
    CAN: return attention, warped reference, confidence, log-probability; take guidance; read tags; watch over itself
    (`health`, `round_trip_error`).

    `colorize` is `paint(encode_sketch(...), encode_references(...))`; the halves are separate so that an interactive
    user pays for an encoding once.  Sketches have sizes that are multiples of `size_multiple`, and so have references,
    unless `keeps_references`.
    """

    name: ClassVar[str]
    config_type: ClassVar[type]
    size_multiple: ClassVar[int]
    draws_lines: ClassVar[bool] = True  # False: `Output.image` is a color layer, on which lines are composited
    takes: ClassVar[frozenset[str]] = frozenset()  # kinds of `Guidance` that it understands
    keeps_references: ClassVar[bool] = False  # True: references come as they are, neither scaled nor padded
    is_large: ClassVar[bool] = False  # True: can work in 16 bit, and part by part
    is_feed_forward: ClassVar[bool] = True  # False: paints in steps, with random numbers; no graph holds it

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.config = config
        self._frozen_features: list[Features] = []  # in a list: no submodule, so that no weight file holds it

    @property
    def frozen_features(self) -> Features | None:
        """The frozen feature network of the perceptual losses, once `use_features` has given one."""
        return self._frozen_features[0] if self._frozen_features else None

    def start_from(self, path: Path, other: System) -> None:
        """Takes the weights of another run, read from `path`, to train further; WeightsError if they do not fit."""
        weights = other.state_dict()
        check_keys(path, self.state_dict(), weights)
        self.load_state_dict(weights)

    def use_features(self, features: Features) -> None:
        """Gives the system a frozen feature network for training; it is neither trained nor saved."""
        self._frozen_features = [features]

    def loss_features(self) -> Features | None:
        """The frozen network for the losses, None where none needs it; ConfigError where it was not given."""
        if not self.config.needs_features:
            return None
        if self.frozen_features is None:
            raise ConfigError(
                f"the perceptual losses need the {self.config.features} weights: give --features FILE, or set the "
                "weights of these losses (system.weights) to 0"
            )
        return self.frozen_features

    @property
    def device(self) -> torch.device:
        """Where its inputs belong."""
        return next(self.parameters()).device

    def place(self, device: torch.device, *, offload: bool = False) -> None:
        """Moves it to a device; offload: large systems, parts of it only while they work, for little memory."""
        assert not offload
        self.to(device)

    @classmethod
    def takes_with(cls, config: Any) -> frozenset[str]:
        """`takes` of a system with a configuration; CAN: depend on it."""
        return cls.takes

    @classmethod
    def memory(cls, config: Any, size: tuple[int, int], dtype: torch.dtype, *, offload: bool = False) -> int | None:
        """Bytes of GPU memory for pictures of ``(height, width)`` pixels, known before loading; None: little."""
        return None

    @property
    def image_size(self) -> int:
        """Longest side, in pixels, at which the network does its best work (its training size)."""
        return int(self.config.image_size)

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags that it knows, in the order of `read_tags`; none in a system that does not take them."""
        return ()

    def read_tags(self, image: Tensor) -> Tensor:
        """How sure it is of each of its tags in pictures ``(B, 3, H, W)``: ``(B, len(tags))`` in 0…1.

        Sides are multiples of `size_multiple`.  Only of systems that have `tags`.
        """
        raise NotImplementedError(self.name)

    @abstractmethod
    def phases(self) -> tuple[Phase, ...]:
        """Who is trained together, in the order of one training step."""

    @abstractmethod
    def losses(self, phase: str, batch: Sample) -> dict[str, Tensor]:
        """The weighted loss terms of a phase, named as in the paper; their sum is minimized.

        Terms whose name starts with an underscore are only logged.
        """

    @abstractmethod
    def encode_sketch(self, sketch: Tensor) -> Any:
        """All that `paint` needs of the sketch ``(B, 1, H, W)``."""

    @abstractmethod
    def encode_references(self, references: Sequence[Tensor], like: Tensor) -> Any:
        """All that `paint` needs of the references; `like`: the sketch, for batch and device if there are none."""

    @abstractmethod
    def paint(self, sketch_code: Any, reference_code: Any, noise: Noise, guidance: Guidance) -> Output:
        """The coloring from the two encodings; kinds of guidance that are not in `takes` are never given."""

    def colorize(self, inputs: Inputs, noise: Noise | None = None) -> Output:
        """Colors sketches of any size from 17x31 up; the output has the sketch's size.

        Raises InputError for guidance that the system does not take.
        """
        self.check_guidance(inputs.guidance)
        noise = noise or Noise(tuple(range(len(inputs.sketch))))
        height, width = inputs.sketch.shape[-2:]
        sketch = pad_sketch(inputs.sketch, self.size_multiple)
        references = [pad_reference(reference, self._reference_multiple) for reference in inputs.references]
        codes = self.encode_sketch(sketch), self.encode_references(references, like=sketch)
        output = self.paint(*codes, noise, self._padded(inputs.guidance))
        maps = {
            name: value[..., :height, :width]
            for name in ("image", "warped_reference", "confidence")
            if (value := getattr(output, name)) is not None
        }
        return replace(output, **maps)

    def _padded(self, guidance: Guidance) -> Guidance:
        """Masks are padded with the pictures that they belong to."""
        if guidance.masks is None:
            return guidance
        sketch = pad_mask(guidance.masks.sketch, self.size_multiple)
        reference = pad_mask(guidance.masks.reference, self._reference_multiple)
        return replace(guidance, masks=replace(guidance.masks, sketch=sketch, reference=reference))

    @property
    def _reference_multiple(self) -> int:
        return 1 if self.keeps_references else self.size_multiple

    def for_graphs(self) -> System:
        """A system that paints the same, of operations that `irodori.export` has: itself, or a changed copy.

        In its codes are tensors, in tuples, lists and dataclasses; all else in them serves attention alone.
        """
        return self

    def health(self, batch: Sample) -> dict[str, float]:
        """Figures beside the losses that the training loop logs; ConfigError when going on would be in vain."""
        return {}

    def round_trip_error(self, inputs: Inputs) -> float | None:
        """Largest difference between a sketch and what comes back after encoding and decoding it, on [-1, 1].

        None for systems that keep no exact way back.
        """
        return None

    def check_guidance(self, guidance: Guidance) -> None:
        """InputError, naming what takes it, for guidance of a kind that the system does not take."""
        foreign = sorted(guidance.kinds - self.takes)
        if foreign:
            raise self.refusal(foreign[0])

    def refusal(self, kind: str) -> InputError:
        """The error for a kind of guidance that is not in `takes`."""
        words = {"text": "edits in words", "sampling": "steps or guidance scales"}
        drawn = kind in ("text", "masks", "sampling")
        other = "a model of the system colorizediffusion" if drawn else "the model irodori-base"
        return InputError(f"the system {self.name} takes no {words.get(kind, kind)}: leave it out, or use {other}")

    def name_parts(self, sketch_code: Any) -> Tensor:
        """How sure each cell of a sketch is to be each of `PART_NAMES`: ``(B, 20, h, w)``, with a sum of 1.

        Raises InputError in systems that were not taught part names.
        """
        raise InputError(f"the system {self.name} was not taught part names: use the model irodori-base")

    def text_fit(self, reference_code: Any, prompts: Sequence[str]) -> Tensor:
        """How far the places of the first reference go in the direction of prompts: ``(len(prompts), h, w)``.

        Raises InputError in a system that does not take text.
        """
        raise self.refusal("text")

    def forward(self, phase: str, batch: Sample) -> dict[str, Tensor]:
        """The losses; the training loop calls the module so that distributed wrappers see the call."""
        return self.losses(phase, batch)
