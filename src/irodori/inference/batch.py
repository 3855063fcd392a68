"""Many sketches to a folder: resumable, one failure does not stop the rest."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm

from irodori.editing.masks import MaskOptions
from irodori.errors import InputError, IrodoriError
from irodori.image import Pixels
from irodori.image_io import write_image
from irodori.inference.colorizer import Colorizer, check_image_size, check_lines, check_steering
from irodori.inference.correspondence import Point
from irodori.inference.finish import LineMode
from irodori.inference.guidance import Color, Hint, Stroke, color_tensor, describe, describe_drawing, is_mask
from irodori.inference.layer_files import read_notes
from irodori.inference.plan import Job, check_side_pictures, plan_jobs, side_picture
from irodori.inference.prepare import Polarity
from irodori.inference.result import METADATA_KEY, Result
from irodori.systems.base import Guidance, Sampling
from irodori.systems.text import TextEdit

__all__ = ["BatchReport", "Done", "Job", "Options", "Runner", "plan_jobs", "run_jobs"]


@dataclass(frozen=True, kw_only=True)
class Options:
    """How all sketches of a batch are colored; see `Colorizer.__call__`.

    attention: a file, or for several sketches a folder, for pictures of where the points looked; None: not wanted.
    points: ``(x, y)`` in sketch pixels for those pictures; empty: chosen by the program.
    explain, grid, warped: the same for pictures of which part of the references colored which part of the sketch, of a
        grid over the references brought to the sketch, and of the references' colors before refinement.
    heatmap: the same for pictures of the regions that text edits find in the reference.
    hints, hint_layer, palette, snap, snap_palette, tags, text, masks, sampling: see `Colorizer.run`; hints and mask
        files are for a single sketch.
    """

    lines: LineMode = "keep"
    polarity: Polarity = "auto"
    image_size: int | None = None
    seed: int = 0
    attention: Path | None = None
    points: tuple[Point, ...] = ()
    explain: Path | None = None
    grid: Path | None = None
    warped: Path | None = None
    hints: tuple[Hint | Stroke, ...] = ()
    hint_layer: Path | None = None
    palette: tuple[Color, ...] = ()
    snap: bool = False
    snap_palette: tuple[Color, ...] = ()
    tags: Mapping[str, float] = field(default_factory=dict)
    text: tuple[TextEdit, ...] = ()
    masks: MaskOptions | None = None
    sampling: Sampling | None = None
    heatmap: Path | None = None

    def __post_init__(self) -> None:
        check_lines(self.lines)
        check_steering(self.lines, self.hints or self.hint_layer, self.snaps)
        if self.image_size is not None:
            check_image_size(self.image_size)

    @property
    def snaps(self) -> bool:
        """Whether regions become flats."""
        return self.snap or bool(self.snap_palette)

    def words(self, parts: Sequence[str]) -> dict[str, str]:
        """What the artist asks for, as provenance keeps it; parts: for each reference."""
        steering = describe(self.hints, self.palette, self.snaps, parts, self.tags, self.snap_palette)
        return steering | describe_drawing(self.text, self.masks, self.sampling)

    @property
    def steering(self) -> dict[str, Any]:
        """What the artist asks for, as `Colorizer.run` takes it."""
        names = ("hints", "hint_layer", "palette", "snap", "snap_palette", "tags", "text", "masks", "sampling")
        return {name: getattr(self, name) for name in names}

    @property
    def side_pictures(self) -> dict[str, Path]:
        """Kind and place, as given, of the pictures that are wanted beside each result."""
        given = {
            "attention": self.attention,
            "explain": self.explain,
            "grid": self.grid,
            "warped": self.warped,
            "heatmap": self.heatmap,
        }
        return {kind: path for kind, path in given.items() if path is not None}


@dataclass(frozen=True)
class Done:
    """A file that was written: what the result said about itself, and how long it took in seconds.

    pictures: the files beside it, by kind (`Options.side_pictures`).
    """

    job: Job
    notices: tuple[str, ...]
    provenance: dict[str, str]
    seconds: float
    pictures: Mapping[str, Path] = field(default_factory=dict)


@dataclass
class BatchReport:
    """What became of the jobs.

    skipped: outputs that were there already, made from the same inputs with the same model and options.
    failed: sketch and reason.
    """

    done: list[Done] = field(default_factory=list)
    skipped: list[Path] = field(default_factory=list)
    failed: list[tuple[Path, str]] = field(default_factory=list)


def run_jobs(
    colorizer: Colorizer,
    jobs: Sequence[Job],
    options: Options | None = None,
    *,
    overwrite: bool = False,
    on_done: Callable[[Done], None] = lambda done: None,
) -> BatchReport:
    """Colors all jobs one after the other, with a progress bar on stderr if there are several.

    overwrite: also outputs that are there already, whoever made them.  on_done: called after each written file.
    """
    options = options or Options()
    options = replace(options, tags=colorizer.checked_tags(options.tags))
    check_side_pictures(jobs, *options.side_pictures.values())
    _check_guidance(colorizer, jobs, options)
    runner, report = Runner(colorizer), BatchReport()
    for job in tqdm(jobs, desc="coloring", unit="sketch", disable=len(jobs) < 2):
        done = runner.attempt(job, options, overwrite=overwrite)
        if isinstance(done, str):
            report.failed.append((job.sketch, done))
            continue
        if done is None:
            report.skipped.append(job.output)
            continue
        report.done.append(done)
        with tqdm.external_write_mode():
            on_done(done)
    return report


def _check_guidance(colorizer: Colorizer, jobs: Sequence[Job], options: Options) -> None:
    """InputError for what would fail for every sketch alike."""
    if (options.hints or options.hint_layer) and len(jobs) > 1:
        raise InputError(f"hints are places in one drawing, but there are {len(jobs)} sketches: color it by itself")
    if options.masks and options.masks.files and len(jobs) > 1:
        raise InputError(f"a mask file is for one drawing, but there are {len(jobs)} sketches: color it by itself")
    if any(job.masks for job in jobs[1:]):
        raise InputError(f"masks are places in one drawing, but there are {len(jobs)} sketches: color it by itself")
    palette = color_tensor(options.palette)
    guidance = Guidance(palette=palette, text=options.text, sampling=options.sampling)
    colorizer.system.check_guidance(guidance)


def _is_memory(error: Exception) -> bool:
    """Whether an error of torch, OpenCV or Python itself says that memory ran out; they share no type."""
    text = str(error).lower()
    return isinstance(error, MemoryError) or "out of memory" in text or "allocate" in text


class Runner:
    """Runs jobs on one colorizer and remembers which references it holds."""

    def __init__(self, colorizer: Colorizer) -> None:
        self.colorizer = colorizer
        self.references: tuple[tuple[Path, ...], tuple[str, ...]] | None = None
        self.hashes: dict[Path, str] = {}

    def attempt(self, job: Job, options: Options, *, overwrite: bool) -> Done | str | None:
        """Colors one sketch; None if its output is there already, a sentence if it cannot be colored."""
        try:
            return self.run(job, options, overwrite=overwrite)
        except IrodoriError as error:
            return str(error)
        except (MemoryError, RuntimeError, cv2.error) as error:
            if not _is_memory(error):
                raise
            return f"{job.sketch} needs more memory than there is: lower --image-size"

    def run(self, job: Job, options: Options, *, overwrite: bool) -> Done | None:
        """Colors one sketch; None if its output is there already."""
        if job.problem:
            raise InputError(job.problem)
        start = time.perf_counter()
        wished = options.side_pictures.items()
        pictures = {kind: path for kind, target in wished if (path := side_picture(job, target)) is not None}
        wanted = self._fingerprint(job, options)
        if not overwrite and job.output.exists() and self._is_current(job.output, wanted, pictures.values()):
            return None
        result = self._color(job, options)
        made = [(path, self._side_picture(kind, result, job, options)) for kind, path in pictures.items()]
        for path, pixels in made:
            write_image(path, pixels)
        given = {key: value for key, value in wanted.items() if value}
        result.save(job.output, extra=given | file_names(job))
        return Done(job, result.notices, result.provenance, time.perf_counter() - start, pictures)

    def _color(self, job: Job, options: Options) -> Result:
        self.colorizer.set_sketch(job.sketch, polarity=options.polarity, image_size=options.image_size)
        if (job.references, job.parts) != self.references:
            self.references = None  # if one of them cannot be read, the next job must not believe that it is set
            self.colorizer.set_reference(references_of(job))
            self.references = job.references, job.parts
        return self.colorizer.run(options.seed, options.lines, **options.steering)

    def _fingerprint(self, job: Job, options: Options) -> dict[str, str]:
        """Inputs, model and options: two outputs with the same fingerprint are the same picture."""
        return {
            "weights": self.colorizer.weights_hash,
            "precision": self.colorizer.precision,
            "lines": options.lines,
            "polarity": options.polarity,
            "image_size": str(options.image_size or self.colorizer.system.image_size),
            "seed": str(options.seed),
            **input_hashes(job, self.hashes),
            **options.words(job.parts),
            "mask_sha256": " ".join(content_hash(path) for path in options.masks.files) if options.masks else "",
            "reference_mask_sha256": " ".join(mask_hashes(job)),
            "hint_layer_sha256": content_hash(options.hint_layer) if options.hint_layer else "",
        }

    def _is_current(self, output: Path, wanted: dict[str, str], pictures: Iterable[Path]) -> bool:
        """Whether the output is what this job would make; InputError if it is not even a file of this program."""
        found = refuse_foreign(output)
        matches = wanted["weights"] != "" and all(found.get(key, "") == value for key, value in wanted.items())
        return matches and all(path.exists() for path in pictures)

    def _side_picture(self, kind: str, result: Result, job: Job, options: Options) -> Pixels:
        if kind == "heatmap":
            return np.asarray(self.colorizer.heatmap(options.text))
        if kind == "warped":
            if result.warped_reference is None:
                raise InputError(
                    f"{job.sketch}: the model {self.colorizer.name} does not warp its reference: leave it out"
                )
            return np.asarray(result.warped_reference)
        if result.correspondence is None:
            raise InputError(f"{job.sketch}: the model {self.colorizer.name} has no attention to show: leave it out")
        if kind == "attention":
            return result.correspondence.picture(options.points)
        return np.asarray(result.explain() if kind == "explain" else result.grid())


def references_of(job: Job) -> list[Path] | dict[str, list[Path]]:
    """A job's references as `Colorizer.set_reference` takes them."""
    if not any(job.parts):
        return list(job.references)
    found: dict[str, list[Path]] = {}
    for part, path in zip(job.parts, job.references, strict=True):
        found.setdefault(part, []).append(path)
    return found


def input_hashes(job: Job, known: dict[Path, str] | None = None) -> dict[str, str]:
    """SHA-256 of the inputs for provenance; `known` remembers those of references from one job to the next."""
    hashes = {} if known is None else known
    for path in job.references:
        hashes[path] = hashes.get(path) or content_hash(path)
    references = " ".join(hashes[path] for path in job.references)
    return {"sketch_sha256": content_hash(job.sketch), "reference_sha256": references}


def mask_hashes(job: Job) -> list[str]:
    """For each reference the SHA-256 of its mask, "-" without one; empty if none has one."""
    return [content_hash(Path(part)) if is_mask(part) else "-" for part in job.parts] if job.masks else []


def file_names(job: Job) -> dict[str, str]:
    """Names of the inputs for provenance, without their folders, which are private; those of references as JSON."""
    names = [path.name for path in job.references]
    return {"sketch": job.sketch.name} | ({"references": json.dumps(names, ensure_ascii=False)} if names else {})


def content_hash(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal digits; InputError if it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}): check the path") from error


def refuse_foreign(output: Path) -> dict[str, str]:
    """What a file in the place of an output says about itself; InputError if it is not of this program."""
    found = _provenance(output) if output.exists() else {}
    if found is None:
        raise InputError(f"{output} exists and was not made by irodori: choose another output, or --overwrite it")
    return found


def _provenance(path: Path) -> dict[str, str] | None:
    """What a file says about how it was made; None if this program did not make it.

    BMP has no place for provenance: such a file counts as ours, but never as current.
    """
    if path.suffix.lower() == ".bmp":
        return {}
    try:
        found = json.loads(read_notes(path)[METADATA_KEY])
    except (IrodoriError, KeyError, ValueError):
        return None
    return found if isinstance(found, dict) else None
