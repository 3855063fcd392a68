"""Scores of a method from its pictures alone: one row for each case, nothing dropped, interrupted work goes on.

A case whose picture is missing, damaged or of another size has failed: it counts the worst value of each figure that
the case has (`irodori.benchmark.figures`), and is named.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

from torch import Tensor
from tqdm import tqdm

from irodori.benchmark.cases import Benchmark, Case
from irodori.benchmark.deep import DeepFigures, FeatureFile, set_figures
from irodori.benchmark.figures import figure_named
from irodori.benchmark.machine import describe_machine, package_versions
from irodori.benchmark.measure import Evidence, case_figures
from irodori.benchmark.parallel import run_parallel
from irodori.benchmark.pictures import other_references, read_answer, read_scene
from irodori.benchmark.results import (
    Method,
    Row,
    Scored,
    read_method,
    read_rows,
    read_scored,
    relative_to,
    write_scores,
)
from irodori.errors import DataError, InputError
from irodori.image import to_tensor
from irodori.image_io import supported_suffixes
from irodori.weights import file_hash

SCORE_VERSION = 1
"""Rows of another version are not kept: raise it when a figure changes its meaning."""


@dataclass(frozen=True, kw_only=True)
class ScoreOptions:
    """tracks: which; none named: all.  limit: most cases of each condition, 0 = all.  workers: processes.

    features: networks for the figures that need one.
    """

    tracks: tuple[str, ...] = ()
    limit: int = 0
    workers: int = 1
    features: tuple[FeatureFile, ...] = ()
    progress: bool = True


@dataclass(frozen=True)
class Job:
    """One answer to score.

    before: the method's picture without the edit.  other: the reference of another drawing, for the leak.
    reason: why the method gave no answer, if it said so.
    """

    case: Case
    answer: Path
    before: Path | None
    other: str | None
    reason: str
    key: str


def score(benchmark: Benchmark, folder: Path, options: ScoreOptions | None = None) -> Scored:
    """Scores the method of a results folder (`method.json` and its pictures) and writes its scores there.

    Rows that were made from the same pictures before are kept.
    """
    options, start = options or ScoreOptions(), time.perf_counter()
    method = read_method(folder)
    jobs = _jobs(benchmark, folder, method, options)
    rows = _score_jobs(benchmark, folder, jobs, options)
    images = folder / method.images
    extra = _extra(benchmark, images)
    cases, known = [job.case for job in jobs], _known_sets(folder)
    sets = set_figures(benchmark.root, cases, rows, images, options.features, known, options.progress)
    about = {
        "benchmark": {**identity(benchmark), "folder": relative_to(folder, benchmark.root)},
        "tracks": list(options.tracks),
        "limit": options.limit,
        "cases": len(rows),
        "failed": sum(row.status == "failed" for row in rows) + len(extra),
        "extra": extra,
        "features": {feature.name: feature.sha256 for feature in options.features},
        "sets": sets,
        "seconds": round(time.perf_counter() - start, 1),
        "machine": describe_machine(),
        "versions": package_versions(),
    }
    write_scores(folder, rows, about)
    _partial(folder).unlink(missing_ok=True)
    return read_scored(folder)


def _known_sets(folder: Path) -> dict[str, Any]:
    """What an earlier scoring found for whole tracks."""
    try:
        return dict(read_scored(folder).about["sets"])
    except (DataError, KeyError):
        return {}


def identity(benchmark: Benchmark) -> dict[str, Any]:
    """What tells this benchmark from others."""
    return {
        "name": str(benchmark.about.get("name") or benchmark.root.resolve().name),
        "index_sha256": file_hash(benchmark.root / "index.jsonl"),
        "image_size": benchmark.about.get("image_size"),
        "cases": len(benchmark.cases),
    }


def _score_jobs(benchmark: Benchmark, folder: Path, jobs: Sequence[Job], options: ScoreOptions) -> list[Row]:
    kept = read_rows([folder / "scores.jsonl", _partial(folder)])
    fresh = [job for job in jobs if job.key not in kept]
    start = partial(Scorer, benchmark.root, options.features)
    with _partial(folder).open("a", encoding="utf-8") as file:
        file.write("\n")  # a line that was cut off ends here
        found = run_parallel(Scorer.score, start, fresh, options.workers)
        done = tqdm(found, f"scoring {folder.name}", len(jobs), initial=len(jobs) - len(fresh), unit="picture",
                    disable=not options.progress)  # fmt: skip
        for row in done:
            file.write(row.to_json() + "\n")
            file.flush()
            kept[row.key] = row
    return [kept[job.key] for job in jobs]


def _partial(folder: Path) -> Path:
    return folder / "scores.partial.jsonl"


class Scorer:
    """What one process needs to score answers."""

    def __init__(self, root: Path, features: Sequence[FeatureFile] = ()) -> None:
        self.root, self.deep = root, DeepFigures(features)

    def score(self, job: Job) -> Row:
        """The row of one case."""
        scene = read_scene(self.root, job.case, job.other)
        try:
            image = to_tensor(read_answer(job.answer, scene.size))[0]
        except InputError as error:
            reason = job.reason or str(error).removeprefix(f"{job.answer} ")
            stand_in = _stand_in(scene.truth, scene.sketch)
            return _failed(job, Evidence(job.case, scene, stand_in, before=stand_in), self.deep, reason)
        evidence = Evidence(job.case, scene, image, _before(job.before, scene.size))
        parts = tuple((part.part, int(part.is_accurate), _rounded(part.mean_delta_e)) for part in evidence.parts)
        figures = {name: _rounded(value) for name, value in case_figures(evidence, self.deep.measures).items()}
        return _row(job, "ok", "", parts, figures)


def _failed(job: Job, stand_in: Evidence, deep: DeepFigures, reason: str) -> Row:
    """What a case counts that has no picture: the worst value of each figure that any picture would have had."""
    found = case_figures(stand_in, deep.measures)
    figures = {name: None if value is None else figure_named(name).worst for name, value in found.items()}
    worst = figure_named("part_delta_e").worst
    assert worst is not None
    return _row(job, "failed", reason, tuple((part.part, 0, worst) for part in stand_in.parts), figures)


def _stand_in(truth: Tensor | None, sketch: Tensor) -> Tensor:
    """A picture of the right size, to find out which figures a case has."""
    return truth if truth is not None else sketch.expand(3, -1, -1)


def _row(job: Job, status: Any, reason: str, parts: Any, figures: dict[str, float | None]) -> Row:
    case = job.case
    return Row(
        id=case.id,
        track=case.track,
        condition=case.condition,
        item=case.items[0] if case.items else case.id,
        sequence=case.sequence,
        position=case.position,
        status=status,
        reason=reason,
        key=job.key,
        parts=parts,
        figures=figures,
    )


def _rounded(value: Any) -> Any:
    """Six digits behind the point: what is left of one number on all machines."""
    return None if value is None else round(float(value), 6)


def _before(path: Path | None, size: tuple[int, int]) -> Tensor | None:
    try:
        return None if path is None else to_tensor(read_answer(path, size))[0]
    except InputError:
        return None  # that case has failed by itself; this one lacks the comparison with it


# --- what there is to score ------------------------------------------------------------------------------------------


def _jobs(benchmark: Benchmark, folder: Path, method: Method, options: ScoreOptions) -> list[Job]:
    others, files = other_references(benchmark.cases), {case.id: case.answer for case in benchmark.cases}
    images, hash_of, found = folder / method.images, cache(file_hash), []
    for case in benchmark.select(options.tracks, options.limit):
        if case.id in method.declined:
            continue
        before = images / files[case.edit.before] if case.edit and case.edit.before in files else None
        answer, other = images / case.answer, others[case.id]
        names = [case.sketch, *case.references, case.truth, case.parts, other]
        stored = [hash_of(benchmark.root / name) for name in names if name is not None]
        key = _key(case, stored, (answer, before), options.features)
        found.append(Job(case, answer, before, other, method.failed.get(case.id, ""), key))
    return found


def _key(case: Case, stored: Sequence[str], given: Sequence[Path | None], features: Sequence[FeatureFile]) -> str:
    """Hash of all that a row is made from; stored: hashes of the benchmark's pictures; given: the method's pictures."""
    hashes = [file_hash(path) if path is not None and path.is_file() else "" for path in given]
    content = [SCORE_VERSION, asdict(case), stored, hashes, [feature.sha256 for feature in features]]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _extra(benchmark: Benchmark, images: Path) -> list[str]:
    """Pictures that answer no case of the benchmark."""
    wanted = {case.answer for case in benchmark.cases}
    return sorted(name for name in _pictures(images) if name not in wanted)


def _pictures(folder: Path) -> Iterator[str]:
    for path in folder.rglob("*"):
        if path.suffix.lower() in supported_suffixes and not path.name.startswith("."):
            yield path.relative_to(folder).as_posix()
