"""Benchmarks on disk: what is written is read, what is damaged is refused with a remedy."""

import json

import pytest

from irodori.benchmark.cases import Benchmark, Case, Edit, read_benchmark, write_cases
from irodori.errors import DataError


@pytest.fixture
def cases(tmp_path):
    for name in ("sketch.png", "reference.png", "truth.png", "parts.png"):
        (tmp_path / name).touch()
    edit = Edit(before="a", tag="red_hair", part=2, color=(200, 10, 10), scale=0.5)
    files = {"sketch": "sketch.png", "references": ("reference.png",)}
    return (
        Case(id="a", track="recolor", condition="still", **files, truth="truth.png", parts="parts.png",
             scored_parts=(0, 2), correspondence=((1.0, 2.0, 3.5, 4.0),), seed=7, items=("x", "y"), licenses=("CC0",)),
        Case(id="b", track="editing", condition="red_hair", **files, edit=edit, sequence="s", position=0.5),
        Case(id="c", track="recolor", condition="still", **files),
        Case(id="d", track="recolor", condition="moved", **files),
    )  # fmt: skip


def test_round_trip(tmp_path, cases):
    write_cases(tmp_path, cases, {"image_size": 64})
    found = read_benchmark(tmp_path)
    assert found.cases == cases
    assert found.image_size == 64


def test_written_twice_is_the_same_to_the_byte(tmp_path, cases):
    write_cases(tmp_path, cases, {"image_size": 64, "b": 1, "a": 2})
    first = (tmp_path / "index.jsonl").read_bytes(), (tmp_path / "benchmark.json").read_bytes()
    write_cases(tmp_path, cases, {"a": 2, "b": 1, "image_size": 64})
    assert first == ((tmp_path / "index.jsonl").read_bytes(), (tmp_path / "benchmark.json").read_bytes())


def test_select_limits_each_condition(tmp_path, cases):
    benchmark = Benchmark(tmp_path, cases)
    assert [case.id for case in benchmark.select()] == ["a", "b", "c", "d"]
    assert [case.id for case in benchmark.select(["recolor"], limit=1)] == ["a", "d"]


def test_missing_picture_and_double_id_are_named(tmp_path, cases):
    write_cases(tmp_path, [cases[0], cases[0]], {"image_size": 64})
    with pytest.raises(DataError, match="same id"):
        read_benchmark(tmp_path)
    write_cases(tmp_path, cases, {"image_size": 64})
    (tmp_path / "truth.png").unlink()
    with pytest.raises(DataError, match=r"truth\.png is named in the index but missing"):
        read_benchmark(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda root: (root / "benchmark.json").unlink(), "not a benchmark"),
        (lambda root: (root / "benchmark.json").write_text('{"format": 99}'), "format 99"),
        (lambda root: (root / "index.jsonl").write_text("{"), "damaged"),
        (lambda root: (root / "index.jsonl").write_text(json.dumps({"id": "a"})), "damaged"),
    ],
)
def test_damage_is_told(tmp_path, cases, change, message):
    write_cases(tmp_path, cases, {"image_size": 64})
    change(tmp_path)
    with pytest.raises(DataError, match=message):
        read_benchmark(tmp_path)
