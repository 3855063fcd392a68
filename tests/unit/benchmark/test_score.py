"""Folders of pictures whose figures are known by construction; failures named; interruptions without loss."""

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from benches import HAIR, SKIN, WISH, answer, draw, make_bench, write_answers
from irodori.benchmark.answers import add_pictures
from irodori.benchmark.cases import NO_PART
from irodori.benchmark.pictures import other_references, read_scene
from irodori.benchmark.results import read_scored
from irodori.benchmark.score import ScoreOptions, Scorer, score
from irodori.color import delta_e
from irodori.errors import DataError, InputError
from irodori.image import to_tensor

QUIET = ScoreOptions(progress=False)


@pytest.fixture
def bench(tmp_path):
    return make_bench(tmp_path / "bench")


@pytest.fixture
def scored(bench, tmp_path):
    """Scores a folder of pictures, in results of its own."""

    def run(images, options=QUIET):
        return score(bench, add_pictures(tmp_path / "results", "method", images), options)

    return run


def _rows(found):
    return {row.id: row for row in found.rows}


def test_perfect_answers_are_perfect(bench, scored, tmp_path):
    found = scored(write_answers(bench, tmp_path / "perfect"))
    assert [row.id for row in found.rows] == [case.id for case in bench.cases]
    assert (found.about["cases"], found.about["failed"], found.about["extra"]) == (len(bench.cases), 0, [])
    figures = _rows(found)["recolor-0"].figures
    perfect = {"part_accuracy": 1, "part_delta_e": 0, "delta_e": 0, "psnr": 100, "bleed": 0, "line_f": 1}
    assert {name: figures[name] for name in perfect} == perfect
    assert figures["ms_ssim"] is None
    assert figures["sc_psnr"] is None
    assert abs(figures["reference_leak"]) < 0.05
    edited = _rows(found)["edit-1-1"].figures
    assert edited["edit_delta_e"] == pytest.approx(0, abs=1e-4)
    assert edited["edit_success"] == 1
    assert _rows(found)["edit-1-0.5"].figures["edit_success"] is None
    assert edited["edit_spill"] == 0
    assert edited["edit_progress"] == pytest.approx(1)
    assert _rows(found)["edit-1-0.5"].figures["edit_delta_e"] is None
    assert 0.3 < _rows(found)["edit-1-0.5"].figures["edit_progress"] < 0.7
    assert _rows(found)["edit-1-0"].figures["edit_progress"] == 0


def test_one_wrong_part_of_three(bench, scored, tmp_path):
    """Skin in another color: two of three parts are accurate, and differences are those of the two colors."""
    images = write_answers(bench, tmp_path / "shaded", shade=80)
    row = _rows(scored(images))["recolor-0"]
    wanted, shown = (np.array([[color]], np.uint8) for color in ((240, 180, 140), (160, 100, 60)))
    difference = delta_e(to_tensor(shown), to_tensor(wanted)).item()
    assert row.figures["part_accuracy"] == pytest.approx(2 / 3)
    assert [accurate for part, accurate, _ in row.parts if part == SKIN] == [0]
    assert row.figures["part_delta_e"] == pytest.approx(difference / 3, abs=1e-3)
    parts, bare = draw(0).parts, draw(0).lines == 255
    share = (parts == SKIN).sum() / bare.sum()
    assert row.figures["delta_e"] == pytest.approx(difference * share, abs=1e-3)
    mean_square = share * 80**2
    assert row.figures["psnr"] == pytest.approx(10 * np.log10(255**2 / mean_square), abs=1e-3)


def test_what_an_edit_spills(bench, scored, tmp_path):
    """Skin darkened by the edit alone: the hair reached the wish, but the rest moved."""
    images = write_answers(bench, tmp_path / "spilled")
    case = next(case for case in bench.cases if case.id == "edit-0-1")
    pixels = answer(case)
    pixels[draw(0).parts == SKIN] -= 50
    Image.fromarray(pixels).save(images / case.answer)
    figures = _rows(scored(images))["edit-0-1"].figures
    wanted, shown = (np.array([[color]], np.uint8) for color in ((240, 180, 140), (190, 130, 90)))
    elsewhere = np.isin(draw(0).parts, (0, SKIN))
    share = (draw(0).parts == SKIN).sum() / elsewhere.sum()
    assert figures["edit_delta_e"] == pytest.approx(0, abs=1e-4)
    assert figures["edit_spill"] == pytest.approx(share * delta_e(to_tensor(shown), to_tensor(wanted)).item(), abs=1e-3)


def test_an_edit_that_leads_away_does_not_help(bench, scored, tmp_path):
    images = write_answers(bench, tmp_path / "away")
    case = next(case for case in bench.cases if case.id == "edit-0-1")
    pixels = answer(case)
    pixels[draw(0).parts == HAIR] = 255 - np.array(WISH)
    Image.fromarray(pixels).save(images / case.answer)
    figures = _rows(scored(images))["edit-0-1"].figures
    assert figures["edit_success"] == 0
    Image.fromarray(answer(replace(case, edit=replace(case.edit, scale=0.1)))).save(images / case.answer)
    assert _rows(scored(images))["edit-0-1"].figures["edit_success"] == 1


def test_lines_do_not_count(bench, scored, tmp_path):
    images = write_answers(bench, tmp_path / "bare")
    case = bench.cases[0]
    Image.fromarray(draw(0).flats).save(images / case.answer)
    figures = _rows(scored(images))[case.id].figures
    assert (figures["delta_e"], figures["psnr"]) == (0, 100)
    assert figures["line_recall"] > 0.9  # the borders of the colors are where the lines were


def test_every_kind_of_failure_is_named_and_counts_the_worst(bench, scored, tmp_path):
    images = write_answers(bench, tmp_path / "broken")
    (images / "recolor-0.png").unlink()
    (images / "recolor-1.png").write_bytes((images / "recolor-1.png").read_bytes()[:200])
    Image.new("RGB", (65, 64)).save(images / "aligned-0.png")
    (images / "shift-0-0.png").write_bytes(b"")
    (images / "shift-0-1.png").write_text("no picture")
    (images / "edit-0.png").unlink()
    (images / "edit-1-1.png").unlink()
    Image.new("RGB", (64, 64)).save(images / "recolor-7.png")
    found = scored(images)
    failed = {row.id: row.reason for row in found.rows if row.status == "failed"}
    assert failed.keys() == {"recolor-0", "recolor-1", "aligned-0", "shift-0-0", "shift-0-1", "edit-0", "edit-1-1"}
    for name, word in {
        "recolor-0": "missing",
        "recolor-1": "damaged",
        "aligned-0": "65×64 pixels, expected 64×64",
        "shift-0-0": "empty",
        "shift-0-1": "not a readable",
    }.items():
        assert word in failed[name]
        assert str(tmp_path) not in failed[name]
    assert found.about["extra"] == ["recolor-7.png"]
    assert found.about["failed"] == 8
    rows = _rows(found)
    worst = {"part_accuracy": 0, "part_delta_e": 100, "psnr": 0, "bleed": 1, "line_f": 0, "reference_leak": 1}
    assert {name: rows["recolor-0"].figures[name] for name in worst} == worst
    assert rows["recolor-0"].figures["ms_ssim"] is None  # no picture of this size has one
    assert rows["recolor-0"].parts == ((0, 0, 100.0), (1, 0, 100.0), (2, 0, 100.0))
    worst = {"edit_delta_e": 100, "edit_success": 0, "edit_spill": 100, "edit_progress": 0}
    assert {name: rows["edit-1-1"].figures[name] for name in worst} == worst
    assert rows["edit-0-1"].status == "ok"
    assert rows["edit-0-1"].figures["edit_spill"] is None  # there is nothing to compare it with


def test_what_counts(bench):
    """Bare paper of the parts that the references tell; of a case without parts all bare paper."""
    case, bare = bench.cases[0], draw(0).lines == 255
    parts = np.where(draw(0).parts == NO_PART, HAIR, draw(0).parts)  # a map that covers the lines too
    Image.fromarray(parts).save(bench.root / case.parts)
    counted = read_scene(bench.root, replace(case, scored_parts=(HAIR,)), None).counted.numpy()
    assert (counted == (bare & (parts == HAIR))).all()
    assert not read_scene(bench.root, replace(case, scored_parts=()), None).counted.any()
    assert (read_scene(bench.root, replace(case, parts=None), None).counted.numpy() == bare).all()


def test_the_other_reference_shows_another_drawing(bench):
    others = other_references(bench.cases)
    assert others["recolor-0"] == "pictures/1-reference.png"
    assert others["recolor-1"] == "pictures/0-reference.png"
    assert other_references(bench.cases[:1]) == {"recolor-0": None}
    same = replace(bench.cases[0], id="same", references=("pictures/0-step-0.png",))
    assert other_references([bench.cases[0], same])["recolor-0"] is None  # another picture of the same drawing


def test_an_answer_with_alpha_is_seen_over_white(bench, scored, tmp_path):
    images = write_answers(bench, tmp_path / "alpha")
    opaque = np.asarray(Image.open(images / "recolor-0.png"))
    alpha = np.where(draw(0).parts == HAIR, 0, 255).astype(np.uint8)
    Image.fromarray(np.dstack([opaque, alpha])).save(images / "recolor-0.png")
    row = _rows(scored(images))["recolor-0"]
    assert [accurate for _, accurate, _ in row.parts] == [1, 1, 0]


def _counted(monkeypatch):
    asked, original = [], Scorer.score

    def spy(self, job):
        asked.append(job.case.id)
        return original(self, job)

    monkeypatch.setattr(Scorer, "score", spy)
    return asked


def test_only_what_changed_is_scored_again(bench, scored, tmp_path, monkeypatch):
    images = write_answers(bench, tmp_path / "images")
    first = scored(images)
    asked = _counted(monkeypatch)
    assert scored(images).rows == first.rows
    assert asked == []
    Image.fromarray(draw(0).flats).save(images / "recolor-0.png")
    changed = scored(images)
    assert asked == ["recolor-0"]
    assert _rows(changed)["recolor-0"].key != _rows(first)["recolor-0"].key
    Image.fromarray(draw(1).flats).save(images / "edit-1.png")  # the edits of this case are compared with it
    scored(images)
    assert asked[1:] == ["edit-1", "edit-1-0", "edit-1-0.5", "edit-1-1"]


def test_an_interrupted_scoring_goes_on(bench, scored, tmp_path, monkeypatch):
    images = write_answers(bench, tmp_path / "images")
    original = Scorer.score

    def interrupted(self, job):
        if job.case.id == "shift-0-1":
            raise KeyboardInterrupt
        return original(self, job)

    monkeypatch.setattr(Scorer, "score", interrupted)
    with pytest.raises(KeyboardInterrupt):
        scored(images)
    folder = tmp_path / "results" / "method"
    with (folder / "scores.partial.jsonl").open("a") as file:
        file.write('{"id": "cut o')
    interrupted_again = [case.id for case in bench.cases].index("edit-0")
    asked = []

    def later(self, job):
        asked.append(job.case.id)
        if job.case.id == "edit-0":
            raise KeyboardInterrupt
        return original(self, job)

    monkeypatch.setattr(Scorer, "score", later)
    with pytest.raises(KeyboardInterrupt):
        scored(images)
    assert asked[0] == "shift-0-1"
    monkeypatch.setattr(Scorer, "score", original)
    asked = _counted(monkeypatch)
    found = scored(images)
    assert asked == [case.id for case in bench.cases][interrupted_again:]
    assert found == read_scored(folder)
    assert not (folder / "scores.partial.jsonl").exists()


def test_several_processes_find_the_same(bench, scored, tmp_path):
    images = write_answers(bench, tmp_path / "images", shade=30)
    options = ScoreOptions(progress=False, tracks=("recolor", "editing"))
    alone = scored(images, options).rows
    (tmp_path / "results" / "method" / "scores.jsonl").unlink()
    together = scored(images, ScoreOptions(progress=False, tracks=("recolor", "editing"), workers=2)).rows
    assert alone == together
    assert {row.track for row in alone} == {"recolor", "editing"}


def test_limit_and_tracks(bench, scored, tmp_path):
    images = write_answers(bench, tmp_path / "images")
    found = scored(images, ScoreOptions(progress=False, tracks=("shift", "cross"), limit=1))
    assert [row.id for row in found.rows] == ["shift-0-0", "shift-0-1", "shift-0-2", "cross-0"]
    assert found.about["extra"] == []  # pictures of other cases are no strangers


def test_rows_are_plain_json(bench, scored, tmp_path):
    found = scored(write_answers(bench, tmp_path / "images"))
    lines = (found.folder / "scores.jsonl").read_text().splitlines()
    assert [json.loads(line)["id"] for line in lines] == [case.id for case in bench.cases]


def test_a_damaged_benchmark_is_no_failure_of_the_method(bench, scored, tmp_path):
    images = write_answers(bench, tmp_path / "images")
    (bench.root / "pictures/0-truth.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"0-truth\.png.*benchmark build"):
        scored(images)


def test_the_same_folder_for_two_methods_is_refused(tmp_path):
    (tmp_path / "images").mkdir()
    add_pictures(tmp_path, "a b", tmp_path / "images")
    with pytest.raises(InputError, match="holds the method 'a b' already"):
        add_pictures(tmp_path, "a/b", tmp_path / "images")
    with pytest.raises(InputError, match="no folder"):
        add_pictures(tmp_path, "c", tmp_path / "nothing")
