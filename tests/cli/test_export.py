"""`irodori export` and `--engine`, with graphs of a system of few operations."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from exports import Stamp
from irodori import systems
from irodori.image_io import read_image, read_metadata
from irodori.inference.colorizer import Colorizer


@pytest.fixture
def stamp_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with weights of `Stamp`, which counts as one of the systems here."""
    monkeypatch.setitem(systems.SYSTEMS, "stamp", Stamp)
    monkeypatch.setenv("IRODORI_GRAPHS", str(tmp_path / "cache"))
    Colorizer(Stamp(), device="cpu").save_pretrained(tmp_path / "stamp")
    return tmp_path / "stamp"


def test_a_model_becomes_a_file(irodori, desk, stamp_model):
    answer = irodori("export", stamp_model, "-o", "model.onnx")
    assert answer.code == 0
    assert answer.out.startswith("model.onnx  0.0 MB  differs from torch by ")
    assert answer.err == ""
    model = onnx.load("model.onnx")
    told = {one.key: one.value for one in model.metadata_props}
    assert (told["model"], told["system"], told["license"]) == ("stamp", "stamp", "not stated")
    assert len(told["weights_sha256"]) == 64
    assert sorted(path.name for path in desk.iterdir() if path.suffix != ".png") == [
        "model.onnx", "sketches", "stamp",
    ]  # fmt: skip


def test_parts_become_a_folder(irodori, desk, stamp_model):
    answer = irodori("export", stamp_model, "-o", "parts", "--parts", "--size", "32x48", "--json")
    told = json.loads(answer.out)
    assert [Path(one["path"]).name for one in told] == ["encode_sketch.onnx", "encode_references.onnx", "paint.onnx"]
    assert all(Path(one["path"]).is_file() and one["difference"] < 1e-4 for one in told)


def test_prepared_graphs_color(irodori, desk, stamp_model):
    prepared = irodori("export", stamp_model)
    assert prepared.code == 0
    assert prepared.out.count(".onnx") == 3
    common = ("colorize", "sketch.png", "--reference", "reference.png", "--model", stamp_model)
    assert irodori(*common, "-o", "a.png", "--engine", "onnxruntime").code == 0
    assert irodori(*common, "-o", "b.png", "--engine", "torch").code == 0
    pictures = [read_image(desk / name).astype(int) for name in ("a.png", "b.png")]
    assert np.abs(pictures[0] - pictures[1]).max() <= 1
    assert json.loads(read_metadata("a.png")["irodori"])["engine"] == "onnxruntime"
    again = irodori(*common, "-o", "a.png")
    assert "already there" in again.out  # the engine is no reason to color again


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["-o", "model.pt"], "has no suffix .onnx"),
        (["-o", "no/model.onnx"], "the folder no does not exist"),
        (["-o", "sketch.png", "--parts"], "is a file, but three graphs need a folder"),
        (["-o", "sketches", "--size", "32x32"], "has no suffix"),
        (["-o", "model.onnx", "--size", "30x32"], "not in multiples of 4 pixels: use 32x32"),
        (["-o", "model.onnx", "--size", "big"], "is not a size"),
        (["--parts"], "where should the graphs go"),
    ],
)
def test_wrong_use_is_answered_with_a_sentence(irodori, desk, stamp_model, arguments, sentence):
    before = sorted(desk.iterdir())
    answer = irodori("export", stamp_model, *arguments)
    assert answer.code == 2
    assert sentence in answer.err
    assert sorted(desk.iterdir()) == before


def test_an_unknown_model_is_named(irodori, desk):
    answer = irodori("export", "no-such-model", "-o", "model.onnx")
    assert answer.code == 2
    assert "no-such-model" in answer.err
