"""Lets a method answer every case; answers that are there already are kept if the same method gave them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path

from tqdm import tqdm

from irodori.benchmark.cases import Benchmark, Case
from irodori.benchmark.methods import BaselineMethod, Question, SystemMethod
from irodori.benchmark.parallel import run_parallel
from irodori.benchmark.results import Method, make_folder, method_folder, read_method, relative_to, write_method
from irodori.errors import DataError, InputError, IrodoriError
from irodori.image_io import read_metadata, write_image
from irodori.weights import file_hash

ANSWER_KEY = "irodori-benchmark"
"""Under this key an answer holds the hash of all that it was made from."""


@dataclass(frozen=True, kw_only=True)
class AnswerOptions:
    """tracks: which; none named: all.  limit: most cases of each condition, 0 = all.  workers: of baselines."""

    tracks: tuple[str, ...] = ()
    limit: int = 0
    workers: int = 1
    progress: bool = True


@dataclass(frozen=True)
class Task:
    """A case to answer: where the picture goes, and the hash of all that it is made from."""

    question: Question
    path: Path
    key: str


def answer_cases(
    benchmark: Benchmark, results: Path, method: SystemMethod | BaselineMethod, options: AnswerOptions | None = None
) -> Path:
    """Lets a method answer and returns its folder; cases that it fails at are listed in `method.json`."""
    options = options or AnswerOptions()
    folder = method_folder(results, method.name)
    make_folder(folder / "answers")
    chosen = _with_befores(benchmark, benchmark.select(options.tracks, options.limit))
    tracks = {case.track for case in chosen if not method.can_answer(case)}  # half a track would be unlike the others'
    declined = tuple(case.id for case in chosen if case.track in tracks)
    tasks = _tasks(benchmark, folder / "answers", method, [case for case in chosen if case.id not in declined])
    record = Method(
        name=method.name,
        kind=method.kind,
        images="answers",
        added=_added(folder),
        about=method.about,
        declined=declined,
    )
    write_method(folder, record)
    failed = _run(method, tasks, options)
    write_method(folder, Method(**{**asdict(record), "failed": failed}))
    return folder


def add_pictures(results: Path, name: str, images: Path) -> Path:
    """Enters a method of which only a folder of pictures is known; returns its folder in the results."""
    if not images.is_dir():
        raise InputError(f"{images} is no folder: give the folder with one picture <case id>.png for each case")
    folder = method_folder(results, name)
    make_folder(folder)
    write_method(folder, Method(name=name, kind="images", images=relative_to(folder, images), added=_added(folder)))
    return folder


def _added(folder: Path) -> str:
    try:
        return read_method(folder).added
    except DataError:
        return datetime.now(UTC).isoformat(timespec="seconds")


def _with_befores(benchmark: Benchmark, cases: Sequence[Case]) -> list[Case]:
    """The cases and those that they edit; these first, because an edit starts from the method's own picture."""
    needed = {case.edit.before for case in cases if case.edit} | {case.id for case in cases}
    found = [case for case in benchmark.cases if case.id in needed]
    return sorted(found, key=lambda case: case.edit is not None)


def _tasks(
    benchmark: Benchmark, answers: Path, method: SystemMethod | BaselineMethod, cases: Sequence[Case]
) -> list[Task]:
    by_id, hash_of = {case.id: case for case in benchmark.cases}, cache(file_hash)
    tasks = []
    for case in cases:
        before = by_id.get(case.edit.before) if case.edit else None
        names = [case.sketch, *case.references, case.truth, case.parts]
        stored = [hash_of(benchmark.root / name) for name in names if name is not None]
        content = json.dumps([method.about, asdict(case), stored], sort_keys=True)
        key = hashlib.sha256(content.encode()).hexdigest()
        question = Question(benchmark.root, case, answers / before.answer if before else None)
        tasks.append(Task(question, answers / case.answer, key))
    return tasks


def _run(method: SystemMethod | BaselineMethod, tasks: Sequence[Task], options: AnswerOptions) -> dict[str, str]:
    """Answers what is not there yet; returns the failures."""
    open_tasks = [task for task in tasks if not _is_current(task)]
    if isinstance(method, BaselineMethod):
        found = run_parallel(_answer, partial(_itself, method), open_tasks, options.workers)
    else:
        found = (_answer(method, task) for task in open_tasks)
    done = tqdm(found, f"asking {method.name}", len(tasks), initial=len(tasks) - len(open_tasks), unit="case",
                disable=not options.progress)  # fmt: skip
    return {name: reason for name, reason in done if reason}


def _itself(method: BaselineMethod) -> BaselineMethod:
    return method


def _answer(method: SystemMethod | BaselineMethod, task: Task) -> tuple[str, str]:
    """Writes one answer; returns the case's id and why it failed, if it did."""
    case = task.question.case
    try:
        pixels = method.answer(task.question)
        task.path.parent.mkdir(parents=True, exist_ok=True)
        write_image(task.path, pixels, {ANSWER_KEY: task.key})
    except Exception as error:  # a foreign system can raise anything; that is its answer to this case
        task.path.unlink(missing_ok=True)
        return case.id, str(error) if isinstance(error, IrodoriError) else f"{type(error).__name__}: {error}"
    return case.id, ""


def _is_current(task: Task) -> bool:
    """Whether the answer is there, whole (its texts are read after its pixels), and made from the same."""
    try:
        return read_metadata(task.path).get(ANSWER_KEY) == task.key
    except InputError:
        return False
