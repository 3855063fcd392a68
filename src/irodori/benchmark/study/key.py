"""What a study asks and what its opaque names stand for: the file `study.json`, which judges never get."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from irodori.errors import InputError

FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class KeyPair:
    """Two methods on one case.  pictures: name → method.  part: of the study, from 0."""

    case: str
    track: str
    condition: str
    part: int
    pictures: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class KeyCheck:
    """An attention check.  pictures: name → "truth" or the way in which it was spoiled."""

    case: str
    part: int
    pictures: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Key:
    """A study: `pairs` and `checks` by the names of their trials.  about: seed, version and what else made it.

    left_out: method → case → why its answer could not be used.
    """

    question: str
    ties: bool
    methods: tuple[str, ...]
    parts: int
    pairs: Mapping[str, KeyPair]
    checks: Mapping[str, KeyCheck]
    left_out: Mapping[str, Mapping[str, str]]
    about: Mapping[str, Any]

    @property
    def id(self) -> str:
        """Hash of all of it, so that answers to another study are told apart."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:16]

    def trials(self) -> dict[str, KeyPair | KeyCheck]:
        """Pairs and checks alike, by name: how judges see them."""
        return {**self.pairs, **self.checks}


def write_key(path: Path, key: Key) -> None:
    """Raises OSError."""
    content = {"format": FORMAT, "study": key.id, **asdict(key)}
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8", newline="\n")


def read_key(path: Path) -> Key:
    """Raises InputError when `path` is not the key that `write_key` wrote."""
    content = read_json(path)
    if content.get("format") != FORMAT or "study" not in content:
        raise InputError(f"{path}: not the key of a study; give the study.json that 'irodori study build' wrote")
    try:
        key = _key(content)
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: the key of the study is damaged ({error}); build the study again") from error
    if key.id != content["study"]:
        raise InputError(f"{path}: the key of the study was changed by hand; take the file as it was built")
    return key


def _key(content: Mapping[str, Any]) -> Key:
    fields = {name: value for name, value in content.items() if name not in ("format", "study")}
    fields["methods"] = tuple(fields["methods"])
    fields["pairs"] = {trial: KeyPair(**pair) for trial, pair in fields["pairs"].items()}
    fields["checks"] = {trial: KeyCheck(**check) for trial, check in fields["checks"].items()}
    return Key(**fields)


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file; InputError when there is none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error}); check the path") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not a JSON file ({error}); give the file as it was downloaded") from error
    if not isinstance(content, dict):
        raise InputError(f"{path}: holds no JSON object; give the file as it was downloaded")
    return content
