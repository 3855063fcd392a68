"""A project from its file to its results: what is new or has changed is colored, the rest is left alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from tqdm import tqdm

from irodori.errors import InputError
from irodori.image_io import read_image
from irodori.inference.batch import Runner
from irodori.inference.colorizer import Colorizer
from irodori.inference.flicker import Flicker, measure_flicker
from irodori.inference.layer_files import read_picture
from irodori.inference.prepare import prepare_sketch
from irodori.projects.project import Frames, Project, project_file, read_project
from irodori.projects.video import CODECS, join_frames, take_frames
from irodori.projects.work import Finished, Work, do_work, find_sketches, plan_work

Engine = Literal["local", "ray"]
ENGINES: tuple[Engine, ...] = ("local", "ray")

FRAME_RATE = 24.0
STALE_SECONDS = 3600
"""Half-written files of runs that were killed are removed when nobody has touched them for so long."""


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """engine: this process, or a Ray cluster with so many workers (0: as many as it has room for).

    overwrite: color again what is there already.
    """

    engine: Engine = "local"
    workers: int = 0
    overwrite: bool = False
    device: str = "auto"
    offline: bool = False


@dataclass(frozen=True)
class Sequence:
    """Frames that were colored.  mean, worst: flicker in ΔE2000; frame: after which it is worst.  video: if joined."""

    name: str
    mean: float
    worst: float
    frame: str
    video: Path | None = None


@dataclass
class ProjectReport:
    """What became of a project."""

    finished: list[Finished] = field(default_factory=list)
    sequences: list[Sequence] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def of(self, outcome: str) -> list[Finished]:
        """The drawings with one outcome."""
        return [one for one in self.finished if one.outcome == outcome]

    @property
    def failed(self) -> bool:
        """Whether anything could not be done."""
        return bool(self.of("failed") or self.problems)

    def to_dict(self) -> dict[str, Any]:
        """As plain data for JSON."""
        return {
            "results": [{**asdict(one), "sketch": str(one.sketch), "output": str(one.output)} for one in self.finished],
            "sequences": [{**asdict(one), "video": str(one.video) if one.video else None} for one in self.sequences],
            "problems": self.problems,
        }


def run_project(
    path: Path, options: RunOptions, on_finished: Callable[[Finished], None] = lambda finished: None
) -> ProjectReport:
    """Does everything that a project asks for; on_finished: called after each drawing.

    Raises InputError, ConfigError or WeightsError for what would fail for every drawing alike.
    """
    path = project_file(path)
    project, folder = read_project(path), path.parent
    rates: dict[str, float] = {}
    work = _planned(project, folder, rates)
    _remove_stale({job.output.parent for one in work for job in one.jobs})
    report = ProjectReport()
    count = sum(len(one.jobs) for one in work)
    for finished in tqdm(
        _done(project, work, options), total=count, desc="coloring", unit="drawing", disable=count < 2
    ):
        report.finished.append(finished)
        with tqdm.external_write_mode():
            on_finished(finished)
    by_name = {one.name: one for one in work if one.follow or len(one.jobs) > 1}
    for frames in project.frames:
        _finish_frames(project, frames, by_name.get(frames.name), folder, rates, report)
    return report


def plan_project(path: Path) -> list[Work]:
    """What a project would do; raises what `run_project` would raise beforehand."""
    path = project_file(path)
    return _planned(read_project(path), path.parent, {})


def _planned(project: Project, folder: Path, rates: dict[str, float]) -> list[Work]:
    return plan_work(project, folder, lambda frames: _frame_sketches(project, frames, folder, rates))


def _done(project: Project, work: list[Work], options: RunOptions) -> Iterable[Finished]:
    if options.engine == "ray":
        from irodori.projects.cluster import run_on_ray

        return run_on_ray(work, project.coloring.model, options)
    return _run_here(project, work, options)


def _run_here(project: Project, work: list[Work], options: RunOptions) -> Iterator[Finished]:
    colorizer = Colorizer.from_pretrained(project.coloring.model, options.device, options.offline)
    runner = Runner(colorizer)
    for one in work:
        yield from do_work(runner, one, overwrite=options.overwrite)


def _remove_stale(folders: set[Path]) -> None:
    """Half-written files that a killed run left behind."""
    for folder in folders:
        for path in folder.glob(".irodori-*"):
            try:
                if time.time() - path.stat().st_mtime > STALE_SECONDS:
                    path.unlink()
            except OSError:
                continue  # somebody else was quicker


# --- frames ----------------------------------------------------------------------------------------------------------


def _frame_sketches(project: Project, frames: Frames, folder: Path, rates: dict[str, float]) -> list[Path]:
    if frames.output_video and Path(frames.output_video).suffix.lower() not in CODECS:
        raise InputError(f"{frames.output_video} is no video that can be written: use one of {' '.join(CODECS)}")
    if not frames.video:
        return find_sketches(frames.sketches, folder)
    place = folder / project.coloring.output / f"{frames.name}-sketches"
    files, rates[frames.name] = take_frames(folder / frames.video, place)
    return files


def _finish_frames(
    project: Project, frames: Frames, work: Work | None, folder: Path, rates: dict[str, float], report: ProjectReport
) -> None:
    """Measures the flicker of a sequence whose frames are all there, and joins them in a video."""
    if work is None or not all(job.output.exists() for job in work.jobs):
        return
    video = folder / project.coloring.output / frames.output_video if frames.output_video else None
    try:
        if video is not None:
            rate = frames.frame_rate or rates.get(frames.name, FRAME_RATE)
            join_frames([job.output for job in work.jobs], video, rate)
        report.sequences.append(_measured(work, video))
    except InputError as error:
        report.problems.append(str(error))


def _measured(work: Work, video: Path | None) -> Sequence:
    steps: list[tuple[str, Flicker]] = []
    before = None
    for job in work.jobs:
        lines = prepare_sketch(read_image(job.sketch), work.options.polarity).lines
        now = lines, read_picture(job.output)
        if before is not None and before[0].shape == lines.shape:
            found = measure_flicker((before[0], lines), (before[1], now[1]))
            steps += [(job.sketch.name, found)] if found is not None else []
        before = now
    if not steps:
        return Sequence(work.name, 0.0, 0.0, "", video)
    frame, worst = max(steps, key=lambda step: step[1].worst)
    return Sequence(work.name, float(np.mean([one.mean for _, one in steps])), worst.worst, frame, video)
