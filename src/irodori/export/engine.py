"""What computes a coloring: torch, or ONNX Runtime where that is faster (docs/export.md has the figures)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from irodori.errors import InputError
from irodori.export import store
from irodori.export.graphs import PARTS
from irodori.export.onnx_files import export_system
from irodori.export.runtime import Session, import_onnxruntime, is_installed
from irodori.systems.base import Attention, Guidance, Noise, Output, System

ENGINES = ("auto", "torch", "onnxruntime")

FASTER = frozenset({"scft", "cnf"})
"""Systems that ONNX Runtime computes faster than torch at the size of their shipped weights (docs/export.md)."""

Say = Callable[[str], None]


def choose_engine(name: str, system: System, weights_hash: str, device: torch.device, say: Say) -> System | OnnxEngine:
    """The engine of a name for a system with weights of that hash.

    auto: ONNX Runtime for `FASTER` systems on a CPU, once graphs of these weights are there, because making them takes
    longer than many drawings; else torch, which is the system itself.  say: is told beforehand of what takes long.
    Raises InputError for what the engine cannot do, MissingPackageError where it is not installed.
    """
    check_engine(name)
    if name == "onnxruntime":
        _check_fits(system, device)
        import_onnxruntime()
        return OnnxEngine(system, prepare_graphs(system, weights_hash, say))
    if name == "auto" and system.name in FASTER and device.type == "cpu" and is_installed():
        graphs = store.read(weights_hash)
        return OnnxEngine(system, graphs) if graphs else system
    return system


def check_engine(name: str) -> None:
    """InputError for an engine that does not exist."""
    if name not in ENGINES:
        raise InputError(f"unknown engine {name!r}: use one of {', '.join(ENGINES)}")


def prepare_graphs(system: System, weights_hash: str, say: Say = lambda sentence: None) -> dict[str, bytes]:
    """The graphs of a system, from the user's cache; made and put there if they are missing or damaged."""
    graphs = store.read(weights_hash)
    if graphs is None:
        say(f"preparing {system.name} for onnxruntime, once for these weights; this takes a while")
        graphs = {name: one.data for name, one in export_system(system, {}, in_parts=True).items()}
        store.write(weights_hash, graphs, say)
    return graphs


def _check_fits(system: System, device: torch.device) -> None:
    if device.type != "cpu":
        raise InputError("the engine onnxruntime computes on the CPU: use the device cpu, or the engine torch")
    if any(parameter.dtype != torch.float32 for parameter in system.parameters()):
        raise InputError("the engine onnxruntime computes with 32-bit numbers: leave out half, or use the engine torch")


@dataclass
class Given:
    """Pictures for one of the encoders, and what either engine made of them, once it was asked for."""

    pictures: Sequence[Tensor]
    like: Tensor | None = None
    in_torch: Any = None
    in_graph: dict[str, NDArray[np.float32]] | None = field(default=None)


class OnnxEngine:
    """Colors as its system does, of whose contract it has the three steps, with graphs for what they can do.

    The graphs take one reference and no guidance; hints, palettes, tags, parts, other numbers of references, and maps
    of attention are computed by torch, from the same pictures.  Encodings are made when they are needed, and kept.
    """

    def __init__(self, system: System, graphs: dict[str, bytes]) -> None:
        """graphs: of `PARTS`.  Raises WeightsError for damaged ones."""
        self.system = system
        self._sketches, self._references, self._paint = (Session(graphs[name]) for name in PARTS)

    def encode_sketch(self, sketch: Tensor) -> Given:
        return Given((sketch,))

    def encode_references(self, references: Sequence[Tensor], like: Tensor) -> Given:
        return Given(tuple(references), like)

    def paint(self, sketch_code: Given, reference_code: Given, noise: Noise, guidance: Guidance) -> Output:
        if guidance.kinds or len(reference_code.pictures) != 1:
            return self._painted_by_torch(sketch_code, reference_code, noise, guidance)
        if sketch_code.in_graph is None:
            sketch_code.in_graph = self._sketches({"sketch": sketch_code.pictures[0].numpy()})
        if reference_code.in_graph is None:
            reference_code.in_graph = self._references({"reference": reference_code.pictures[0].numpy()})
        found = self._paint(sketch_code.in_graph | reference_code.in_graph)
        maps = {name: torch.from_numpy(values) for name, values in found.items()}
        return Output(**maps, attention=self._attention(sketch_code, reference_code, noise))

    @torch.inference_mode()
    def _painted_by_torch(self, sketch: Given, references: Given, noise: Noise, guidance: Guidance) -> Output:
        if sketch.in_torch is None:
            sketch.in_torch = self.system.encode_sketch(sketch.pictures[0])
        if references.in_torch is None:
            assert references.like is not None
            references.in_torch = self.system.encode_references(references.pictures, references.like)
        return self.system.paint(sketch.in_torch, references.in_torch, noise, guidance)

    def _attention(self, sketch: Given, references: Given, noise: Noise) -> Attention | None:
        """What torch looks at; computed when rows are asked for, which is seldom."""
        if not self._strides:
            return None
        made: list[Attention] = []

        @torch.inference_mode()
        def rows(queries: Tensor) -> Tensor:
            if not made:
                attention = self._painted_by_torch(sketch, references, noise, Guidance()).attention
                assert attention is not None
                made.append(attention)
            return made[0].rows(queries)

        of_sketch, of_reference = self._strides
        grids = tuple(_grid(picture, of_reference) for picture in references.pictures)
        return Attention(rows, _grid(sketch.pictures[0], of_sketch), grids)

    @cached_property
    def _strides(self) -> tuple[int, ...]:
        """Pixels for each position of the attention, of sketch and reference; empty without attention."""
        return tuple(map(int, self._paint.metadata["attention_strides"].split()))


def _grid(picture: Tensor, stride: int) -> tuple[int, int]:
    return picture.shape[-2] // stride, picture.shape[-1] // stride
