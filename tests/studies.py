"""A small benchmark, methods that answer it, and judges whose taste is known."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from irodori.benchmark.cases import Benchmark, Case, read_benchmark, write_cases
from irodori.benchmark.study.key import Key
from irodori.image_io import write_image

HEIGHT, WIDTH = 36, 44
METHODS = ("zebrafish", "platypus", "aardvark")
"""Names that occur nowhere by accident."""


def make_benchmark(root: Path, count: int = 12) -> Benchmark:
    """Cases `count` of the track recolor, with truths, and as many of the track cross, without; all sketches differ."""
    generator = np.random.default_rng(0)
    (root / "pictures").mkdir(parents=True)
    cases = []
    for number in range(2 * count):
        sketch = np.full((HEIGHT, WIDTH), 255, np.uint8)
        sketch[4:30, 5 + number % 20] = 0
        truth = np.empty((HEIGHT, WIDTH, 3), np.uint8)
        truth[:18], truth[18:] = _colors(generator)
        files = {kind: f"pictures/{kind}-{number}.png" for kind in ("sketch", "reference", "truth")}
        write_image(root / files["sketch"], sketch)
        write_image(root / files["reference"], truth[:, ::-1])
        write_image(root / files["truth"], truth)
        track = "recolor" if number < count else "cross"
        cases.append(
            Case(
                id=f"{track}-{number:03}",
                track=track,
                condition="still",
                sketch=files["sketch"],
                references=(files["reference"],),
                truth=files["truth"] if track == "recolor" else None,
                licenses=("CC0-1.0",),
            )
        )
    write_cases(root, cases, {"image_size": WIDTH})
    return read_benchmark(root)


def _colors(generator: np.random.Generator) -> np.ndarray:
    """Two saturated colors."""
    return generator.permuted([[220, 120, 30], [30, 60, 200]], axis=1)


def make_answers(benchmark: Benchmark, folder: Path, methods: tuple[str, ...] = METHODS) -> dict[str, Path]:
    """A folder for each method; every picture is another one, and its file says who made it."""
    for name in methods:
        (folder / name).mkdir(parents=True)
        for number, case in enumerate(benchmark.cases):
            pixels = np.full((HEIGHT, WIDTH, 3), (methods.index(name), number, 128), np.uint8)
            write_image(folder / name / case.answer, pixels, {"model": name, "case": case.id})
    return {name: folder / name for name in methods}


def answer_file(
    path: Path, key: Key, number: int, choose: Callable[[str, str, np.random.Generator], str], part: int = 0
) -> Path:
    """What judge `number` saves who chooses with ``choose(what is left, what is right, generator)``."""
    generator = np.random.default_rng(number)
    answers = []
    for name, trial in key.trials().items():
        if trial.part == part:
            left, right = generator.permutation(sorted(trial.pictures))
            choice = choose(trial.pictures[left], trial.pictures[right], generator)
            answers.append({"trial": name, "left": str(left), "right": str(right), "choice": choice, "seconds": 2.5})
    content = {"format": 1, "study": key.id, "judge": f"{number:032x}", "part": part, "answers": answers}
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def attentive(strengths: dict[str, float]) -> Callable[[str, str, np.random.Generator], str]:
    """Who sees every check and otherwise follows Bradley and Terry."""

    def choose(left: str, right: str, generator: np.random.Generator) -> str:
        if "truth" in (left, right):
            return "left" if left == "truth" else "right"
        wins = 1.0 / (1.0 + np.exp(strengths[right] - strengths[left]))
        return "left" if generator.random() < wins else "right"

    return choose


def asleep(left: str, right: str, generator: np.random.Generator) -> str:
    """Who always presses the same key."""
    return "left"
