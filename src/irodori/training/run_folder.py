"""A run is a folder: recipe, statistics, state, sample sheets, and at the end the weights."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from irodori.config import to_dict
from irodori.errors import ConfigError
from irodori.systems.recipe import Recipe


class RunFolder:
    """Paths and records of one training run; the same command on the same folder resumes it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.state = root / "state.safetensors"
        self.model = root / "model.safetensors"
        self.samples = root / "samples"
        self.stats = root / "stats.jsonl"

    def open(self, recipe: Recipe, inputs: Mapping[str, str]) -> None:
        """Creates the folder, or checks that it holds a run of the same recipe and inputs; ConfigError otherwise.

        inputs: hashes of the data set and of the weights that the run starts from.
        """
        text = json.dumps({**to_dict(recipe), "inputs": dict(inputs)}, indent=1)
        record = self.root / "recipe.json"
        try:
            self.samples.mkdir(parents=True, exist_ok=True)
            for leftover in self.root.glob(".*.safetensors.*"):  # of a run that was killed while it wrote
                leftover.unlink()
            if record.is_file():
                _check_same(self.root, record.read_text(encoding="utf-8"), text)
                return
            _replace(record, text)
        except OSError as error:
            raise ConfigError(f"{self.root}: cannot be written ({error.strerror}); choose another folder") from error

    def log(self, row: dict[str, Any]) -> None:
        """Appends one line to `stats.jsonl`."""
        with self.stats.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")

    def forget_after(self, step: int) -> None:
        """Drops the statistics of steps that a killed run did after its last state; they are done again."""
        if not self.stats.is_file():
            return
        kept = []
        for line in self.stats.read_text(encoding="utf-8").splitlines():
            try:
                if json.loads(line)["step"] <= step:
                    kept.append(line + "\n")
            except ValueError:  # the line that was being written when the run was killed
                break
        _replace(self.stats, "".join(kept))


def _check_same(root: Path, found: str, wanted: str) -> None:
    try:
        before, now = json.loads(found), json.loads(wanted)
    except ValueError as error:
        raise ConfigError(f"{root}: recipe.json is damaged ({error}); choose a new --run folder") from error
    changed = [key for key in now if before.get(key) != now[key]]
    if changed:
        other = " and ".join(changed)
        raise ConfigError(f"{root}: holds another run, with other {other} (recipe.json); choose a new --run folder")


def _replace(path: Path, text: str) -> None:
    """Writes the whole file or leaves the old one."""
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)
