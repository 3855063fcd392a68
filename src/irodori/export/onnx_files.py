"""Graphs as ONNX: exported by torch, compared with it, with all that a reader must know in their metadata."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import torch
from torch import Tensor

from irodori.checkpoint import Header
from irodori.errors import InputError, MissingPackageError
from irodori.export.graphs import NO_NOISE, Graph, parts, whole
from irodori.export.runtime import Session
from irodori.systems.base import Guidance, System

TOLERANCE = 1e-3
"""A graph may differ from torch by this much, on [-1, 1]: an eighth of a level of 8 bit."""

FORM = "float32, NCHW, RGB, sRGB in -1…1; sketch: one channel, lines -1, paper 1; confidence: 0…1"

# Sides of sketch and reference in cells of the system: no two numbers of cells are equal, and none is 1, because the
# exporter takes equal numbers for one and the same, and 1 for a constant.
EXAMPLES = (((4, 5), (6, 3)), ((3, 7), (2, 5)))


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What the graphs take.

    num_references: how many.  size: ``(height, width)`` of sketch and references in pixels; None: any, multiples of
    the system's cells.
    """

    num_references: int = 1
    size: tuple[int, int] | None = None


@dataclass(frozen=True)
class Exported:
    """An ONNX file, and the largest difference of what it computes to what torch computes, on [-1, 1]."""

    data: bytes
    difference: float


def export_system(
    system: System, about: Mapping[str, str], shape: Shape | None = None, *, in_parts: bool = False
) -> dict[str, Exported]:
    """A system as one graph, "whole", or as three, `irodori.export.graphs.PARTS`.

    about: goes into the metadata, beside what the graph takes.  Raises InputError for what cannot be exported, and
    MissingPackageError without the packages of the extra.
    """
    shape = shape or Shape()
    _check(system, shape, in_parts)
    _import_exporter()
    painting = system.for_graphs().eval()
    examples = [_graphs(painting, *_example(painting, shape, number), in_parts) for number in range(len(EXAMPLES))]
    found: dict[str, Exported] = {}
    for name, graph in examples[0].items():
        told = {**about, **_facts(system, shape), "graph": name}
        try:
            data = _to_onnx(graph, examples[1][name], told)
        except Exception as error:  # torch.export and torch.onnx raise errors of many kinds
            raise InputError(_refusal(system, shape, error)) from error
        found[name] = Exported(data, _difference(data, [example[name] for example in examples]))
        if not found[name].difference <= TOLERANCE:
            raise InputError(
                f"the graph {name} of {system.name} differs from torch by {found[name].difference:.2g}: use torch"
            )
    return found


def describe_weights(name: str, header: Header, weights_hash: str) -> dict[str, str]:
    """Metadata that tells which model a graph is made of, and under which license."""
    return {
        "model": name,
        "weights_sha256": weights_hash,
        "license": str(header.provenance.get("license", "not stated")),
        "provenance": json.dumps(header.provenance),
        "config": json.dumps(header.config),
    }


def _check(system: System, shape: Shape, in_parts: bool) -> None:
    """InputError for a system or a shape that has no graph."""
    if not system.is_feed_forward:
        raise InputError(f"the system {system.name} paints in many steps and is no single graph: use it with torch")
    if in_parts and not shape.num_references:
        raise InputError("graphs in parts need a reference to encode: export them for one, or the whole without any")
    if shape.size and any(side < 1 or side % system.size_multiple for side in shape.size):
        near = "x".join(str(max(1, -(-side // system.size_multiple)) * system.size_multiple) for side in shape.size)
        raise InputError(
            f"the size {shape.size[0]}x{shape.size[1]} is not in multiples of {system.size_multiple} pixels: use {near}"
        )


def _import_exporter() -> None:
    try:
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise MissingPackageError(
            f"exporting needs one more package ({error.name}): pip install 'irodori[export]'"
        ) from error


def _refusal(system: System, shape: Shape, error: Exception) -> str:
    reason = str(error).strip().split("\n")[0]
    if shape.size:
        return f"the system {system.name} cannot be exported ({reason}): use it with torch"
    return f"the system {system.name} cannot be exported for all sizes at once ({reason}): choose one with --size"


def _graphs(system: System, sketch: Tensor, references: Sequence[Tensor], in_parts: bool) -> dict[str, Graph]:
    with torch.no_grad():
        return parts(system, sketch, references) if in_parts else {"whole": whole(system, sketch, references)}


def _example(system: System, shape: Shape, number: int) -> tuple[Tensor, list[Tensor]]:
    """Random lines and colors of one of the sizes of `EXAMPLES`, or of the only size."""
    generator = torch.Generator().manual_seed(number)
    multiple = system.size_multiple
    sketch_cells, reference_cells = EXAMPLES[number]
    sizes = [tuple(side * multiple for side in sketch_cells)]
    for extra in range(shape.num_references):
        sizes.append((reference_cells[0] * multiple, (reference_cells[1] + 4 * extra) * multiple))
    sketch_size, *reference_sizes = [shape.size or size for size in sizes]
    sketch = torch.where(torch.rand(1, 1, *sketch_size, generator=generator) < 0.1, -1.0, 1.0)
    return sketch, [torch.rand(1, 3, *size, generator=generator) * 2 - 1 for size in reference_sizes]


def _to_onnx(graph: Graph, other: Graph, metadata: Mapping[str, str]) -> bytes:
    """The graph with every axis free that is of another length in `other`, the same graph at another size."""
    inputs = tuple(value.detach().clone(memory_format=torch.contiguous_format) for value in graph.inputs.values())
    free = tuple(
        {axis: torch.export.Dim.DYNAMIC for axis, side in enumerate(one.shape) if side != another.shape[axis]}
        for one, another in zip(inputs, other.inputs.values(), strict=True)
    )
    with _quiet(), torch.no_grad():
        exported = torch.export.export(
            graph.module.eval(), inputs, dynamic_shapes=(free,), strict=False,
            prefer_deferred_runtime_asserts_over_guards=True,
        )  # fmt: skip
        program: Any = torch.onnx.export(
            exported, dynamo=True, verbose=False, input_names=list(graph.inputs), output_names=list(graph.outputs)
        )
    model = program.model
    model.producer_name, model.producer_version = "irodori", version("irodori")
    model.metadata_props.update(metadata)
    return program.model_proto.SerializeToString()


def _facts(system: System, shape: Shape) -> dict[str, str]:
    """What a caller must know to feed the graph."""
    return {
        "irodori": version("irodori"),
        "system": system.name,
        "form": FORM,
        "num_references": str(shape.num_references),
        "size": f"{shape.size[0]}x{shape.size[1]}" if shape.size else "any",
        "size_multiple": str(system.size_multiple),
        "image_size": str(system.image_size),
        "attention_strides": _attention_strides(system),
    }


@torch.no_grad()
def _attention_strides(system: System) -> str:
    """Pixels for each position of the attention, of sketch and of references, as "4 8"; empty without attention."""
    sketch, references = _example(system, Shape(), 0)
    codes = system.encode_sketch(sketch), system.encode_references(references, like=sketch)
    attention = system.paint(*codes, NO_NOISE, Guidance()).attention
    if attention is None:
        return ""
    grids = attention.sketch_grid, attention.reference_grids[0]
    return " ".join(str(one.shape[-1] // grid[1]) for one, grid in zip((sketch, references[0]), grids, strict=True))


def _difference(data: bytes, graphs: Sequence[Graph]) -> float:
    """Between what ONNX Runtime and torch compute from the examples; NaN when something is not finite."""
    session = Session(data)
    worst = torch.zeros(())
    for graph in graphs:
        found = session({name: value.numpy() for name, value in graph.inputs.items()})
        with torch.no_grad():
            wanted = graph.module(*graph.inputs.values())
        for name, value in zip(graph.outputs, wanted, strict=True):
            worst = torch.maximum(worst, (torch.from_numpy(found[name]) - value).abs().max())
    return float(worst)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what the exporter tells its own developers."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "torch.export", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
