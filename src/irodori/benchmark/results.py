"""A folder of results: for each method what it is, its answers, and its scores.

``RESULTS/<method>/method.json``, ``answers/<case id>.png``, ``scores.jsonl`` (one case a line), ``scores.json``.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from irodori.errors import DataError, InputError
from irodori.image_io import write_whole

FORMAT = 1

MethodKind = Literal["system", "images", "baseline"]
Status = Literal["ok", "failed"]


@dataclass(frozen=True, kw_only=True)
class Method:
    """What is known of a method beside its pictures.

    images: folder of its pictures, as seen from the method's folder.  added: when, ISO 8601, decides the order.
    about: weights, seed, options, how edits were given.  failed: case id and why there is no answer.
    declined: ids of cases in tracks that it cannot be asked in, such as for the truth where there is none.
    """

    name: str
    kind: MethodKind
    images: str
    added: str
    about: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    declined: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Row:
    """The score of one case.

    item: the sketch's drawing; cases of one drawing are not independent of each other.
    reason: why it failed.  key: hash of everything that the figures were made from.
    parts: for each scored part its number, whether its color is accurate (0 or 1), and its mean ΔE2000.
    figures: by name; None where a figure has no value.  A failed case holds what it counts.
    """

    id: str
    track: str
    condition: str
    item: str
    sequence: str
    position: float
    status: Status
    reason: str
    key: str
    parts: tuple[tuple[int, int, float], ...]
    figures: dict[str, float | None]

    def to_json(self) -> str:
        """One line."""
        return json.dumps(asdict(self), ensure_ascii=False, sort_keys=True, allow_nan=False)

    @staticmethod
    def from_json(text: str) -> Row:
        """Raises ValueError or TypeError for a line that is none."""
        fields = json.loads(text)
        parts = tuple((int(number), int(accurate), float(mean)) for number, accurate, mean in fields.pop("parts"))
        return Row(parts=parts, **fields)


@dataclass(frozen=True)
class Scored:
    """A method with its scores: `about` is the content of `scores.json`."""

    folder: Path
    method: Method
    rows: tuple[Row, ...]
    about: dict[str, Any]

    @property
    def images(self) -> Path:
        """Where its pictures are."""
        return self.folder / self.method.images


def method_folder(results: Path, name: str) -> Path:
    """The folder of a method; InputError when another method of a similar name has it already."""
    folder = results / (re.sub(r"[^\w.@-]+", "-", name).strip("-.") or "method")
    if (folder / "method.json").exists() and (found := read_method(folder)).name != name:
        raise InputError(f"{folder} holds the method '{found.name}' already: choose another name than '{name}'")
    return folder


def relative_to(folder: Path, images: Path) -> str:
    """The path of a folder of pictures as seen from a method's folder."""
    try:
        return Path(os.path.relpath(images.resolve(), folder.resolve())).as_posix()
    except ValueError:  # on Windows, another drive
        return images.resolve().as_posix()


# --- reading and writing ---------------------------------------------------------------------------------------------


def make_folder(folder: Path) -> None:
    """Makes a folder; InputError if that cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder} cannot be made ({error.strerror}): choose another folder") from error


def write_method(folder: Path, method: Method) -> None:
    """Writes `method.json`, whole or not at all."""
    _write_json(folder / "method.json", {"format": FORMAT, **asdict(method)})


def read_method(folder: Path) -> Method:
    """Reads `method.json`; DataError when it is missing or damaged."""
    fields = _read_json(folder / "method.json")
    try:
        return Method(**{**fields, "declined": tuple(fields["declined"])})
    except (TypeError, KeyError) as error:
        raise DataError(f"{folder}: method.json is damaged ({error}); run the method again") from error


def write_scores(folder: Path, rows: Sequence[Row], about: Mapping[str, Any]) -> None:
    """Writes `scores.jsonl`, then `scores.json`, each whole or not at all."""
    write_whole(folder / "scores.jsonl", "".join(row.to_json() + "\n" for row in rows).encode())
    _write_json(folder / "scores.json", {"format": FORMAT, **about})


def read_scored(folder: Path) -> Scored:
    """A method's scores; DataError when they are missing, of another format or damaged."""
    about = _read_json(folder / "scores.json")
    try:
        rows = tuple(Row.from_json(line) for line in _lines(folder / "scores.jsonl"))
    except (ValueError, TypeError, KeyError) as error:
        raise DataError(f"{folder}: scores.jsonl is damaged ({error}); score it again") from error
    return Scored(folder, read_method(folder), rows, about)


def find_scored(results: Path) -> list[Scored]:
    """All methods of a folder that have scores: systems first, then foreign pictures, then baselines, by age."""
    folders = [path.parent for path in results.glob("*/scores.json")]
    if not folders:
        raise DataError(f"{results}: no scores there; run 'irodori benchmark run' or 'irodori benchmark score' first")
    order = ("system", "images", "baseline")
    return sorted(map(read_scored, folders), key=lambda one: (order.index(one.method.kind), one.method.added))


def read_rows(paths: Iterable[Path]) -> dict[str, Row]:
    """Rows of earlier or interrupted scorings by key; lines that are cut off are left out."""
    found = {}
    for path in paths:
        for line in _lines(path):
            try:
                row = Row.from_json(line)
            except (ValueError, TypeError, KeyError):
                continue
            found[row.key] = row
    return found


def _lines(path: Path) -> list[str]:
    try:
        return [line for line in path.read_text(encoding="utf-8").split("\n") if line.strip()]
    except FileNotFoundError:
        return []


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    text = json.dumps(content, indent=1, ensure_ascii=False, sort_keys=True, allow_nan=False)
    write_whole(path, f"{text}\n".encode())


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content.pop("format") != FORMAT:
            raise DataError(f"{path}: made by another version of irodori; score it again")
    except FileNotFoundError as error:
        raise DataError(f"{path.parent}: no {path.name} there; run 'irodori benchmark score' first") from error
    except (ValueError, AttributeError, KeyError) as error:
        raise DataError(f"{path} is damaged ({error}); score it again") from error
    assert isinstance(content, dict)
    return content
