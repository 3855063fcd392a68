"""Graphs compute what torch computes, at any size, and say what they are."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch

from exports import Stamp
from irodori.errors import InputError, MissingPackageError, WeightsError
from irodori.export import onnx_files
from irodori.export.onnx_files import Shape, export_system
from irodori.export.runtime import Session
from irodori.systems import SYSTEMS, build_system, preset
from irodori.systems.base import Inputs
from networks import picture

SMALLER = {
    "irodori": {"channels": (4, 8, 32), "refine_channels": 8},
    "cnf": {"num_downsamplings": 1, "num_ccb": 1},
}
"""What changes the size of a system's graph, not its kinds of operations."""


def lines(height: int, width: int) -> torch.Tensor:
    return torch.where(picture(height, width)[:, :1] > 0.5, -1.0, 1.0)


@pytest.fixture(scope="module")
def stamp() -> Stamp:
    return Stamp().eval().requires_grad_(False)


@pytest.fixture(scope="module")
def stamped(stamp: Stamp) -> bytes:
    return export_system(stamp, {"model": "mine", "license": "CC0-1.0"})["whole"].data


@pytest.mark.timeout(900)  # working out which sizes are possible takes long where other work goes on
@pytest.mark.parametrize("name", [name for name, system in SYSTEMS.items() if system.is_feed_forward])
def test_a_system_as_a_graph_gives_the_same_pictures_at_any_size(name: str):
    torch.manual_seed(0)
    system = build_system(name, replace(preset(f"{name}/tiny").system, **SMALLER.get(name, {})))
    system = system.eval().requires_grad_(False)
    graph = Session(export_system(system, {})["whole"].data)
    for sketch_size, reference_size in (((48, 80), (64, 32)), ((64, 32), (32, 112))):
        sketch, reference = lines(*sketch_size), picture(*reference_size, phase=1.0)
        found = graph({"sketch": sketch.numpy(), "reference": reference.numpy()})
        wanted = system.colorize(Inputs(sketch, (reference,)))
        for output in graph.outputs:
            assert found[output] == pytest.approx(getattr(wanted, output).numpy(), abs=1e-4), output
    assert graph.outputs[0] == "image"


def test_parts_are_the_whole(stamp: Stamp, stamped: bytes):
    parts = {name: Session(one.data) for name, one in export_system(stamp, {}, in_parts=True).items()}
    given = {"sketch": lines(24, 36).numpy(), "reference": picture(12, 20).numpy()}
    codes = parts["encode_sketch"](given) | parts["encode_references"](given)
    assert set(codes) == {"sketch_code.features", "reference_code.0"}
    wanted = Session(stamped)(given)
    for name, values in parts["paint"](codes).items():
        assert values == pytest.approx(wanted[name], abs=1e-6)


def test_a_graph_says_what_it_is(stamped: bytes):
    model = onnx.load_from_string(stamped)
    onnx.checker.check_model(model)
    told = {one.key: one.value for one in model.metadata_props}
    assert told["model"] == "mine"
    assert told["license"] == "CC0-1.0"
    assert told["attention_strides"] == "4 2"
    assert (told["system"], told["size"], told["size_multiple"], told["num_references"]) == ("stamp", "any", "4", "1")
    assert model.producer_name == "irodori"


@pytest.mark.parametrize("count", [0, 2])
def test_any_number_of_references(stamp: Stamp, count: int):
    graph = Session(export_system(stamp, {}, Shape(num_references=count))["whole"].data)
    references = [picture(16, 24 + 8 * number, phase=number) for number in range(count)]
    names = [f"reference_{number + 1}" for number in range(count)]
    assert graph.inputs == ("sketch", *names)
    given = {name: reference.numpy() for name, reference in zip(names, references, strict=True)}
    found = graph({"sketch": lines(32, 16).numpy(), **given})["image"]
    wanted = stamp.colorize(Inputs(lines(32, 16), tuple(references))).image
    assert found == pytest.approx(wanted.numpy(), abs=1e-5)


def test_a_fixed_size_takes_no_other(stamp: Stamp):
    graph = Session(export_system(stamp, {}, Shape(size=(32, 48)))["whole"].data)
    assert graph({"sketch": lines(32, 48).numpy(), "reference": picture(32, 48).numpy()})["image"].shape[2:] == (32, 48)
    with pytest.raises(Exception, match="invalid dimensions"):
        graph({"sketch": lines(32, 32).numpy(), "reference": picture(32, 48).numpy()})


class Drifting(Stamp):
    """In a graph it paints something else, as it asks whether it is exported."""

    def paint(self, *given):
        output = super().paint(*given)
        return replace(output, image=output.image * 0.5) if torch.compiler.is_exporting() else output


class Stepwise(Stamp):
    is_feed_forward = False


class Specialized(Stamp):
    """Works at the size of the first example alone."""

    def encode_sketch(self, sketch):
        return super().encode_sketch(sketch * torch.ones(sketch.shape[-1] if sketch.shape[-1] == 20 else 1))


def test_a_graph_that_computes_something_else_is_refused():
    with pytest.raises(InputError, match="whole of stamp differs from torch by .*: use torch"):
        export_system(Drifting().eval().requires_grad_(False), {})


def test_a_system_that_needs_a_fixed_size_says_so():
    with pytest.raises(InputError, match=r"stamp cannot be exported for all sizes at once .*: choose one with --size"):
        export_system(Specialized().eval().requires_grad_(False), {})


def test_what_has_no_graph_is_refused(stamp: Stamp):
    with pytest.raises(InputError, match="paints in many steps"):
        export_system(Stepwise(), {})
    with pytest.raises(InputError, match="30x44 is not in multiples of 4 pixels: use 32x44"):
        export_system(stamp, {}, Shape(size=(30, 44)))
    with pytest.raises(InputError, match="need a reference"):
        export_system(stamp, {}, Shape(num_references=0), in_parts=True)


def test_a_missing_exporter_is_named(stamp: Stamp, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(MissingPackageError, match=r"pip install 'irodori\[export\]'"):
        onnx_files.export_system(stamp, {})


def test_what_is_no_graph_is_refused():
    with pytest.raises(WeightsError, match="cannot be opened by onnxruntime"):
        Session(np.zeros(99, np.uint8).tobytes())
