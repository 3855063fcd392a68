"""Files of answers: those of the study are read, all others are refused with one sentence."""

import json
from dataclasses import replace

import pytest

from irodori.benchmark.study.answers import read_answers
from irodori.benchmark.study.key import Key, KeyCheck, KeyPair, read_key, write_key
from irodori.errors import InputError
from studies import answer_file, attentive

STRENGTHS = {"a": 1.0, "b": 0.0}
KEY = Key(
    question="Which?",
    ties=False,
    methods=("a", "b"),
    parts=2,
    pairs={
        "one": KeyPair(case="x", track="cross", condition="c", part=0, pictures={"p": "a", "q": "b"}),
        "two": KeyPair(case="y", track="cross", condition="c", part=0, pictures={"r": "a", "s": "b"}),
        "far": KeyPair(case="z", track="cross", condition="c", part=1, pictures={"t": "a", "u": "b"}),
    },
    checks={"check": KeyCheck(case="x", part=0, pictures={"v": "truth", "w": "gray"})},
    left_out={"a": {}, "b": {}},
    about={},
)


@pytest.fixture
def file(tmp_path):
    return answer_file(tmp_path / "answers.json", KEY, 7, attentive(STRENGTHS))


def test_the_key_comes_back(tmp_path):
    write_key(tmp_path / "study.json", KEY)
    assert read_key(tmp_path / "study.json") == KEY


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content.pop("format"), "not the key of a study"),
        (lambda content: content.pop("pairs"), "damaged"),
        (lambda content: content["pairs"]["one"].pop("case"), "damaged"),
        (lambda content: content["pairs"]["one"]["pictures"].update(p="b", q="a"), "changed by hand"),
    ],
)
def test_other_keys_are_refused(tmp_path, change, message):
    path = tmp_path / "study.json"
    write_key(path, KEY)
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=rf"study\.json: .*{message}"):
        read_key(path)


def test_answers_are_read_and_checks_counted(file, tmp_path):
    other = answer_file(tmp_path / "other.json", KEY, 3, lambda left, right, _: "left" if right == "truth" else "right")
    one, two = read_answers([file, other], KEY)
    assert (one.path, two.path) == (other, file)
    assert {answer.trial for answer in two.answers} == {"one", "two", "check"}
    assert one.checks_passed(KEY) == (0, 1)
    assert two.checks_passed(KEY) == (1, 1)


def test_a_tie_is_no_right_answer_to_a_check(tmp_path):
    key = replace(KEY, ties=True)
    (judge,) = read_answers([answer_file(tmp_path / "answers.json", key, 7, lambda *_: "tie")], key)
    assert judge.checks_passed(key) == (0, 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content.pop("format"), "not a file of answers"),
        (lambda content: content.update(format=2), "not a file of answers"),
        (lambda content: content.update(study="0" * 16), "another study"),
        (lambda content: content.update(judge="Jane Doe"), "no judge is called 'Jane Doe'"),
        (lambda content: content.update(judge=7), "no judge is called 7"),
        (lambda content: content.update(part=1), "no trial"),
        (lambda content: content.update(part=None), "no trial"),
        (lambda content: content.update(answers=[]), "there are none"),
        (lambda content: content.update(answers={"one": 1}), "damaged"),
        (lambda content: content["answers"][0].pop("seconds"), "seconds"),
        (lambda content: content["answers"][0].update(name="Jane"), "name"),
        (lambda content: content["answers"][0].update(seconds=-1), "-1 seconds"),
        (lambda content: content["answers"][0].update(seconds="2"), "'2' seconds"),
        (lambda content: content["answers"][0].update(seconds=float("nan")), "nan seconds"),
        (lambda content: content["answers"][0].update(choice="both"), "unknown choice 'both'"),
        (lambda content: content["answers"][0].update(choice="tie"), "where none was offered"),
        (lambda content: content["answers"][0].update(trial="four"), "no trial 'four'"),
        (lambda content: content["answers"][0].update(trial=["one"]), "damaged"),
        (lambda content: content["answers"][0].update(left="p", right="p"), "other pictures"),
        (lambda content: content["answers"].append(content["answers"][0]), "answered twice"),
    ],
)
def test_other_answers_are_refused(file, change, message):
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))
    with pytest.raises(InputError, match=rf"answers\.json: .*{message}.*; ") as caught:
        read_answers([file], KEY)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff\xfe", b"[" * 100_000])
def test_what_is_no_json_object_is_refused(file, content):
    file.write_bytes(content)
    with pytest.raises(InputError, match=r"answers\.json: (not a JSON file|holds no JSON object)"):
        read_answers([file], KEY)


def test_the_same_judge_twice_and_a_missing_file_are_refused(file, tmp_path):
    again = answer_file(tmp_path / "again.json", KEY, 7, attentive(STRENGTHS))
    with pytest.raises(InputError, match=r"again\.json: the same judge as in .*answers\.json"):
        read_answers([file, again], KEY)
    with pytest.raises(InputError, match=r"nowhere\.json: cannot be read"):
        read_answers([tmp_path / "nowhere.json"], KEY)
