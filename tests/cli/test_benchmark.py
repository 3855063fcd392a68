"""`irodori benchmark run`, `score` and `report`, as a user types them."""

import json

import pytest
from PIL import Image

from benches import make_bench, write_answers
from irodori.image_io import read_metadata


@pytest.fixture
def bench(desk):
    return make_bench(desk / "bench")


def _refused(answer, *parts):
    assert answer.code == 2
    assert answer.err.count("error: ") == 1 or answer.err.startswith("Usage: ")
    for part in parts:
        assert part in answer.err


def _run(irodori, *arguments):
    return irodori("benchmark", "run", "-b", "bench", "-o", "results", "--device", "cpu", *arguments)


def test_run_score_and_report_belong_together(irodori, desk, bench, tiny_model):
    """A system and a baseline of ours, then somebody else's pictures, then one report on all."""
    tracks = ("--tracks", "recolor", "--tracks", "editing")
    ours = _run(irodori, "--system", f"ours={tiny_model}", "--system", "baseline:fill", "--no-baselines", *tracks)
    assert (ours.code, ours.out) == (0, "results/report.html\n")
    assert sorted(path.name for path in (desk / "results").iterdir()) == [
        "baseline-fill", "ours", "report.html", "report.json", "report.md"]  # fmt: skip
    assert len(list((desk / "results/ours/answers").iterdir())) == 10

    write_answers(bench, desk / "theirs")
    theirs = irodori(
        "benchmark", "score", "--images", "theirs", "--name", "theirs", "-b", "bench", "-o", "results", *tracks
    )
    assert theirs.code == 0
    assert "| theirs | images | 10 | 0 | pictures from elsewhere |" in theirs.out

    assert irodori("benchmark", "report", "results", "--method", "theirs", "--method", "ours", "-o", "out").code == 0
    report = json.loads((desk / "out/report.json").read_text())
    assert [method["name"] for method in report["methods"]] == ["theirs", "ours"]
    cells = report["tracks"]["recolor"]["tables"]["all"]
    assert cells["theirs"]["part_accuracy"]["mean"] == 1
    assert cells["ours"]["delta_e"]["difference"]["mean"] > 1
    assert irodori("benchmark", "report", "results").out.split() == [
        "results/report.json", "results/report.md", "results/report.html"]  # fmt: skip
    names = [one["name"] for one in json.loads((desk / "results/report.json").read_text())["methods"]]
    assert names == ["ours", "theirs", "baseline:fill"]


def test_a_second_run_asks_nobody_and_another_seed_does(irodori, desk, bench, tiny_model):
    arguments = ("--system", tiny_model, "--no-baselines", "--tracks", "cross", "--json")
    assert json.loads(_run(irodori, *arguments).out)["failed"] == {"tiny": 0}
    picture = desk / "results/tiny/answers/cross-1.png"
    first, key = picture.stat().st_mtime_ns, read_metadata(picture)["irodori-benchmark"]
    _run(irodori, *arguments)
    assert picture.stat().st_mtime_ns == first
    _run(irodori, *arguments, "--seed", "5")
    assert read_metadata(picture)["irodori-benchmark"] != key


def test_all_baselines_and_the_cost(irodori, desk, bench, monkeypatch):
    monkeypatch.setattr("shutil.which", lambda name: None)
    from irodori.benchmark import cost_track, gmic

    gmic.version.cache_clear()
    monkeypatch.setattr(cost_track, "SIZES", (64,))
    monkeypatch.setattr("irodori.benchmark.run.SIZES", (64,))
    answer = _run(irodori, "--limit", "1", "--tracks", "aligned", "--tracks", "cost")
    assert answer.code == 0
    assert "notice: baseline gmic left out: the program gmic is not installed: sudo apt-get install gmic" in answer.err
    report = json.loads((desk / "results/report.json").read_text())
    names = ["sketch", "mean", "stretch", "histogram", "fill", "ceiling"]
    assert [method["name"] for method in report["methods"]] == [f"baseline:{name}" for name in names]
    assert report["costs"][0]["methods"]["baseline:fill"]["sizes"]["64"]["coloring_seconds"] > 0
    assert report["tracks"]["aligned"]["tables"]["all"]["baseline:ceiling"]["delta_e"]["mean"] < 1


def test_failed_pictures_are_exit_code_1(irodori, desk, bench):
    images = write_answers(bench, desk / "theirs")
    (images / "recolor-0.png").unlink()
    Image.new("RGB", (99, 99)).save(images / "cross-1.png")
    arguments = ("--images", "theirs", "--name", "theirs", "-b", "bench", "-o", "results")
    answer = irodori("benchmark", "score", *arguments)
    assert answer.code == 1
    assert "| theirs | `recolor-0` | missing |" in answer.out
    assert "| theirs | `cross-1` | 99×99 pixels, expected 64×64 |" in answer.out
    found = json.loads(irodori("benchmark", "score", *arguments, "--json").out)
    assert found["methods"][0]["failed"] == 2


def test_wrong_use_is_one_sentence(irodori, desk, bench, tiny_model):
    score = ("benchmark", "score", "--name", "x", "-o", "results")
    _refused(irodori(*score, "--images", "nothing", "-b", "bench"), "nothing is no folder")
    _refused(irodori(*score, "--images", "sketches", "-b", "sketches"), "not a benchmark", "irodori benchmark build")
    _refused(irodori(*score, "--images", "sketches", "-b", "bench", "--tracks", "x"), "unknown track 'x'", "aligned")
    _refused(irodori(*score, "--images", "sketches", "-b", "bench", "--features", "x"), "names no feature network")
    _refused(_run(irodori, "--no-baselines"), "nothing to run")
    _refused(_run(irodori, "--system", "baseline:x"), "unknown baseline 'x'")
    _refused(_run(irodori, "--system", "nobody"), "neither shipped weights")
    _refused(_run(irodori, "--system", tiny_model, "--system", f"tiny={tiny_model}"), "two systems are called 'tiny'")
    _refused(irodori("benchmark", "report", "results"), "no scores there")
    assert not (desk / "results").exists()


def test_the_benchmark_may_have_moved(irodori, desk, bench):
    write_answers(bench, desk / "theirs")
    irodori(
        "benchmark", "score", "--images", "theirs", "--name", "x", "-b", "bench", "-o", "results", "--tracks", "cross"
    )
    (desk / "bench").rename("elsewhere")
    _refused(irodori("benchmark", "report", "results"), "no longer there", "--benchmark")
    assert irodori("benchmark", "report", "results", "-b", "elsewhere").code == 0


@pytest.mark.parametrize("name", ["run", "score", "report"])
def test_help(irodori, name):
    answer = irodori("benchmark", name, "--help")
    assert answer.code == 0
    assert f"Usage: irodori benchmark {name}" in answer.out
