"""The study on disk: `study.json`, which stays with whoever asks, and `page/`, which is for the judges.

The page is one HTML file and a folder of pictures.  Pictures, trials and the order of both have names drawn by lot, and
the pictures are stored again without what their files said of their making, so that nothing on it tells a method.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from irodori.benchmark.attribution import CREDITS
from irodori.benchmark.cases import Benchmark, Case
from irodori.benchmark.study import answers
from irodori.benchmark.study.checks import SPOILED, Check, check_pictures, design_checks
from irodori.benchmark.study.key import Key, KeyCheck, KeyPair, write_key
from irodori.benchmark.study.pairs import Pair, deal, design_pairs, rounds, spread
from irodori.data.licenses import FOLDER as LICENSES
from irodori.errors import ConfigError, DataError, InputError
from irodori.image import Pixels
from irodori.image_io import over_paper, read_image, to_gray, write_image

TRACKS = ("aligned", "recolor", "variants", "shift", "cross")
"""Tracks that a study can show; an edit is another question, with a wish in words."""

QUESTION = "Which one colors the drawing better, with the colors of the reference?"


@dataclass(frozen=True, kw_only=True)
class StudyOptions:
    """What a study asks.

    pairs: at most so many.  tracks: of the cases; none named = all of `TRACKS`.  seed: of the pairs and names.
    ties: whether "no difference" can be chosen.  parts: each judge sees one of so many, drawn by lot.
    checks: attention checks, as a share of the pairs; spoiled: how, see `SPOILED`.
    notice: words on the first page, such as who asks and what for.
    """

    pairs: int = 100
    tracks: tuple[str, ...] = ()
    seed: int = 0
    question: str = QUESTION
    ties: bool = True
    parts: int = 1
    checks: float = 0.1
    spoiled: tuple[str, ...] = ("untouched", "gray", "hue")
    notice: str = ""

    def __post_init__(self) -> None:
        for name, known in (("tracks", TRACKS), ("spoiled", tuple(SPOILED))):
            for value in getattr(self, name):
                if value not in known:
                    raise ConfigError(f"study.{name}: unknown '{value}'; choose from {', '.join(known)}")
        if not self.spoiled or not 0.0 <= self.checks <= 1.0 or self.parts < 1:
            raise ConfigError("study: give at least one way to spoil, checks from 0 to 1, and at least one part")


class _Gallery:
    """Pictures under names drawn by lot; the same picture has one name wherever it is shown."""

    def __init__(self, generator: np.random.Generator) -> None:
        self._generator = generator
        self._names: dict[Hashable, str] = {}
        self._readers: dict[str, Callable[[], Pixels]] = {}

    def add(self, what: Hashable, read: Callable[[], Pixels]) -> str:
        if what not in self._names:
            name = self._names[what] = opaque(self._generator)
            self._readers[name] = read
        return self._names[what]

    def write(self, folder: Path, progress: bool) -> None:
        """In the order of the names, because the times of files tell as much as their names."""
        for name in tqdm(sorted(self._readers), unit="picture", disable=not progress):
            write_image(folder / f"{name}.webp", self._readers[name]())


def opaque(generator: np.random.Generator) -> str:
    """A name that says nothing."""
    return generator.bytes(8).hex()


def build_study(
    benchmark: Benchmark, methods: Mapping[str, Path], output: Path, options: StudyOptions, progress: bool = True
) -> Key:
    """Writes the study on `methods` (name → folder of answers) to the new folder `output`, whole or not at all.

    Cases that some method did not answer, or not at the sketch's size, are left out and named in the key.
    """
    if output.exists():
        raise InputError(f"{output}: already exists; choose a new folder or delete it first")
    generator = np.random.default_rng(options.seed)
    cases, left_out = _answered(benchmark, methods, options, generator)
    pairs = design_pairs(cases, tuple(methods), options.pairs)
    if len(pairs) < options.parts:
        raise InputError(
            f"{len(pairs)} pairs cannot be split into {options.parts} parts: lower --parts or raise --pairs"
        )
    checks = _checks(benchmark, pairs, options, generator)
    gallery = _Gallery(generator)
    key = Key(
        question=options.question,
        ties=options.ties,
        methods=tuple(methods),
        parts=options.parts,
        pairs=_by_name(deal(pairs, options.parts), partial(_key_pair, methods, gallery), generator),
        checks=_by_name(deal(checks, options.parts), partial(_key_check, benchmark.root, gallery), generator),
        left_out=left_out,
        about={"irodori": version("irodori"), "seed": options.seed, "notice": options.notice},
    )
    by_id = {case.id: case for case in benchmark.cases}
    shown = _shown(key, by_id, benchmark.root, gallery)
    licenses = sorted({name for trial in key.trials().values() for name in by_id[trial.case].licenses})
    html = render_page(key, shown, licenses, credited=(benchmark.root / CREDITS).is_file())
    with _new_folder(output) as folder:
        pictures = folder / "page" / "pictures"
        pictures.mkdir(parents=True)
        gallery.write(pictures, progress)
        (folder / "page" / "index.html").write_text(html, encoding="utf-8", newline="\n")
        _copy_credits(benchmark.root, folder / "page")
        write_key(folder / "study.json", key)
    return key


def _copy_credits(benchmark: Path, page: Path) -> None:
    """Whom to name, and the license texts: what the licenses of the drawings ask for wherever those are shown."""
    if (benchmark / CREDITS).is_file():
        shutil.copyfile(benchmark / CREDITS, page / CREDITS)
    if (benchmark / LICENSES).is_dir():
        shutil.copytree(benchmark / LICENSES, page / LICENSES)


# --- answers of the methods ------------------------------------------------------------------------------------------


def _answered(
    benchmark: Benchmark, methods: Mapping[str, Path], options: StudyOptions, generator: np.random.Generator
) -> tuple[list[Case], dict[str, dict[str, str]]]:
    """As many cases as can be used, in the order of `spread`; what was left out, by method and case."""
    _check_methods(methods)
    left_out: dict[str, dict[str, str]] = {name: {} for name in methods}
    complete = []
    for case in benchmark.select(options.tracks or TRACKS):
        missing = [name for name, folder in methods.items() if not (folder / case.answer).is_file()]
        for name in missing:
            left_out[name][case.id] = "missing"
        if not missing:
            complete.append(case)
    wanted = rounds(len(methods), options.pairs) * (len(methods) * (len(methods) - 1) // 2)
    cases: list[Case] = []
    for case in spread(complete, generator):
        if len(cases) < wanted and _is_usable(benchmark.root, case, methods, left_out):
            cases.append(case)
    if not cases:
        why = next((f"{name}: {case} {reason}" for name in left_out for case, reason in left_out[name].items()), "none")
        raise InputError(f"{benchmark.root}: no case is answered by all of {', '.join(methods)} (first fault: {why}); "
                         "give folders with a picture '<case id>.png' for each case")  # fmt: skip
    return cases, left_out


def _check_methods(methods: Mapping[str, Path]) -> None:
    if len(methods) < 2:
        raise InputError(f"{len(methods)} method is given: name at least two, each with its folder of answers")
    for name, folder in methods.items():
        if not folder.is_dir():
            raise InputError(f"{folder}: no folder with the answers of {name}; check the path")


def _is_usable(root: Path, case: Case, methods: Mapping[str, Path], left_out: dict[str, dict[str, str]]) -> bool:
    size = read_image(root / case.sketch).shape[:2]
    for name, folder in methods.items():
        try:
            found = read_image(folder / case.answer).shape[:2]
        except InputError as error:
            left_out[name][case.id] = str(error)
            continue
        if found != size:
            left_out[name][case.id] = f"{found[1]}×{found[0]} pixels instead of {size[1]}×{size[0]}"
    return not any(case.id in faults for faults in left_out.values())


# --- trials ----------------------------------------------------------------------------------------------------------


def _checks(
    benchmark: Benchmark, pairs: Sequence[Pair], options: StudyOptions, generator: np.random.Generator
) -> list[Check]:
    """At least one for each part, unless none are wanted."""
    if not options.checks:
        return []
    count = options.parts * max(1, round(options.checks * len(pairs) / options.parts))
    cases = [benchmark.cases[number] for number in generator.permutation(len(benchmark.cases))]
    return design_checks(benchmark.root, cases, {pair.case.id for pair in pairs}, options.spoiled, count)


def _by_name(
    parts: Sequence[Sequence[Any]], entry: Callable[[int, Any], Any], generator: np.random.Generator
) -> dict[str, Any]:
    return {opaque(generator): entry(part, member) for part, members in enumerate(parts) for member in members}


def _key_pair(methods: Mapping[str, Path], gallery: _Gallery, part: int, pair: Pair) -> KeyPair:
    case = pair.case
    pictures = {
        gallery.add(("answer", name, case.id), partial(_read, methods[name] / case.answer)): name
        for name in pair.methods
    }
    return KeyPair(case=case.id, track=case.track, condition=case.condition, part=part, pictures=pictures)


def _key_check(root: Path, gallery: _Gallery, part: int, check: Check) -> KeyCheck:
    case = check.case
    right = gallery.add(("truth", case.id), lambda: check_pictures(root, check)[0])
    wrong = gallery.add(("spoiled", check.spoiled, case.id), lambda: check_pictures(root, check)[1])
    return KeyCheck(case=case.id, part=part, pictures={right: "truth", wrong: check.spoiled})


def _shown(key: Key, cases: Mapping[str, Case], root: Path, gallery: _Gallery) -> list[list[dict[str, Any]]]:
    """What the page knows: the trials of each part in the order of their names, pairs and checks alike."""
    parts: list[list[dict[str, Any]]] = [[] for _ in range(key.parts)]
    for name, trial in sorted(key.trials().items()):
        case = cases[trial.case]
        references = [gallery.add(("reference", file), partial(_read, root / file)) for file in case.references]
        sketch = gallery.add(("sketch", case.id), partial(_read_gray, root / case.sketch))
        pictures = sorted(trial.pictures)
        parts[trial.part].append({"id": name, "sketch": sketch, "references": references, "pictures": pictures})
    return parts


def _read(path: Path) -> Pixels:
    return over_paper(read_image(path))


def _read_gray(path: Path) -> Pixels:
    return to_gray(read_image(path))


# --- files -----------------------------------------------------------------------------------------------------------


def render_page(
    key: Key, parts: Sequence[Sequence[Mapping[str, Any]]], licenses: Sequence[str] = (), credited: bool = False
) -> str:
    """The HTML file, with style and program in it.

    parts: as the page is to know them.  licenses: of the drawings.  credited: a file beside it names the artists.
    """
    try:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined
    except ImportError as error:
        raise ConfigError("a study needs more packages: pip install 'irodori[benchmark]'") from error
    folder = Path(__file__).parent
    scripts = [(folder / name).read_text(encoding="utf-8") for name in ("plan.js", "page.js")]
    study = {"format": answers.FORMAT, "id": key.id, "ties": key.ties, "parts": parts}
    environment = Environment(loader=FileSystemLoader(folder), autoescape=True, undefined=StrictUndefined)
    return environment.get_template("page.html").render(
        question=key.question,
        notice=key.about["notice"],
        ties=key.ties,
        licenses=licenses,
        credits=CREDITS if credited else "",
        study=study,
        style=(folder / "page.css").read_text(encoding="utf-8"),
        script="\n".join(scripts),
    )


@contextmanager
def _new_folder(output: Path) -> Iterator[Path]:
    """A folder that takes the name `output` when all is written."""
    partial_folder = output.with_name(output.name + ".partial")
    try:
        shutil.rmtree(partial_folder, ignore_errors=True)
        partial_folder.mkdir(parents=True)
        yield partial_folder
        os.replace(partial_folder, output)
    except OSError as error:
        raise DataError(f"{output}: cannot be written ({error.strerror or error}); choose another folder") from error
    finally:
        shutil.rmtree(partial_folder, ignore_errors=True)
