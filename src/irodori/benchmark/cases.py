"""A benchmark on disk: cases that any method can be asked, with exact answers where there are any.

A benchmark is a folder with `benchmark.json` (how it was made, licenses, attribution, counts), `index.jsonl` (one case
a line) and pictures.  A method's answers are a folder with one picture ``<case id>.png`` for each case, at the size of
the case's sketch; nothing else has to be known of the method.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from irodori.errors import DataError

FORMAT = 1
NO_PART = 255
"""In a part map: drawn line, or a place that no part is known for."""

Track = Literal["aligned", "recolor", "variants", "shift", "cross", "editing"]
TRACKS: tuple[Track, ...] = get_args(Track)


@dataclass(frozen=True, kw_only=True)
class Edit:
    """One wish for a changed color: the part, the color, in words too, and how strongly.

    before: id of the case without the edit.  tag: as in ``red_hair``.  color: of the part when scale is 1, 0…255.
    scale: 0 = none, 1 = the color itself.
    """

    before: str
    tag: str
    part: int
    color: tuple[int, int, int]
    scale: float


@dataclass(frozen=True, kw_only=True)
class Case:
    """One sketch and its references; paths are relative to the benchmark's folder, pictures are 8-bit PNG.

    condition: the row of the track's table, e.g. "same style, moved".
    sequence: cases that differ in `position` alone share it (a shift or an edit in steps); "" otherwise.
    position: where the case stands in its sequence or its track: the step, the strength of a warp, the scale.
    truth: the exact answer, or None.  It may show lines where the sketch has them; those do not count.
    parts: gray picture of part numbers, `NO_PART` where none counts, or None.  Numbers below ``len(PART_NAMES)`` have
        names (`irodori.data.index`).
    scored_parts: part numbers whose true color the references tell.
    correspondence: points ``(x, y, reference x, reference y)`` in pixels of sketch and first reference.
    items: ids of the drawings: the sketch's first, then the references'.
    """

    id: str
    track: Track
    condition: str
    sketch: str
    references: tuple[str, ...]
    truth: str | None = None
    parts: str | None = None
    scored_parts: tuple[int, ...] = ()
    correspondence: tuple[tuple[float, float, float, float], ...] = ()
    sequence: str = ""
    position: float = 0.0
    edit: Edit | None = None
    seed: int = 0
    items: tuple[str, ...] = ()
    licenses: tuple[str, ...] = ()

    @staticmethod
    def from_json(row: Mapping[str, Any]) -> Case:
        """Raises KeyError, TypeError or ValueError when a field is missing, unknown or of the wrong kind."""
        fields = dict(row)
        edit = fields.pop("edit", None)
        if edit is not None:
            edit = Edit(**{**edit, "color": _rgb(edit["color"])})
        points = tuple((float(a), float(b), float(c), float(d)) for a, b, c, d in fields.pop("correspondence", ()))
        for name in ("references", "scored_parts", "items", "licenses"):
            fields[name] = tuple(fields.get(name, ()))
        if fields["track"] not in TRACKS:
            raise ValueError(f"unknown track '{fields['track']}'")
        return Case(edit=edit, correspondence=points, **fields)

    @property
    def answer(self) -> str:
        """Name of the picture with which a method answers."""
        return f"{self.id}.png"


def _rgb(values: Sequence[int]) -> tuple[int, int, int]:
    red, green, blue = (int(value) for value in values)
    return red, green, blue


@dataclass(frozen=True)
class Benchmark:
    """A benchmark on disk: `root`, its cases in the order of the index, and `about` (content of `benchmark.json`)."""

    root: Path
    cases: tuple[Case, ...]
    about: dict[str, Any] = field(default_factory=dict)

    @property
    def image_size(self) -> int:
        """Longest side of its pictures, pixels."""
        return int(self.about["image_size"])

    def select(self, tracks: Sequence[str] = (), limit: int = 0) -> list[Case]:
        """Cases of some tracks (none named: all); `limit`: at most so many of each condition, 0 = all."""
        chosen, seen = [], dict[tuple[str, str], int]()
        for case in self.cases:
            if tracks and case.track not in tracks:
                continue
            key = (case.track, case.condition)
            seen[key] = seen.get(key, 0) + 1
            if not limit or seen[key] <= limit:
                chosen.append(case)
        return chosen


def write_cases(root: Path, cases: Iterable[Case], about: Mapping[str, Any]) -> None:
    """Writes `index.jsonl`, then `benchmark.json`; a folder without the latter is not a benchmark yet."""
    lines = [json.dumps(asdict(case), ensure_ascii=False, sort_keys=True) + "\n" for case in cases]
    (root / "index.jsonl").write_text("".join(lines), encoding="utf-8", newline="\n")
    text = json.dumps({"format": FORMAT, **about}, indent=1, ensure_ascii=False, sort_keys=True)
    (root / "benchmark.json").write_text(text + "\n", encoding="utf-8", newline="\n")


def read_benchmark(root: Path) -> Benchmark:
    """Opens a benchmark; DataError when it is missing, incomplete or of another format."""
    try:
        about = json.loads((root / "benchmark.json").read_text(encoding="utf-8"))
        rows = (root / "index.jsonl").read_text(encoding="utf-8").split("\n")
        if about.get("format") != FORMAT:
            raise DataError(
                f"{root}: benchmark format {about.get('format')}, this version reads {FORMAT}; build it again"
            )
        cases = tuple(Case.from_json(json.loads(row)) for row in rows if row.strip())
    except FileNotFoundError as error:
        raise DataError(
            f"{root}: not a benchmark (no {Path(error.filename).name}); run 'irodori benchmark build'"
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
        raise DataError(f"{root}: the index is damaged ({error}); run 'irodori benchmark build' again") from error
    _check(root, cases)
    return Benchmark(root, cases, about)


def _check(root: Path, cases: Sequence[Case]) -> None:
    if len({case.id for case in cases}) != len(cases):
        raise DataError(f"{root}: two cases have the same id; run 'irodori benchmark build' again")
    for case in cases:
        for name in (case.sketch, *case.references, case.truth, case.parts):
            if name is not None and not (root / name).is_file():
                raise DataError(
                    f"{root}: {name} is named in the index but missing; run 'irodori benchmark build' again"
                )
