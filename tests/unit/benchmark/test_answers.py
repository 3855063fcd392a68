"""Every case is asked once, answers are kept while nothing changed, failures are listed, edits become hints."""

import json
import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from benches import HAIR, WISH, answer, draw, make_bench
from fakes import FakeSystem, MirrorSystem
from irodori.benchmark.answers import AnswerOptions, answer_cases
from irodori.benchmark.methods import BaselineMethod, Question, SystemMethod, edit_color, make_method, middle
from irodori.benchmark.results import read_method
from irodori.errors import ConfigError, InputError, WeightsError
from irodori.image_io import read_metadata
from irodori.inference.colorizer import Colorizer
from irodori.systems.text import TextEdit

QUIET = AnswerOptions(progress=False)


class Asked(SystemMethod):
    """A method around a system in memory, which remembers what it was asked; `broken` cases make it fail."""

    def __init__(self, system, broken=()):
        self.colorizer, self.seed, self.name = Colorizer(system, "fake", device="cpu"), 0, "fake"
        self.asked, self.broken = [], broken

    def answer(self, question: Question):
        self.asked.append(question.case.id)
        if question.case.id in self.broken:
            raise RuntimeError("out of ideas")
        return super().answer(question)


@pytest.fixture
def bench(tmp_path):
    return make_bench(tmp_path / "bench")


def _pictures(folder):
    return sorted(path.name for path in (folder / "answers").iterdir())


def test_every_case_is_answered_at_its_size(bench, tmp_path):
    method = Asked(FakeSystem())
    folder = answer_cases(bench, tmp_path / "results", method, QUIET)
    assert _pictures(folder) == sorted(case.answer for case in bench.cases)
    assert {Image.open(folder / "answers" / case.answer).size for case in bench.cases} == {(64, 64)}
    assert sorted(method.asked) == sorted(case.id for case in bench.cases)
    found = read_method(folder)
    assert (found.name, found.kind, found.failed, found.declined) == ("fake", "system", {}, ())


def test_answers_are_kept_until_something_changes(bench, tmp_path):
    results = tmp_path / "results"
    folder = answer_cases(bench, results, Asked(FakeSystem()), QUIET)
    added = read_method(folder).added
    again = Asked(FakeSystem())
    answer_cases(bench, results, again, QUIET)
    assert again.asked == []
    assert read_method(folder).added == added

    (folder / "answers/recolor-0.png").unlink()
    damaged = folder / "answers/recolor-1.png"
    damaged.write_bytes(damaged.read_bytes()[:-40])
    Image.new("RGB", (64, 64)).save(folder / "answers/cross-0.png")
    answer_cases(bench, results, again, QUIET)
    assert again.asked == ["recolor-0", "cross-0", "recolor-1"]

    other = Asked(FakeSystem())
    other.seed = 1
    answer_cases(bench, results, other, replace(QUIET, tracks=("cross",)))
    assert other.asked == ["cross-0", "cross-1"]


def test_a_changed_case_is_asked_again(bench, tmp_path):
    results = tmp_path / "results"
    answer_cases(bench, results, Asked(FakeSystem()), QUIET)
    Image.fromarray(draw(5).colored).save(bench.root / "pictures/1-reference.png")
    again = Asked(FakeSystem())
    answer_cases(bench, results, again, QUIET)
    assert set(again.asked) == {"recolor-1", "aligned-1", "cross-1", "edit-1", "edit-1-0", "edit-1-0.5", "edit-1-1"}


def test_failures_are_listed_and_the_rest_goes_on(bench, tmp_path):
    method = Asked(FakeSystem(), broken=("recolor-0", "edit-1"))
    folder = answer_cases(bench, tmp_path / "results", method, QUIET)
    failed = read_method(folder).failed
    assert failed["recolor-0"] == "RuntimeError: out of ideas"
    assert "no picture to edit" in failed["edit-1-1"]
    assert failed.keys() == {"recolor-0", "edit-1", "edit-1-0.5", "edit-1-1"}
    assert "recolor-0.png" not in _pictures(folder)
    healed = Asked(FakeSystem())
    answer_cases(bench, tmp_path / "results", healed, QUIET)
    assert set(healed.asked) == failed.keys()
    assert read_method(folder).failed == {}


def test_a_failure_takes_its_old_picture_away(bench, tmp_path):
    folder = answer_cases(bench, tmp_path / "results", Asked(FakeSystem()), QUIET)
    broken = Asked(FakeSystem(), broken=("recolor-0",))
    broken.seed = 1
    answer_cases(bench, tmp_path / "results", broken, QUIET)
    assert not (folder / "answers/recolor-0.png").exists()


def test_what_an_edit_starts_from_is_asked_too(bench, tmp_path):
    method = Asked(FakeSystem())
    only_last = replace(bench, cases=tuple(case for case in bench.cases if case.id in ("edit-0", "edit-0-1")))
    answer_cases(replace(only_last, cases=only_last.cases[::-1]), tmp_path / "results", method, QUIET)
    assert method.asked == ["edit-0", "edit-0-1"]


def test_the_seed_of_the_case_decides(bench, tmp_path):
    """The fake paints a seeded color: same seed and references, same picture."""
    seeds = {"recolor-0": 7, "cross-0": 7, "aligned-0": 8}
    cases = tuple(replace(case, seed=seeds[case.id]) for case in bench.cases if case.id in seeds)
    folder = answer_cases(replace(bench, cases=cases), tmp_path / "results", Asked(FakeSystem()), QUIET)
    first, same, other = (np.asarray(Image.open(folder / "answers" / f"{n}.png")) for n in
                          ("recolor-0", "cross-0", "aligned-0"))  # fmt: skip
    assert (first == same).all()
    assert (first != other).any()


def test_an_edit_is_a_hint_in_the_part(bench, tmp_path):
    """The mirror takes hints: its hair gets exactly the color between its own before and the wish, skin stays."""
    system = MirrorSystem()
    folder = answer_cases(bench, tmp_path / "results", Asked(system), QUIET)
    before, none, half, full = (
        np.asarray(Image.open(folder / "answers" / f"edit-0{name}.png")) for name in ("", "-0", "-0.5", "-1")
    )
    middle_of_hair = before[16, 28].astype(int)
    assert (none == before).all()
    assert tuple(full[16, 28]) == WISH
    assert np.abs(half[16, 28] - (middle_of_hair + np.array(WISH)) / 2).max() <= 1
    assert (full[40, 28] == before[40, 28]).all()
    assert "hint" in read_method(folder).about["edits"]
    assert sum(guidance.hints is not None for guidance in system.given) == 4


class TagSystem(MirrorSystem):
    """The mirror, where a tag whitens the picture as far as its value says."""

    takes = frozenset({"tags"})
    tags = ("red_hair",)

    def paint(self, sketch_code, reference_code, noise, guidance):
        output = super().paint(sketch_code, reference_code, noise, guidance)
        return replace(output, image=output.image.lerp(torch.ones(()), dict(guidance.tags).get("red_hair", 0.0)))


def test_an_edit_is_a_tag_for_who_takes_tags(bench, tmp_path):
    system = TagSystem()
    folder = answer_cases(bench, tmp_path / "results", Asked(system), QUIET)
    check_whitened(folder)
    assert "tag" in read_method(folder).about["edits"]
    assert all(guidance.hints is None for guidance in system.given)


def check_whitened(folder):
    """The picture grows white as the edit grows strong."""
    before, none, half, full = (
        np.asarray(Image.open(folder / "answers" / f"edit-0{name}.png"))[40, 28].astype(int)
        for name in ("", "-0", "-0.5", "-1")
    )
    assert (none == before).all()
    assert np.abs(half - (before + 255) / 2).max() <= 1
    assert (full == 255).all()


class TextSystem(MirrorSystem):
    """The mirror, where words whiten the picture as far as their scale says."""

    takes = frozenset({"text"})

    def paint(self, sketch_code, reference_code, noise, guidance):
        share = sum(edit.scale for edit in guidance.text) / TextEdit.scale
        output = super().paint(sketch_code, reference_code, noise, guidance)
        return replace(output, image=output.image.lerp(torch.ones(()), share))


def test_an_edit_is_in_words_for_who_takes_text(bench, tmp_path):
    system = TextSystem()
    folder = answer_cases(bench, tmp_path / "results", Asked(system), QUIET)
    check_whitened(folder)
    assert "text" in read_method(folder).about["edits"]
    asked = [guidance.text[0] for guidance in system.given if guidance.text]
    assert {(edit.target, edit.control) for edit in asked} == {("red hair", "hair")}
    assert all(guidance.hints is None for guidance in system.given)


def test_a_tag_that_the_system_does_not_know_is_a_failure(bench, tmp_path):
    system = TagSystem()
    system.tags = ("blue_hair",)
    folder = answer_cases(bench, tmp_path / "results", Asked(system), QUIET)
    failed = read_method(folder).failed
    assert "'red_hair' is no tag of this model" in failed["edit-0-1"]
    assert "edit-0-0" not in failed


def test_edits_without_parts_or_pixels(bench, tmp_path):
    case = next(case for case in bench.cases if case.id == "edit-0-1")
    method = Asked(FakeSystem())
    with pytest.raises(InputError, match="no map of parts"):
        method.answer(Question(bench.root, replace(case, parts=None)))
    with pytest.raises(InputError, match="no pixel of the sketch belongs to the part 9"):
        method.answer(Question(bench.root, replace(case, edit=replace(case.edit, part=9))))


def test_middle_of_a_part():
    mask = np.zeros((40, 60), np.bool_)
    mask[10:21, 30:51] = True
    mask[2:5, 2:5] = True
    x, y = middle(mask)
    assert y == 15
    assert 35 <= x <= 45
    assert middle(np.ones((9, 9), np.bool_)) == (4, 4)


def test_color_of_an_edit():
    case = make_edit(1.0)
    before = np.array([[0, 100, 255]] * 5 + [[9, 9, 9]] * 2, np.uint8)
    assert edit_color(case, before) == WISH
    assert edit_color(replace(case, scale=0.5), before) == (100, 70, 148)
    assert edit_color(replace(case, scale=3.0), before) == (255, 0, 0)


def make_edit(scale):
    from irodori.benchmark.cases import Edit

    return Edit(before="a", tag="red_hair", part=HAIR, color=WISH, scale=scale)


def test_baselines_answer_what_they_can(bench, tmp_path):
    options = replace(QUIET, tracks=("recolor", "cross", "editing"))
    folder = answer_cases(bench, tmp_path / "results", BaselineMethod("ceiling"), options)
    assert _pictures(folder) == ["recolor-0.png", "recolor-1.png"]
    assert (np.asarray(Image.open(folder / "answers/recolor-0.png")) == answer(bench.cases[0])).mean() > 0.99
    declined = read_method(folder).declined
    assert set(declined) == {case.id for case in bench.cases if case.track in ("cross", "editing")}  # the tracks whole
    about = json.loads((folder / "method.json").read_text())["about"]
    assert about["edits"] == "not given"
    assert "irodori-benchmark" in read_metadata(folder / "answers/recolor-0.png")


def test_a_method_travels_to_other_processes():
    method = pickle.loads(pickle.dumps(BaselineMethod("fill")))
    assert (method.name, method.baseline.name) == ("baseline:fill", "fill")


def test_names_of_methods(tiny_weights):
    assert make_method("baseline:fill").name == "baseline:fill"
    assert make_method(str(tiny_weights), device="cpu").name == "tiny"
    assert make_method(f"ours={tiny_weights}", device="cpu").name == "ours"
    with pytest.raises(ConfigError, match="write baseline:fill"):
        make_method("fill")
    with pytest.raises(ConfigError, match="unknown baseline"):
        make_method("baseline:nothing")
    with pytest.raises(WeightsError, match="neither shipped weights"):
        make_method("nothing-at-all")


def test_what_a_network_drew_itself_is_another_answer(bench, tiny_weights):
    """Without the artist's lines on top; answers with them stay valid when this is not asked for."""
    usual, raw = (make_method(str(tiny_weights), device="cpu", lines=lines) for lines in ("keep", "model"))
    assert raw.about == {**usual.about, "lines": "model"}
    question = Question(bench.root, bench.cases[0])
    expected = raw.colorizer(
        bench.root / bench.cases[0].sketch, [bench.root / name for name in bench.cases[0].references],
        seed=bench.cases[0].seed, lines="model",
    )  # fmt: skip
    assert np.array_equal(raw.answer(question), expected.pixels)
    assert not np.array_equal(raw.answer(question), usual.answer(question))


@pytest.fixture
def tiny_weights(tmp_path):
    from irodori.systems import build_system, preset

    folder = tmp_path / "tiny"
    Colorizer(build_system("scft", preset("scft/tiny").system), device="cpu").save_pretrained(folder)
    return folder
