"""Sheets of a tag in steps."""

from __future__ import annotations

import doctest
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from fakes import FakeSystem, box_drawing
from irodori.editing import sweep
from irodori.editing.sweep import GAP_PX, Sweep, captioned, parse_sweep, sweep_sheet, write_sweep
from irodori.errors import InputError
from irodori.image_io import read_metadata
from irodori.inference.batch import Options
from irodori.inference.colorizer import Colorizer
from irodori.inference.plan import Job
from irodori.systems.base import Guidance, Noise, Output


class TagSystem(FakeSystem):
    """Paints red and green as strong as the tags red_hair and green_hair say: 0…5 to all the levels."""

    name: ClassVar[str] = "tagged"
    takes: ClassVar[frozenset[str]] = frozenset({"tags"})
    tags: ClassVar[tuple[str, ...]] = ("red_hair", "green_hair", "green_skin", "blue_hair")

    def read_tags(self, image: Tensor) -> Tensor:
        return image.new_zeros(len(image), len(self.tags))

    def encode_references(self, references: Sequence[Tensor], like: Tensor) -> Any:
        self.calls["references"] += 1
        return ()

    def paint(self, sketch_code: Tensor, reference_code: Any, noise: Noise, guidance: Guidance) -> Output:
        self.calls["paint"] += 1
        given = dict(guidance.tags)
        image = torch.full((1, 3, *sketch_code.shape[-2:]), -1.0)
        for channel, tag in enumerate(self.tags[:2]):
            image[:, channel] = given.get(tag, 0.0) / 2.5 - 1
        return Output(image)


@pytest.fixture
def system() -> TagSystem:
    return TagSystem()


@pytest.fixture
def colorizer(system: TagSystem) -> Colorizer:
    return Colorizer(system, name="tagged", device="cpu")


@pytest.fixture
def job(tmp_path: Path) -> Job:
    Image.fromarray(box_drawing(60, 50, (10, 10, 50, 40), 2)).save(tmp_path / "sketch.png")
    Image.fromarray(np.full((40, 40, 3), 99, np.uint8)).save(tmp_path / "reference.png")
    return Job(tmp_path / "sketch.png", (tmp_path / "reference.png",), tmp_path / "sheet.png")


def test_examples():
    assert doctest.testmod(sweep).failed == 0


def test_steps_include_both_ends():
    assert parse_sweep("Red hair=3:0:3") == Sweep("red_hair", (3.0, 1.5, 0.0))


@pytest.mark.parametrize(
    "text", ["red_hair", "red_hair=1", "red_hair=0:1", "red_hair=0:1:1", "red_hair=0:1:21", "=0:1:3", "red_hair=a:1:3",
             "red_hair=0:1:3:4", "red_hair=0::3"],
)  # fmt: skip
def test_what_is_no_sweep(text: str):
    with pytest.raises(InputError, match="is no sweep"):
        parse_sweep(text)


def test_tiles_go_right_then_down_and_encodings_are_made_once(colorizer: Colorizer, system: TagSystem, job: Job):
    sweeps = [Sweep("red_hair", (0.0, 2.5, 5.0)), Sweep("green_hair", (0.0, 5.0))]
    sheet, last = sweep_sheet(colorizer, job, Options(lines="none"), sweeps)
    width, height = sheet.shape[1] // 3, sheet.shape[0] // 2
    places = [
        [sheet[row * height + GAP_PX + 5, column * width + GAP_PX + 5] for column in range(3)] for row in range(2)
    ]
    assert [[int(color[0]) for color in row] for row in places] == [[0, 128, 255], [0, 128, 255]]
    assert [[int(color[1]) for color in row] for row in places] == [[0, 0, 0], [255, 255, 255]]
    assert (system.calls["sketch"], system.calls["references"], system.calls["paint"]) == (1, 1, 6)
    assert last.provenance["tags"] == "red_hair=5 green_hair=5"


def test_the_sheet_says_how_it_was_made(colorizer: Colorizer, job: Job):
    options = Options(tags={"green_skin": 1.0, "blue_hair": 1.0})
    write_sweep(colorizer, job, options, [Sweep("red_hair", (0.0, 1.0))])
    about = json.loads(read_metadata(job.output)["irodori"])
    assert (about["sweep"], about["sketch"], about["model"]) == ("red_hair=0:1", "sketch.png", "tagged")
    assert about["tags"] == "green_skin=1 red_hair=1"


def test_nothing_foreign_is_replaced_and_nothing_is_half_done(colorizer: Colorizer, system: TagSystem, job: Job):
    Image.new("RGB", (3, 3)).save(job.output)
    with pytest.raises(InputError, match="was not made by irodori"):
        write_sweep(colorizer, job, Options(), [Sweep("red_hair", (0.0, 1.0))])
    write_sweep(colorizer, job, Options(), [Sweep("red_hair", (0.0, 1.0))], overwrite=True)
    write_sweep(colorizer, job, Options(), [Sweep("red_hair", (0.0, 2.0))])
    before = job.output.read_bytes()
    painted = system.calls["paint"]
    for values, match in (((0.0, 6.0), "cannot be 6"), ((0.0, -1.0), "cannot be -1")):
        with pytest.raises(InputError, match=match):
            write_sweep(colorizer, job, Options(), [Sweep("red_hair", values)])
    with pytest.raises(InputError, match="did you mean red_hair"):
        write_sweep(colorizer, job, Options(), [Sweep("red_hiar", (0.0, 1.0))])
    with pytest.raises(InputError, match="3 sweeps"):
        write_sweep(colorizer, job, Options(), [Sweep("red_hair", (0.0, 1.0))] * 3)
    assert job.output.read_bytes() == before
    assert system.calls["paint"] == painted


def test_captions_stand_below_and_are_drawn():
    tile = captioned(np.full((640, 320, 3), 255, np.uint8), "red_hair=1.5")
    assert tile.shape[1] == captioned(np.full((100, 100, 3), 255, np.uint8), "x").shape[1]
    assert (tile[: 320 + GAP_PX] == 255).all()
    assert (tile[320 + GAP_PX :] < 128).any()
