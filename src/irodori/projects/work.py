"""What a project asks for, as pieces of work that can be done anywhere and in any order; and the doing of one."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from irodori.errors import InputError
from irodori.image_io import list_images, supported_suffixes
from irodori.inference.batch import Options, Runner
from irodori.inference.guidance import ALL_PARTS, Color, is_mask, parse_hint, parse_references
from irodori.inference.palette_files import collect_colors, read_palette
from irodori.inference.plan import Job, check_folder, result_stems
from irodori.projects.project import Character, Frames, Pages, Project

Outcome = Literal["done", "skipped", "failed"]


@dataclass(frozen=True)
class Work:
    """Drawings that one worker colors one after the other: a single page, or the frames of a sequence.

    follow: each result is one more reference for the next.
    """

    name: str
    jobs: tuple[Job, ...]
    options: Options
    follow: bool = False


@dataclass(frozen=True)
class Finished:
    """What became of one drawing.  about: model, seconds or a reason, as one sentence.  process: who did it."""

    sketch: Path
    output: Path
    outcome: Outcome
    about: str
    notices: tuple[str, ...] = ()
    process: int = field(default_factory=os.getpid)


def do_work(runner: Runner, work: Work, *, overwrite: bool = False) -> Iterator[Finished]:
    """Colors the drawings of one piece of work; what is there already, made of the same, is skipped."""
    previous: Path | None = None
    for job in work.jobs:
        following = job if previous is None else _after(job, previous)
        done = runner.attempt(following, work.options, overwrite=overwrite)
        if isinstance(done, str):
            yield Finished(job.sketch, job.output, "failed", done)
            continue
        previous = job.output if work.follow else None
        if done is None:
            yield Finished(job.sketch, job.output, "skipped", "already there")
        else:
            about = f"model {done.provenance['model']}  seed {done.provenance['seed']}  {done.seconds:.1f} s"
            yield Finished(job.sketch, job.output, "done", about, done.notices)


def _after(job: Job, previous: Path) -> Job:
    """The job with the frame before it as one more reference."""
    return replace(job, references=(*job.references, previous), parts=(*job.parts, ALL_PARTS) if job.parts else ())


# --- planning --------------------------------------------------------------------------------------------------------


def plan_work(project: Project, folder: Path, sketches_of: Callable[[Frames], Sequence[Path]]) -> list[Work]:
    """All work of a project whose file lies in a folder; sketches_of: the drawings of frames.

    Raises InputError or ConfigError for what is missing or contradicts itself, before anything is colored.
    """
    output = folder / project.coloring.output
    work = [one for pages in project.pages for one in _page_work(project, pages, folder, output)]
    work += [_frame_work(project, frames, folder, output, sketches_of(frames)) for frames in project.frames]
    targets = Counter(job.output for one in work for job in one.jobs)
    twice = next((path for path, count in targets.items() if count > 1), None)
    if twice is not None:
        raise InputError(f"two drawings would both become {twice}: give one of their pages an output folder of its own")
    inputs = {path.resolve() for one in work for job in one.jobs for path in (job.sketch, *job.references, *job.masks)}
    for path in targets:
        if path.resolve() in inputs:
            raise InputError(f"{path} is used already and would be overwritten: choose another output")
    for parent in sorted({path.parent for path in targets}):
        check_folder(parent)
    return work


def _page_work(project: Project, pages: Pages, folder: Path, output: Path) -> list[Work]:
    files = find_sketches(pages.sketches, folder)
    if len(files) > 1 and (pages.masks or pages.hints or pages.hint_layer):
        raise InputError(
            f"masks and hints are places in one drawing, but {pages.sketches} are {len(files)}: divide them"
        )
    references = _references(project, pages.characters, folder, pages.masks)
    options = replace(
        _options(project, tuple(dict.fromkeys((*pages.characters, *pages.masks))), folder),
        hints=tuple(map(parse_hint, pages.hints)),
        hint_layer=_existing(folder / pages.hint_layer) if pages.hint_layer else None,
    )
    jobs = _jobs(files, output / pages.output, project.coloring.format, references)
    return [Work(str(job.sketch.name), (job,), options) for job in jobs]


def _frame_work(project: Project, frames: Frames, folder: Path, output: Path, files: Sequence[Path]) -> Work:
    references = _references(project, frames.characters, folder, {})
    jobs = _jobs(files, output / frames.name, project.coloring.format, references)
    return Work(frames.name, tuple(jobs), _options(project, frames.characters, folder), frames.follow)


def _jobs(files: Sequence[Path], output: Path, suffix: str, references: Mapping[str, Sequence[Path]]) -> list[Job]:
    paths = tuple(path for one in references.values() for path in one)
    parts = tuple(part for part, one in references.items() for _ in one) if any(references) else ()
    stems = result_stems(files)
    return [Job(file, paths, output / f"{stem}.{suffix}", "", parts) for file, stem in zip(files, stems, strict=True)]


def find_sketches(texts: Sequence[str], folder: Path) -> list[Path]:
    """Files, the pictures in folders, and those that patterns find; InputError for a text that finds none."""
    found: list[Path] = []
    for text in texts:
        path = folder / text
        if path.is_dir():
            files = list_images(path)
        elif path.exists() or not any(letter in text for letter in "*?["):
            files = [path]
        else:
            files = [file for file in _matching(folder, text) if file.suffix.lower() in supported_suffixes]
        if not files:
            raise InputError(f"{path} finds no picture: check the sketches in the project file")
        found += files
    return list(dict.fromkeys(found))


def _matching(folder: Path, pattern: str) -> list[Path]:
    anchor = Path(pattern).anchor
    wanted = set(Path(anchor or folder).glob(str(Path(pattern).relative_to(anchor))))
    parents = sorted({path.parent for path in wanted})
    return [file for parent in parents for file in list_images(parent) if file in wanted]


def _existing(path: Path) -> Path:
    if not path.exists():
        raise InputError(f"{path} does not exist: check its path in the project file")
    return path


def _references(
    project: Project, names: Sequence[str], folder: Path, masks: Mapping[str, str]
) -> dict[str, list[Path]]:
    """The references of some characters by what they are for; of those with a mask, for its place alone."""
    found: dict[str, list[Path]] = {}
    for name in dict.fromkeys((*names, *masks)):
        by_part = _by_part(project.characters[name], folder)
        if name in masks:
            mask = str(_existing(folder / masks[name]))
            if not is_mask(mask):
                raise InputError(
                    f"{mask} is no picture that could be a mask: use one of {' '.join(supported_suffixes)}"
                )
            by_part = {mask: [path for paths in by_part.values() for path in paths]}
        for part, paths in by_part.items():
            found.setdefault(part, []).extend(paths)
    return found


def _by_part(character: Character, folder: Path) -> dict[str, list[Path]]:
    plain = [text for text in character.references if (folder / text).exists()]
    named = parse_references([text for text in character.references if text not in plain])
    by_part = {part: [_existing(folder / path) for path in paths] for part, paths in named.items()}
    by_part.setdefault(ALL_PARTS, []).extend(folder / text for text in plain)
    return {part: paths for part, paths in by_part.items() if paths}


def _options(project: Project, names: Sequence[str], folder: Path) -> Options:
    coloring = project.coloring
    return Options(
        lines=coloring.lines,
        polarity=coloring.polarity,
        image_size=coloring.image_size,
        seed=coloring.seed,
        snap=coloring.snap,
        snap_palette=_palette(project, names, folder),
    )


def _palette(project: Project, names: Sequence[str], folder: Path) -> tuple[Color, ...]:
    """The colors of some characters, if one has a palette; those of the others are what their references show."""
    characters = [project.characters[name] for name in names]
    if not any(character.palette for character in characters):
        return ()
    found: list[Color] = []
    for character in characters:
        if character.palette:
            found += read_palette(folder / character.palette)
        else:
            found += collect_colors([path for paths in _by_part(character, folder).values() for path in paths])
    return tuple(dict.fromkeys(found))
