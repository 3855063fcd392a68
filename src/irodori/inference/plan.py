"""Which sketch is colored after which references into which file."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from irodori.errors import InputError
from irodori.image_io import list_images, supported_suffixes
from irodori.inference.guidance import is_mask
from irodori.inference.layer_files import layer_suffixes

FOREIGN_SUFFIXES = {".gif", ".svg", ".pdf", ".heic", ".avif", ".jxl", ".tga", ".ico"}

output_suffixes = (*supported_suffixes, *layer_suffixes)
"""Lower-case suffixes of the files that a coloring can be saved to."""


@dataclass(frozen=True)
class Job:
    """One sketch to color.

    problem: a sentence if it is known beforehand that the job cannot be done, else empty.
    parts: for each reference the part or the mask that it is for, "" for all others; empty: none is for any of them.
    """

    sketch: Path
    references: tuple[Path, ...]
    output: Path
    problem: str = ""
    parts: tuple[str, ...] = ()

    @property
    def masks(self) -> tuple[Path, ...]:
        """The masks among the parts, each once."""
        return tuple(dict.fromkeys(Path(part) for part in self.parts if is_mask(part)))


def plan_jobs(
    sketches: Sequence[Path],
    references: Sequence[Path] | Mapping[str, Sequence[Path]],
    output: Path,
    suffix: str = ".png",
) -> list[Job]:
    """One job per sketch; folders stand for the images in them.

    References for named parts or under masks are a mapping from part name or mask to files, "" for all other parts.
    suffix: of the results in a folder.
    Reference files are all used for each sketch.  A single reference folder is paired with the sketches by the stem
    of the file names, or, with a single picture in it, used for all.
    Raises InputError when nothing can be done: no sketch, an output that cannot be written or is one of the inputs.
    """
    files = expand(sketches)
    into_folder = len(files) != 1 or any(path.is_dir() for path in sketches)
    targets = plan_outputs(files, output, into_folder, suffix)
    by_part = references if isinstance(references, Mapping) else {"": references}
    parts = tuple(part for part, paths in by_part.items() for _ in paths) if any(by_part) else ()
    pool, partners = _reference_pool([path for paths in by_part.values() for path in paths])
    jobs = [_pair(sketch, target, pool, partners, parts) for sketch, target in zip(files, targets, strict=True)]
    masks = [mask for job in jobs[:1] for mask in job.masks]
    for mask in masks:
        if not mask.exists():
            raise InputError(f"the mask {mask} does not exist: check the path")
    _refuse_overwriting(targets, [*files, *pool, *partners.values(), *masks])
    return jobs


def expand(paths: Sequence[Path]) -> list[Path]:
    """Files as given, and the images in given folders; InputError for a folder without any.

    Of several files one may be missing, which fails alone when its turn comes.
    """
    if len(paths) == 1 and not paths[0].exists():
        raise InputError(f"{paths[0]} does not exist: check the path")
    files: list[Path] = []
    for path in paths:
        found = list_images(path) if path.is_dir() else [path]
        if not found:
            raise InputError(f"{path} holds no image: give a folder with {' '.join(supported_suffixes)} files")
        files.extend(found)
    return list(dict.fromkeys(files))


def plan_outputs(files: Sequence[Path], output: Path, into_folder: bool, new_suffix: str = ".png") -> list[Path]:
    """Where the result of each file goes: `output` itself, or ``<stem><new suffix>`` in it, made here if need be.

    Stems that occur twice get the old suffix into the name.  Raises InputError for an output that cannot be written.
    """
    suffix = output.suffix.lower()
    if not output.is_dir() and suffix in FOREIGN_SUFFIXES:
        raise InputError(f"{output} has a format that cannot be written: use one of {' '.join(output_suffixes)}")
    is_file = suffix in output_suffixes and not output.is_dir()
    if is_file and into_folder:
        raise InputError(f"{output} is one file, but there are several sketches or a folder of them: give a folder")
    check_folder(output.parent if is_file else output)
    return [output] if is_file else [output / f"{stem}{new_suffix}" for stem in result_stems(files)]


def result_stems(files: Sequence[Path]) -> list[str]:
    """The files' names without suffix, or with it where two would be the same; InputError if they still are."""
    stems = Counter(path.stem.casefold() for path in files)
    names = [path.stem if stems[path.stem.casefold()] == 1 else f"{path.stem}_{path.suffix[1:]}" for path in files]
    twice = [name for name, count in Counter(name.casefold() for name in names).items() if count > 1]
    if twice:
        raise InputError(f"two sketches from different folders would both become {twice[0]}: color them one by one")
    return names


def check_folder(folder: Path) -> None:
    """Makes a folder, and sees that a file can be written into it; InputError otherwise."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(f"nothing can be written into {folder} ({reason}): choose another output folder") from error


def side_picture(job: Job, target: Path | None) -> Path | None:
    """Where a picture beside a job's result goes: a path with an image suffix is a file, any other a folder."""
    if target is None or not job.references:
        return None
    is_file = target.suffix.lower() in supported_suffixes and not target.is_dir()
    return target if is_file else target / f"{job.output.stem}.png"


def check_side_pictures(jobs: Sequence[Job], *wanted: Path | None) -> None:
    """InputError when pictures beside the results cannot be written, or would replace an input, a result or another."""
    taken = [path for job in jobs for path in (job.sketch, job.output, *job.references)]
    for path in wanted:
        targets = [target for job in jobs if (target := side_picture(job, path)) is not None]
        if not targets:
            continue
        if len(set(targets)) < len(targets):
            raise InputError(f"{path} is one file, but there are several sketches: give a folder for these pictures")
        check_folder(targets[0].parent)
        _refuse_overwriting(targets, taken)
        taken += targets


def _reference_pool(references: Sequence[Path]) -> tuple[tuple[Path, ...], dict[str, Path]]:
    """References for all sketches, and references by stem; one of the two is empty."""
    for path in references:
        if not path.exists():
            raise InputError(f"the reference {path} does not exist: check the path")
    folders = [path for path in references if path.is_dir()]
    if not folders:
        return tuple(references), {}
    if len(references) > 1:
        raise InputError(f"{folders[0]} is a folder among other references: give one folder, or files only")
    found = expand(folders)
    if len(found) == 1:
        return tuple(found), {}
    partners = {path.stem: path for path in found}
    if len(partners) < len(found):
        twice = next(stem for stem, count in Counter(path.stem for path in found).items() if count > 1)
        raise InputError(f"{folders[0]} holds more than one reference called {twice}: keep one of them")
    return (), partners


def _pair(sketch: Path, output: Path, pool: tuple[Path, ...], partners: dict[str, Path], parts: tuple[str, ...]) -> Job:
    if not partners:
        return Job(sketch, pool, output, parts=parts)
    partner = partners.get(sketch.stem)
    if partner is None:
        return Job(sketch, (), output, f"{sketch} has no reference of the same name in the reference folder: add one")
    return Job(sketch, (partner,), output, parts=parts)


def _refuse_overwriting(targets: Sequence[Path], taken: Sequence[Path]) -> None:
    originals = {path.resolve() for path in taken}
    for target in targets:
        if target.resolve() in originals:
            raise InputError(f"{target} is used already and would be overwritten: choose another output")
