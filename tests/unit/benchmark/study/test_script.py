"""The page's program: its logic in node, the page itself in a browser; each is skipped where there is none."""

import json
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

import irodori.benchmark.study
from browser import Browser
from irodori.benchmark.study.answers import read_answers
from irodori.benchmark.study.page import StudyOptions, build_study
from studies import make_answers, make_benchmark

PLAN = Path(irodori.benchmark.study.__file__).with_name("plan.js")
NODE = shutil.which("node")

STUDY = {
    "format": 1,
    "id": "0123456789abcdef",
    "ties": True,
    "parts": [
        [
            {"id": f"t{k}", "sketch": f"s{k}", "references": [f"r{k}"], "pictures": [f"a{k}", f"b{k}"]}
            for k in range(21)
        ],
        [{"id": "u", "sketch": "s", "references": [], "pictures": ["a", "b"]}],
    ],
}
JUDGES = [f"{number:032x}" for number in range(400)]


def node(expression):
    """The value of a JavaScript expression that may use plan.js, `study` and `judges`."""
    if NODE is None:
        pytest.skip("node is not installed")
    program = (
        f"const {{ answersFile, canResume, choosePart, newJudge, planTrials }} = require({json.dumps(str(PLAN))});"
        f"const study = {json.dumps(STUDY)}, judges = {json.dumps(JUDGES)};"
        f"console.log(JSON.stringify({expression}));"
    )
    done = subprocess.run([NODE, "-e", program], capture_output=True, text=True, check=True, timeout=60)
    return json.loads(done.stdout)


def test_every_judge_sees_every_trial_once_on_balanced_sides():
    plans = node("judges.map((judge) => planTrials(study, judge, 0))")
    swaps = Counter()
    for plan in plans:
        assert sorted(trial["id"] for trial in plan) == sorted(trial["id"] for trial in STUDY["parts"][0])
        assert all({trial["left"], trial["right"]} == {f"a{trial['id'][1:]}", f"b{trial['id'][1:]}"} for trial in plan)
        assert sum(trial["left"][0] == "a" for trial in plan) in (10, 11)
        swaps.update(trial["id"] for trial in plan if trial["left"][0] == "b")
    assert all(150 < swaps[trial["id"]] < 250 for trial in STUDY["parts"][0])  # 200 ± 5 standard deviations


def test_orders_differ_between_judges_and_every_place_is_as_likely():
    plans = node("judges.map((judge) => planTrials(study, judge, 0).map((trial) => trial.id))")
    assert len({tuple(plan) for plan in plans}) == len(JUDGES)
    places = Counter(plan.index("t0") for plan in plans)
    assert all(places[place] < 45 for place in range(21))  # 19 on average
    assert plans[:3] == node("judges.slice(0, 3).map((judge) => planTrials(study, judge, 0).map((t) => t.id))")


def test_a_part_is_drawn_by_lot_or_asked_for():
    drawn = Counter(node('judges.map((judge) => choosePart(study, judge, ""))'))
    assert drawn.keys() == {0, 1}
    assert 150 < drawn[0] < 250
    assert node('["#part=1", "#part=2"].map((f) => judges.map((judge) => choosePart(study, judge, f)))') == [
        [0] * len(JUDGES),
        [1] * len(JUDGES),
    ]
    assert node('choosePart(study, judges[0], "#part=3") < 2')


def test_judges_have_random_names():
    names = node("[newJudge(), newJudge()]")
    assert names[0] != names[1]
    assert all(re.fullmatch("[0-9a-f]{32}", name) for name in names)


def test_only_answers_of_this_study_in_this_order_are_gone_on_with():
    begin = "const state = {study: study.id, judge: judges[5], part: 0, answers: []};"
    first = "planTrials(study, judges[5], 0)[0].id"
    cases = {
        "state": True,
        f"{{...state, answers: [{{trial: {first}}}]}}": True,
        '{...state, answers: [{trial: "u"}]}': False,
        "{...state, answers: [null]}": False,
        "{...state, answers: 3}": False,
        '{...state, study: "other"}': False,
        '{...state, judge: "Jane"}': False,
        "{...state, part: 2}": False,
        "null": False,
        '"text"': False,
    }
    found = node(f"(() => {{ {begin} return [{', '.join(f'canResume(study, {case})' for case in cases)}]; }})()")
    assert found == list(cases.values())


def test_the_file_has_the_recorded_fields_and_no_more():
    state = '{study: study.id, judge: judges[5], part: 0, answers: [], secret: "Jane"}'
    content = json.loads(node(f"answersFile(study, {state})"))
    assert content == {"format": 1, "study": STUDY["id"], "judge": JUDGES[5], "part": 0, "answers": []}


# --- in a browser ----------------------------------------------------------------------------------------------------


@pytest.fixture
def browser(tmp_path):
    try:
        browser = Browser(tmp_path / "profile")
    except OSError as error:
        pytest.skip(str(error))
    with browser:
        yield browser


def answer(browser, key):
    """Looks for as long as the page demands, then presses."""
    browser.until("ready && clock.seconds() - spentBefore > 0.35")
    browser.press(key)


def test_a_judge_with_a_keyboard(browser, tmp_path):
    benchmark = make_benchmark(tmp_path / "bench", 6)
    methods = make_answers(benchmark, tmp_path / "answers")
    key = build_study(benchmark, methods, tmp_path / "study", StudyOptions(pairs=3), progress=False)
    page = tmp_path / "study" / "page" / "index.html"
    browser.open(page)
    browser.press("ArrowLeft")
    assert browser.value("state.answers.length") == 0
    browser.press("Enter")
    browser.until("ready")
    assert browser.value("byId('position').textContent") == "Pair 1 of 4"
    browser.press("z")
    assert browser.value("document.body.className") == "zoomed"
    answer(browser, "ArrowLeft")
    assert browser.value("state.answers.map((answer) => answer.choice)") == ["left"]
    browser.until("ready && clock.seconds() - spentBefore > 0.35")
    assert browser.value("choose('left'), choose('left'), state.answers.length") == 2  # the next was not seen yet
    browser.press("u")
    answer(browser, " ")
    assert browser.value("state.answers[1].choice") == "tie"
    browser.press("u")
    assert browser.value("state.answers.length") == 1
    answer(browser, "ArrowRight")
    before = browser.value("JSON.stringify(state)")
    browser.open(page)
    assert browser.value("byId('begin').textContent") == "Go on with pair 3"
    assert browser.value("JSON.stringify(state)") == before
    browser.press("Enter")
    for _ in range(2):
        answer(browser, "ArrowRight")
    assert browser.value("byId('done').hidden") is False
    (tmp_path / "file.json").write_text(browser.value("byId('text').value"), encoding="utf-8")
    (judge,) = read_answers([tmp_path / "file.json"], key)
    assert {answer.trial for answer in judge.answers} == key.trials().keys()
    assert [answer.choice for answer in judge.answers] == ["left", "right", "right", "right"]
    assert all(0.3 <= answer.seconds < 20 for answer in judge.answers)
