"""The computations of a system as modules with tensors in and tensors out, which is all that a graph can have."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

from torch import Tensor, nn

from irodori.systems.base import Guidance, Noise, Output, System

NO_NOISE = Noise((0,))
"""Feed-forward systems draw no random numbers."""

PARTS = ("encode_sketch", "encode_references", "paint")
"""The steps of `System.colorize`, as graphs of their own."""


@dataclass(frozen=True)
class Graph:
    """One graph to export: a module that takes `inputs`, by name, and returns a list of what `outputs` names."""

    module: nn.Module
    inputs: Mapping[str, Tensor]
    outputs: tuple[str, ...]


def whole(system: System, sketch: Tensor, references: Sequence[Tensor]) -> Graph:
    """From sketch ``(1, 1, H, W)`` and references ``(1, 3, h, w)`` to pictures, all at once."""
    module = Whole(system)
    return Graph(module, {"sketch": sketch, **_named(references)}, tuple(module.pictures(sketch, *references)))


def parts(system: System, sketch: Tensor, references: Sequence[Tensor]) -> dict[str, Graph]:
    """The same in three steps, `PARTS`, so that an encoding is paid for once.

    What the encoders give has names that start with `sketch_code` and `reference_code`, and goes into "paint" as it is.
    """
    codes = system.encode_sketch(sketch), system.encode_references(references, like=sketch)
    painter = Painter(system, *codes)
    of_sketch, of_references = tensors_of(codes[0], "sketch_code"), tensors_of(codes[1], "reference_code")
    given = of_sketch | of_references
    return {
        "encode_sketch": Graph(SketchEncoder(system), {"sketch": sketch}, tuple(of_sketch)),
        "encode_references": Graph(ReferenceEncoder(system), _named(references), tuple(of_references)),
        "paint": Graph(painter, given, tuple(painter.pictures(*given.values()))),
    }


def _named(references: Sequence[Tensor]) -> dict[str, Tensor]:
    """`reference`, or `reference_1`, `reference_2` …"""
    if len(references) == 1:
        return {"reference": references[0]}
    return {f"reference_{number}": reference for number, reference in enumerate(references, 1)}


class Whole(nn.Module):
    """Sketch and references to pictures."""

    def __init__(self, system: System) -> None:
        super().__init__()
        self.system = system

    def pictures(self, sketch: Tensor, *references: Tensor) -> dict[str, Tensor]:
        codes = self.system.encode_sketch(sketch), self.system.encode_references(references, like=sketch)
        return pictures_of(self.system.paint(*codes, NO_NOISE, Guidance()))

    def forward(self, *given: Tensor) -> list[Tensor]:
        return list(self.pictures(*given).values())


class SketchEncoder(nn.Module):
    """A sketch to the tensors of its code."""

    def __init__(self, system: System) -> None:
        super().__init__()
        self.system = system

    def forward(self, *given: Tensor) -> list[Tensor]:
        return list(tensors_of(self.system.encode_sketch(given[0])).values())


class ReferenceEncoder(nn.Module):
    """References to the tensors of their code."""

    def __init__(self, system: System) -> None:
        super().__init__()
        self.system = system

    def forward(self, *given: Tensor) -> list[Tensor]:
        return list(tensors_of(self.system.encode_references(given, like=given[0])).values())


class Painter(nn.Module):
    """The tensors of both codes to pictures; what else codes hold serves attention alone, and stays as it is here."""

    def __init__(self, system: System, sketch_code: Any, reference_code: Any) -> None:
        super().__init__()
        self.system = system
        self.codes = (sketch_code, reference_code)

    def pictures(self, *tensors: Tensor) -> dict[str, Tensor]:
        sketch_code, reference_code = with_tensors(self.codes, tensors)
        return pictures_of(self.system.paint(sketch_code, reference_code, NO_NOISE, Guidance()))

    def forward(self, *given: Tensor) -> list[Tensor]:
        return list(self.pictures(*given).values())


def pictures_of(output: Output) -> dict[str, Tensor]:
    """What a graph gives, by name: the picture, and the maps that the system tells."""
    given = {name: getattr(output, name) for name in ("image", "warped_reference", "confidence")}
    return {name: value for name, value in given.items() if value is not None}


def tensors_of(code: Any, name: str = "") -> dict[str, Tensor]:
    """The tensors in nested tuples, lists and dataclasses, by their paths, such as ``sketch_code.skips.0``.

    >>> from torch import zeros
    >>> list(tensors_of(([zeros(1)], zeros(2), 3), "code"))
    ['code.0.0', 'code.1']
    """
    return dict(_walk(code, name))


def with_tensors(code: Any, tensors: Sequence[Tensor]) -> Any:
    """The same structure with other tensors, in the order of `tensors_of`."""
    following = iter(tensors)
    return _replaced(code, lambda: next(following))


def _walk(code: Any, path: str) -> Iterator[tuple[str, Tensor]]:
    if isinstance(code, Tensor):
        yield path, code
    for name, value in _children(code):
        yield from _walk(value, f"{path}.{name}".removeprefix("."))


def _children(code: Any) -> list[tuple[str, Any]]:
    if is_dataclass(code):
        return [(field.name, getattr(code, field.name)) for field in fields(code)]
    if isinstance(code, (tuple, list)):
        return list(zip(getattr(code, "_fields", map(str, range(len(code)))), code, strict=True))
    return []


def _replaced(code: Any, take: Callable[[], Tensor]) -> Any:
    if isinstance(code, Tensor):
        return take()
    children = {name: _replaced(value, take) for name, value in _children(code)}
    if is_dataclass(code) and not isinstance(code, type):
        return replace(code, **children)
    if hasattr(code, "_fields"):
        return type(code)(**children)
    return type(code)(children.values()) if isinstance(code, (tuple, list)) else code
