"""The page: complete, blind, and whole or not at all."""

import json
import re
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from irodori.benchmark.study.key import read_key
from irodori.benchmark.study.page import StudyOptions, build_study
from irodori.errors import ConfigError, InputError
from irodori.image_io import over_paper, read_image, read_metadata, write_image
from studies import METHODS, make_answers, make_benchmark

OPTIONS = StudyOptions(pairs=30, checks=0.2, parts=2, seed=5)


@pytest.fixture(scope="module")
def benchmark(tmp_path_factory):
    return make_benchmark(tmp_path_factory.mktemp("page") / "bench")


@pytest.fixture(scope="module")
def methods(benchmark, tmp_path_factory):
    return make_answers(benchmark, tmp_path_factory.mktemp("answers"))


@pytest.fixture(scope="module")
def study(benchmark, methods, tmp_path_factory):
    output = tmp_path_factory.mktemp("studies") / "study"
    build_study(benchmark, methods, output, OPTIONS, progress=False)
    return output


def page_data(study):
    html = (study / "page" / "index.html").read_text(encoding="utf-8")
    return json.loads(re.search(r'<script id="study" type="application/json">(.*?)</script>', html, re.DOTALL)[1])


def test_it_has_what_was_asked_for(study):
    key = read_key(study / "study.json")
    assert (len(key.pairs), len(key.checks), key.methods) == (30, 6, METHODS)
    assert Counter(pair.part for pair in key.pairs.values()) == {0: 15, 1: 15}
    assert Counter(check.part for check in key.checks.values()) == {0: 3, 1: 3}
    meetings = Counter(frozenset(pair.pictures.values()) for pair in key.pairs.values())
    assert set(meetings.values()) == {10}
    assert {check.case for check in key.checks.values()} <= {f"recolor-{number:03}" for number in range(12)}


def test_the_page_shows_the_trials_of_the_key_and_no_more(study):
    key, data = read_key(study / "study.json"), page_data(study)
    assert data["id"] == key.id
    shown = {trial["id"]: (part, trial) for part, trials in enumerate(data["parts"]) for trial in trials}
    assert shown.keys() == key.trials().keys()
    for name, (part, trial) in shown.items():
        assert part == key.trials()[name].part
        assert set(trial["pictures"]) == set(key.trials()[name].pictures)
    used = {name for _, t in shown.values() for name in (t["sketch"], *t["references"], *t["pictures"])}
    assert {path.stem for path in (study / "page" / "pictures").iterdir()} == used


def test_nothing_on_the_page_tells_a_method(study):
    files = [path for path in (study / "page").rglob("*") if path.is_file()]
    telling = [name.encode() for name in (*METHODS, "recolor-", "cross-", "truth", "spoiled", "study.json")]
    for path in files:
        content = path.read_bytes()
        assert [word for word in telling if word in content or word.decode() in path.name] == [], path.name
    pictures = [path for path in files if path.suffix == ".webp"]
    assert len(pictures) > 50
    assert all(read_metadata(path) == {} for path in pictures)


def test_checks_look_like_pairs_and_no_order_tells_which_they_are(study):
    key, data = read_key(study / "study.json"), page_data(study)
    for trials in data["parts"]:
        assert {frozenset(trial) for trial in trials} == {frozenset({"id", "sketch", "references", "pictures"})}
        assert [trial["id"] for trial in trials] == sorted(trial["id"] for trial in trials)
    pictures = [trial["pictures"] for trials in data["parts"] for trial in trials]
    assert pictures == [sorted(pair) for pair in pictures]
    first = Counter(pair.pictures[min(pair.pictures)] for pair in key.pairs.values())
    assert all(5 <= first[name] <= 15 for name in METHODS)  # of 20 each; even on average


def test_times_of_files_follow_their_names(study):
    pictures = sorted((study / "page" / "pictures").iterdir())
    times = [path.stat().st_mtime_ns for path in pictures]
    assert times == sorted(times)


def test_pictures_are_those_that_were_answered_to_the_last_level(study, methods):
    key = read_key(study / "study.json")
    for pair in key.pairs.values():
        for name, method in pair.pictures.items():
            shown = read_image(study / "page" / "pictures" / f"{name}.webp")
            assert np.array_equal(shown, read_image(methods[method] / f"{pair.case}.png"))


def test_sketch_and_reference_are_those_of_the_case(study, benchmark):
    key, cases = read_key(study / "study.json"), {case.id: case for case in benchmark.cases}
    for trial in page_data(study)["parts"][0]:
        case = cases[key.trials()[trial["id"]].case]
        for name, file in zip((trial["sketch"], *trial["references"]), (case.sketch, *case.references), strict=True):
            shown = over_paper(read_image(study / "page" / "pictures" / f"{name}.webp"))
            assert np.array_equal(shown, over_paper(read_image(benchmark.root / file)))


def test_the_page_asks_the_network_for_nothing(study):
    html = (study / "page" / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"https?:|//[\w.]+\.\w|fetch\(|XMLHttpRequest|sendBeacon|WebSocket", html)
    assert "default-src 'none'" in html


def test_the_artists_are_named_beside_the_page(study, methods, tmp_path):
    assert "ATTRIBUTION" not in (study / "page/index.html").read_text(encoding="utf-8")
    credited = make_benchmark(tmp_path / "bench")
    (credited.root / "ATTRIBUTION.md").write_text("drawn by Ann")
    (credited.root / "LICENSES").mkdir()
    (credited.root / "LICENSES/MIT.txt").write_text("do what you like")
    build_study(credited, methods, tmp_path / "study", OPTIONS, progress=False)
    page = tmp_path / "study/page"
    assert 'href="ATTRIBUTION.md"' in (page / "index.html").read_text(encoding="utf-8")
    assert (page / "ATTRIBUTION.md").read_text() == "drawn by Ann"
    assert (page / "LICENSES/MIT.txt").is_file()


def test_two_builds_are_the_same_to_the_byte_and_another_seed_has_other_names(study, benchmark, methods, tmp_path):
    build_study(benchmark, methods, tmp_path / "again", OPTIONS, progress=False)
    files = sorted(path.relative_to(study) for path in study.rglob("*") if path.is_file())
    assert files == sorted(p.relative_to(tmp_path / "again") for p in (tmp_path / "again").rglob("*") if p.is_file())
    assert all((study / file).read_bytes() == (tmp_path / "again" / file).read_bytes() for file in files)
    other = build_study(benchmark, methods, tmp_path / "other", replace(OPTIONS, seed=6), progress=False)
    assert not other.trials().keys() & read_key(study / "study.json").trials().keys()


def test_words_of_the_asker_are_text_and_no_program(benchmark, methods, tmp_path):
    options = replace(
        OPTIONS, question="<b>Which?</b>", notice="</script><script>alert(1)</script>", ties=False, checks=0
    )
    key = build_study(benchmark, methods, tmp_path / "study", options, progress=False)
    html = (tmp_path / "study" / "page" / "index.html").read_text(encoding="utf-8")
    assert "&lt;b&gt;Which?" in html
    assert "alert(1)</script>" not in html
    assert 'id="choose-tie"' not in html
    assert key.checks == {}


def test_only_cases_that_all_answered_are_used_and_the_others_are_named(benchmark, tmp_path):
    methods = make_answers(benchmark, tmp_path / "answers", METHODS[:2])
    zebrafish, platypus = methods.values()
    (zebrafish / "recolor-000.png").unlink()
    write_image(platypus / "recolor-001.png", np.zeros((40, 40, 3), np.uint8))
    (platypus / "recolor-002.png").write_bytes(b"no picture")
    key = build_study(benchmark, methods, tmp_path / "study", StudyOptions(pairs=100), progress=False)
    assert len(key.pairs) == 21
    assert key.left_out["zebrafish"] == {"recolor-000": "missing"}
    assert key.left_out["platypus"]["recolor-001"] == "40×40 pixels instead of 44×36"
    assert "recolor-002.png" in key.left_out["platypus"]["recolor-002"]


def test_tracks_can_be_chosen(benchmark, methods, tmp_path):
    key = build_study(benchmark, methods, tmp_path / "study", replace(OPTIONS, tracks=("cross",)), progress=False)
    assert {pair.track for pair in key.pairs.values()} == {"cross"}
    with pytest.raises(ConfigError, match="unknown 'editing'"):
        StudyOptions(tracks=("editing",))


def test_wrong_use_is_told(benchmark, methods, study, tmp_path):
    def build(chosen=methods, output=tmp_path / "new", **changes):
        build_study(benchmark, chosen, output, replace(OPTIONS, **changes), progress=False)

    with pytest.raises(InputError, match="already exists"):
        build(output=study)
    with pytest.raises(InputError, match="at least two"):
        build({"zebrafish": methods["zebrafish"]})
    with pytest.raises(InputError, match="no folder with the answers of platypus"):
        build({**methods, "platypus": tmp_path / "nowhere"})
    with pytest.raises(InputError, match="cannot be split into 31 parts"):
        build(parts=31)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"no case is answered by all of .* \(first fault: platypus: .* missing\)"):
        build({**methods, "platypus": tmp_path / "empty"})
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]


def test_a_build_that_fails_leaves_nothing(tmp_path):
    benchmark = make_benchmark(tmp_path / "bench", 3)
    methods = make_answers(benchmark, tmp_path / "answers")
    (benchmark.root / benchmark.cases[1].references[0]).write_bytes(b"no picture")
    with pytest.raises(InputError, match="reference-1"):
        build_study(benchmark, methods, tmp_path / "study", StudyOptions(pairs=18), progress=False)
    assert {path.name for path in tmp_path.iterdir()} == {"bench", "answers"}
