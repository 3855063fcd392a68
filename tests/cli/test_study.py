"""`irodori study` from the folders of answers to the ranking."""

import json

import pytest

from irodori.benchmark.study.key import read_key
from studies import METHODS, answer_file, asleep, attentive, make_answers, make_benchmark


@pytest.fixture
def asker(tmp_path, monkeypatch):
    """The current folder: bench and a folder of answers for each method."""
    benchmark = make_benchmark(tmp_path / "bench", 8)
    make_answers(benchmark, tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


ANSWERS = [part for name in METHODS for part in ("--answers", f"{name}={name}")]


def test_build_judge_and_score(irodori, asker):
    (asker / "platypus" / "cross-009.png").unlink()
    answer = irodori("study", "build", *ANSWERS, "-b", "bench", "-o", "out", "--pairs", 20, "--notice", "Ask Jane.")
    assert answer.code == 0
    assert "18 pairs on 15 cases and 2 attention checks" in answer.out
    assert "1 cases are left out because of platypus, first cross-009: missing" in answer.err
    assert "Ask Jane." in (asker / "out" / "page" / "index.html").read_text(encoding="utf-8")
    key = read_key(asker / "out" / "study.json")
    taste = attentive({"zebrafish": 4.0, "platypus": 0.0, "aardvark": -4.0})
    files = [answer_file(asker / f"{number}.json", key, number, taste) for number in range(5)]
    files.append(answer_file(asker / "asleep.json", key, 9, asleep))
    text = irodori("study", "score", "out/study.json", *files)
    assert text.code == 0
    rows = [line.split("|")[1].strip() for line in text.out.splitlines() if line.startswith("|")]
    assert rows[2:5] == ["zebrafish", "platypus", "aardvark"]
    found = json.loads(irodori("study", "score", "out/study.json", *files, "--json").out)
    assert [judge["file"] for judge in found["excluded"]] == ["asleep.json"]
    assert found["methods"]["zebrafish"]["low"] > found["methods"]["aardvark"]["high"]


def test_build_as_json(irodori, asker):
    found = json.loads(irodori("study", "build", *ANSWERS, "-b", "bench", "-o", "out", "--pairs", 9, "--json").out)
    assert found["study"] == read_key(asker / "out" / "study.json").id
    assert (found["pairs"], found["checks"]) == (9, 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["build", "-b", "bench", "-o", "out", "--answers", "zebrafish"], "names no method: write NAME=FOLDER"),
        (["build", "-b", "bench", "-o", "out", *ANSWERS, "--answers", "platypus=other"], "same name"),
        (["build", "-b", "bench", "-o", "out", *ANSWERS[:2]], "at least two"),
        (["build", "-b", "nowhere", "-o", "out", *ANSWERS], "not a benchmark"),
        (["build", "-b", "bench", "-o", "bench", *ANSWERS], "already exists"),
        (["build", "-b", "bench", "-o", "out", *ANSWERS, "--pairs", "2"], "at least 3"),
        (["build", "-b", "bench", "-o", "out", *ANSWERS, "--tracks", "editing"], "--tracks"),
        (["score", "bench/benchmark.json", "bench/benchmark.json"], "not the key of a study"),
        (["score", "nowhere.json", "bench/benchmark.json"], "cannot be read"),
    ],
)
def test_wrong_use_is_told_and_writes_nothing(irodori, asker, arguments, message):
    answer = irodori("study", *arguments)
    assert answer.code == 2
    assert message in answer.err
    assert not (asker / "out").exists()


def test_the_choices_are_those_of_the_library():
    from irodori.benchmark.study.checks import SPOILED
    from irodori.benchmark.study.page import TRACKS, StudyOptions
    from irodori.benchmark.study.scoring import PASS_RATE
    from irodori.cli.study_build import command as build
    from irodori.cli.study_score import command as score

    options = {option.name: option for option in build.params}
    assert tuple(options["tracks"].type.choices) == TRACKS
    assert tuple(options["spoiled"].type.choices) == tuple(SPOILED)
    for name in ("pairs", "parts", "checks", "seed", "ties", "spoiled"):
        assert options[name].default == getattr(StudyOptions(), name)
    assert {option.name: option.default for option in score.params}["pass_rate"] == PASS_RATE
