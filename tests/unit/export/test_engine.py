"""The engine onnxruntime colors as torch does, takes from torch what graphs cannot do, and looks after its cache."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from exports import Stamp
from fakes import box_drawing
from irodori.errors import InputError, MissingPackageError
from irodori.export import engine, store
from irodori.export.engine import OnnxEngine, choose_engine
from irodori.export.onnx_files import export_system
from irodori.export.runtime import import_onnxruntime, providers
from irodori.inference.colorizer import Colorizer
from irodori.inference.guidance import Hint
from irodori.systems import SYSTEMS

CPU = torch.device("cpu")
HASH = "0123456789abcdef" * 4
SKETCH = box_drawing(90, 70, (10, 10, 80, 60), 2)
REFERENCE = np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8)


@pytest.fixture(scope="module")
def graphs() -> dict[str, bytes]:
    return {name: one.data for name, one in export_system(stamp(), {}, in_parts=True).items()}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("IRODORI_GRAPHS", str(tmp_path / "graphs"))
    return tmp_path / "graphs"


@pytest.fixture
def kept(graphs, cache) -> Path:
    """The cache with graphs of `HASH` in it."""
    store.write(HASH, graphs, print)
    return store.folder_of(HASH)


@pytest.fixture
def made(graphs, monkeypatch) -> list[str]:
    """Exports that were asked for; none takes time."""
    asked: list[str] = []

    class Done:
        def __init__(self, data):
            self.data = data

    def export(system, about, *, in_parts):
        asked.append(system.name)
        return {name: Done(data) for name, data in graphs.items()}

    monkeypatch.setattr(engine, "export_system", export)
    return asked


def stamp() -> Stamp:
    return Stamp().eval().requires_grad_(False)


def colorizer_with(graphs: dict[str, bytes]) -> tuple[Colorizer, Stamp]:
    system = stamp()
    colorizer = Colorizer(system, device="cpu")
    colorizer._engine = OnnxEngine(system, graphs)
    return colorizer, system


def say_nothing(sentence: str) -> None:
    pass


# ------------------------------------------------------------------------------------------------------------ coloring


def test_pictures_are_those_of_torch(graphs):
    colorizer, system = colorizer_with(graphs)
    plain = Colorizer(stamp(), device="cpu")
    for size in (64, 96):
        found, wanted = (one(SKETCH, REFERENCE, image_size=size) for one in (colorizer, plain))
        for name in ("network_image", "network_warped"):
            difference = getattr(found, name).astype(int) - getattr(wanted, name)
            assert np.abs(difference).max() <= 1
    assert not system.calls
    assert (colorizer.engine, plain.engine) == ("onnxruntime", "torch")
    assert found.provenance == wanted.provenance | {"engine": "onnxruntime"}


def test_attention_is_that_of_torch_and_made_when_asked_for(graphs):
    colorizer, system = colorizer_with(graphs)
    found = colorizer(SKETCH, REFERENCE)
    wanted = Colorizer(stamp(), device="cpu")(SKETCH, REFERENCE)
    assert not system.calls
    assert np.array_equal(np.asarray(found.explain()), np.asarray(wanted.explain()))
    assert system.calls["paint"] == 1


@pytest.mark.parametrize(
    ("references", "steering"),
    [(None, {}), ([REFERENCE, REFERENCE[:, ::-1]], {}), (REFERENCE, {"palette": [(255, 0, 0)]})],
)
def test_what_graphs_do_not_take_is_painted_by_torch(graphs, references, steering):
    colorizer, system = colorizer_with(graphs)
    found = colorizer(SKETCH, references, **steering)
    assert system.calls["paint"] == 1
    wanted = Colorizer(stamp(), device="cpu")(SKETCH, references, **steering)
    assert np.array_equal(found.pixels, wanted.pixels)


def test_encodings_are_kept(graphs):
    colorizer, system = colorizer_with(graphs)
    counted = {name: Counting(getattr(colorizer._engine, name)) for name in ("_sketches", "_references")}
    for name, session in counted.items():
        setattr(colorizer._engine, name, session)
    colorizer.set_sketch(SKETCH)
    colorizer.set_reference(REFERENCE)
    colorizer.run()
    colorizer.run(hints=[Hint(30, 30, (1, 2, 3))])
    colorizer.run(palette=[(1, 2, 3)])
    colorizer.run(palette=[(3, 2, 1)])
    assert {name: session.calls for name, session in counted.items()} == {"_sketches": 1, "_references": 1}
    assert system.calls == {"sketch": 1, "references": 1, "paint": 2}


class Counting:
    def __init__(self, session):
        self.session, self.calls = session, 0

    def __call__(self, given):
        self.calls += 1
        return self.session(given)


# -------------------------------------------------------------------------------------------------------------- choice


def test_auto_takes_graphs_that_are_there_for_systems_that_they_make_faster(kept, made, monkeypatch):
    system = stamp()
    assert choose_engine("auto", system, HASH, CPU, say_nothing) is system
    monkeypatch.setattr(engine, "FASTER", frozenset({"stamp"}))
    assert isinstance(choose_engine("auto", system, HASH, CPU, say_nothing), OnnxEngine)
    assert choose_engine("auto", system, "f" * 64, CPU, say_nothing) is system
    assert choose_engine("auto", system, HASH, torch.device("cuda"), say_nothing) is system
    assert choose_engine("torch", system, HASH, CPU, say_nothing) is system
    monkeypatch.setattr(engine, "is_installed", lambda: False)
    assert choose_engine("auto", system, HASH, CPU, say_nothing) is system
    assert made == []


def test_the_rule_names_systems_that_exist():
    assert SYSTEMS.keys() >= engine.FASTER


def test_the_engine_that_was_asked_for_is_prepared_once(made):
    said: list[str] = []
    for _ in range(2):
        assert isinstance(choose_engine("onnxruntime", stamp(), HASH, CPU, said.append), OnnxEngine)
    assert made == ["stamp"]
    assert len(said) == 1


def test_an_engine_that_does_not_fit_is_refused(kept, monkeypatch, tmp_path):
    with pytest.raises(InputError, match="unknown engine 'tensorrt': use one of auto, torch, onnxruntime"):
        Colorizer.from_pretrained("scft-small", engine="tensorrt")
    with pytest.raises(InputError, match="computes on the CPU"):
        choose_engine("onnxruntime", stamp(), HASH, torch.device("cuda"), say_nothing)
    with pytest.raises(InputError, match="32-bit"):
        choose_engine("onnxruntime", stamp().half(), HASH, CPU, say_nothing)
    assert not SYSTEMS["colorizediffusion"].is_feed_forward
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingPackageError, match=r"pip install 'irodori\[export\]'"):
        choose_engine("onnxruntime", stamp(), HASH, CPU, say_nothing)


def test_openvino_computes_where_its_build_is_installed():
    assert [name for name, _ in providers(["CPUExecutionProvider"])] == ["CPUExecutionProvider"]
    (first, options), (second, _) = providers(["CPUExecutionProvider", "OpenVINOExecutionProvider"])
    assert (first, second) == ("OpenVINOExecutionProvider", "CPUExecutionProvider")
    assert options["num_of_threads"] == str(torch.get_num_threads())
    assert options["precision"] == "FP32"


def test_onnxruntime_is_told_not_to_report(monkeypatch):
    monkeypatch.delenv("ORT_DISABLE_TELEMETRY", raising=False)
    import_onnxruntime()
    assert os.environ["ORT_DISABLE_TELEMETRY"] == "1"
    monkeypatch.setenv("ORT_DISABLE_TELEMETRY", "0")
    import_onnxruntime()
    assert os.environ["ORT_DISABLE_TELEMETRY"] == "0"


# --------------------------------------------------------------------------------------------------------------- cache


@pytest.mark.parametrize("damage", [lambda data: data[:99], lambda data: data[:-1] + b"?", lambda data: b""])
def test_damaged_graphs_are_made_again(kept, made, damage):
    file = kept / "paint.onnx"
    whole = file.read_bytes()
    file.write_bytes(damage(whole))
    assert store.read(HASH) is None
    choose_engine("onnxruntime", stamp(), HASH, CPU, say_nothing)
    assert made == ["stamp"]
    assert file.read_bytes() == whole


@pytest.mark.parametrize("text", ["", "{}", "[1]", "null", "\x00"])
def test_a_damaged_list_is_no_list(kept, text):
    (kept / store.LIST).write_text(text)
    assert store.read(HASH) is None


def test_graphs_of_other_versions_are_replaced(kept, graphs, cache, monkeypatch):
    store.write("e" * 64, graphs, print)
    monkeypatch.setattr(store, "version", lambda name: "99")
    assert store.read(HASH) is None
    store.write(HASH, graphs, print)
    assert store.read(HASH) == graphs
    assert not kept.exists()
    assert len(list(cache.iterdir())) == 2  # those of other weights stay


def test_a_cache_that_cannot_be_written_is_no_failure(made, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("IRODORI_GRAPHS", str(tmp_path / "file"))
    said: list[str] = []
    assert isinstance(choose_engine("onnxruntime", stamp(), HASH, CPU, said.append), OnnxEngine)
    assert "cannot be kept" in said[-1]


def test_the_cache_lies_in_the_users(monkeypatch, tmp_path):
    monkeypatch.delenv("IRODORI_GRAPHS")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert store.graphs_folder() == tmp_path / "irodori" / "graphs"
