"""The benchmark that lies in the repository: whole, small, and of art that may be passed on."""

from __future__ import annotations

from pathlib import Path

from irodori.benchmark.cases import TRACKS, Benchmark, read_benchmark
from irodori.data.sources import is_permissive

FOLDER = Path(__file__).parents[2] / "benchmarks/mini"


def used(benchmark: Benchmark) -> set[Path]:
    names = {name for case in benchmark.cases for name in (case.sketch, *case.references, case.truth, case.parts)}
    return {FOLDER / name for name in names if name}


def test_it_has_every_track_and_exactly_its_pictures():
    benchmark = read_benchmark(FOLDER)
    assert {case.track for case in benchmark.cases} == set(TRACKS)
    assert used(benchmark) == set((FOLDER / "pictures").iterdir())


def test_every_drawing_may_be_passed_on_and_is_credited():
    benchmark = read_benchmark(FOLDER)
    sources = benchmark.about["sources"]
    assert all(is_permissive(name) for case in benchmark.cases for name in case.licenses)
    assert all(source["attribution"] and is_permissive(source["license"]) for source in sources)
    assert all((FOLDER / text).is_file() for source in sources for text in source["texts"])


def test_it_stays_small():
    assert sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()) < 8e6
