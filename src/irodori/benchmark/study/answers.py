"""Files of answers as judges download them from the page, checked against the key of the study."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from irodori.benchmark.study.key import Key, read_json
from irodori.errors import InputError

FORMAT = 1

Choice = Literal["left", "right", "tie"]


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a judge chose in one trial; left, right: names of the pictures, as they were shown."""

    trial: str
    left: str
    right: str
    choice: Choice
    seconds: float

    @property
    def chosen(self) -> str | None:
        """Name of the picture that was preferred, None for a tie."""
        return {"left": self.left, "right": self.right}.get(self.choice)


@dataclass(frozen=True)
class Judge:
    """One file of answers.  id: random, chosen by the page.  part: of the study that was shown, from 0."""

    id: str
    path: Path
    part: int
    answers: tuple[Answer, ...]

    def checks_passed(self, key: Key) -> tuple[int, int]:
        """How many attention checks were answered right, and how many were answered at all."""
        checks = [answer for answer in self.answers if answer.trial in key.checks]
        right = [a for a in checks if a.chosen and key.checks[a.trial].pictures[a.chosen] == "truth"]
        return len(right), len(checks)


def read_answers(paths: Sequence[Path], key: Key) -> list[Judge]:
    """Every file, in order of the judges' ids.  InputError for a file that is malformed, of another study, changed,
    or of a judge who was read already.
    """
    judges = [_read(path, key) for path in paths]
    first: dict[str, Path] = {}
    for judge in judges:
        if judge.id in first:
            raise InputError(f"{judge.path}: the same judge as in {first[judge.id]}; give one of the two")
        first[judge.id] = judge.path
    return sorted(judges, key=lambda judge: judge.id)


def _read(path: Path, key: Key) -> Judge:
    content = read_json(path)
    if content.get("format") != FORMAT or "judge" not in content:
        raise _rejected(path, "not a file of answers that this version reads")
    if content.get("study") != key.id:
        raise InputError(f"{path}: answers to another study; give the study.json that its page was built with")
    try:
        judge = Judge(content["judge"], path, content["part"], tuple(_answer(row) for row in content["answers"]))
        _check(judge, key)
    except (KeyError, TypeError, ValueError) as error:
        raise _rejected(path, f"the answers are damaged ({error})") from error
    return judge


def _rejected(path: Path, why: str) -> InputError:
    return InputError(f"{path}: {why}; leave it out, or ask its judge for the file as it was downloaded")


def _answer(row: Mapping[str, Any]) -> Answer:
    answer = Answer(**row)
    if answer.choice not in get_args(Choice):
        raise ValueError(f"unknown choice {answer.choice!r}")
    if isinstance(answer.seconds, bool) or not isinstance(answer.seconds, int | float):
        raise ValueError(f"{answer.seconds!r} seconds")
    if not (math.isfinite(answer.seconds) and answer.seconds >= 0):
        raise ValueError(f"{answer.seconds!r} seconds")
    return answer


def _check(judge: Judge, key: Key) -> None:
    if not isinstance(judge.id, str) or not re.fullmatch("[0-9a-f]{32}", judge.id):
        raise ValueError(f"no judge is called {judge.id!r}")
    trials = key.trials()
    for answer in judge.answers:
        trial = trials.get(answer.trial)
        if trial is None or trial.part != judge.part:
            raise ValueError(f"no trial {answer.trial!r} in part {judge.part!r}")
        if sorted((answer.left, answer.right)) != sorted(trial.pictures):
            raise ValueError(f"other pictures in trial {answer.trial}")
        if answer.choice == "tie" and not key.ties:
            raise ValueError(f"a tie in trial {answer.trial}, where none was offered")
    if len({answer.trial for answer in judge.answers}) != len(judge.answers):
        raise ValueError("a trial is answered twice")
    if not judge.answers:
        raise ValueError("there are none")
