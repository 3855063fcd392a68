"""A run is a folder: recipe, statistics, state, sample sheets, and at the end the weights."""

from __future__ import annotations

import json
import os
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

    def open(self, recipe: Recipe) -> None:
        """Creates the folder, or checks that it holds a run of the same recipe; ConfigError otherwise."""
        text = json.dumps(to_dict(recipe), indent=1)
        record = self.root / "recipe.json"
        try:
            self.samples.mkdir(parents=True, exist_ok=True)
            if record.is_file() and record.read_text(encoding="utf-8") != text:
                raise ConfigError(
                    f"{self.root}: holds a run of another recipe (recipe.json); choose a new --run folder"
                )
            record.write_text(text, encoding="utf-8")
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
        temporary = self.stats.with_suffix(".tmp")
        temporary.write_text("".join(kept), encoding="utf-8")
        os.replace(temporary, self.stats)
