"""Files and a model for the tests of the command line."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fakes import box_drawing
from irodori.cli.main import main
from irodori.inference.colorizer import Colorizer
from irodori.systems import build_system, preset

SKETCH = box_drawing(90, 70, (10, 10, 80, 60), 2)


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an untrained SCFT of a few thousand parameters."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    Colorizer(build_system("scft", preset("scft/tiny").system), device="cpu").save_pretrained(folder)
    return folder


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder of the user: sketch.png, sketches/{1,2,10}.png, reference.png."""
    Image.fromarray(SKETCH).save(tmp_path / "sketch.png")
    (tmp_path / "sketches").mkdir()
    for number in (1, 2, 10):
        Image.fromarray(np.minimum(SKETCH, 255 - number)).save(tmp_path / "sketches" / f"{number}.png")
    Image.fromarray(np.full((40, 60, 3), (200, 40, 90), np.uint8)).save(tmp_path / "reference.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


class Answer:
    """What a command did: exit code, standard output and standard error."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


@pytest.fixture
def irodori(capsys: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    """Runs a command line in this process."""

    def run(*arguments: object) -> Answer:
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return Answer(code, captured.out, captured.err)

    return run


@pytest.fixture
def shell() -> Callable[..., Answer]:
    """Runs a command line in a process of its own, as a user does."""

    def run(*arguments: object) -> Answer:
        done = subprocess.run(
            [sys.executable, "-m", "irodori", *map(str, arguments)],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        assert "Traceback" not in done.stderr
        return Answer(done.returncode, done.stdout, done.stderr)

    return run
