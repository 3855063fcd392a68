"""`irodori colorize` with hints, palette, parts, flats and explanations, as a user types it."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from irodori.image_io import read_metadata
from irodori.inference.colorizer import Colorizer
from irodori.systems import build_system, preset


@pytest.fixture(scope="module")
def guided_model(tmp_path_factory):
    """A folder with an untrained color transport of a few thousand parameters, which takes all guidance."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("models") / "guided"
    Colorizer(build_system("irodori", preset("irodori/tiny").system), device="cpu").save_pretrained(folder)
    return folder


@pytest.fixture
def run(irodori, desk, guided_model):
    Image.fromarray(np.full((50, 30, 3), (20, 60, 200), np.uint8)).save("blue.png")

    def colorize(*arguments, model=guided_model):
        return irodori("colorize", "--model", model, "--device", "cpu", "--image-size", 64, *arguments)

    return colorize


def _refused(answer, *parts):
    assert answer.code == 2
    assert answer.err.startswith("error: ")
    assert answer.err.count("\n") == 1
    for part in parts:
        assert part in answer.err


def _about(path):
    return json.loads(read_metadata(path)["irodori"])


def test_everything_at_once(run, desk):
    references = ("--reference", "hair=reference.png", "--reference", "blue.png")
    steering = ("--hint", "35,40=#00ff80", "--hint", "2,2=102030", "--palette", "#ff0000,00ff00", "--palette", "0000ff")
    extras = (
        "--snap",
        "--explain",
        "why.png",
        "--attention",
        "looked.png",
        "--grid",
        "grid.png",
        "--lines",
        "none",
        "--json",
    )
    answer = run("sketch.png", *references, *steering, *extras, "-o", "out.png")
    assert (answer.code, answer.err) == (0, "")
    (found,) = json.loads(answer.out)["results"]
    assert (found["reference_parts"], found["explanation"]) == (["hair", ""], "why.png")
    assert (found["attention"], found["grid"], found["warped"]) == ("looked.png", "grid.png", None)
    wanted = {
        "hints": "35,40=#00ff80 2,2=#102030",
        "palette": "#ff0000 #00ff00 #0000ff",
        "snap": "yes",
        "reference_parts": "hair *",
    }
    assert wanted.items() <= found["provenance"].items()
    assert wanted.items() <= _about("out.png").items()
    colors = np.asarray(Image.open("out.png"))
    assert (colors[12:79, 12:59] == (0, 255, 128)).all()
    assert (colors[:9] == (16, 32, 48)).all()
    assert Image.open("why.png").width > 640


def test_another_hint_colors_again_and_the_same_does_not(run, desk):
    arguments = ("sketch.png", "--reference", "reference.png", "-o", "out.png")
    assert "model guided" in run(*arguments, "--hint", "35,40=#00ff80").out
    assert "1 already there" in run(*arguments, "--hint", "35,40=#00ff80").out
    for change in (("--hint", "35,40=#00ff81"), ("--palette", "ff0000"), ("--snap",), ()):
        assert "model guided" in run(*arguments, *change).out, change
    assert "1 already there" in run(*arguments).out
    named = ("sketch.png", "--reference", "skin=reference.png", "-o", "out.png")
    assert "model guided" in run(*named).out
    assert "1 already there" in run(*named).out


def test_a_missing_explanation_is_made_again(run, desk):
    arguments = ("sketches", "--reference", "reference.png", "-o", "out", "--explain", "why")
    assert run(*arguments).out.count("model guided") == 3
    (desk / "why/2.png").unlink()
    assert run(*arguments).out.count("model guided") == 1
    assert sorted(path.name for path in (desk / "why").iterdir()) == ["1.png", "10.png", "2.png"]


def test_a_file_whose_name_has_an_equals_sign(run, desk):
    (desk / "blue.png").rename("hair=blue.png")
    assert run("sketch.png", "--reference", "hair=blue.png", "-o", "out.png").code == 0
    assert "reference_parts" not in _about("out.png")
    assert run("sketch.png", "--reference", "hair=hair=blue.png", "-o", "out.png").code == 0
    assert _about("out.png")["reference_parts"] == "hair"


def test_a_reference_folder_for_a_part(run, desk):
    (desk / "references").mkdir()
    for number in (1, 2, 10):
        Image.new("RGB", (40, 40), (number * 20, 0, 0)).save(f"references/{number}.png")
    assert run("sketches", "--reference", "clothes=references", "-o", "out").code == 0
    assert _about("out/10.png")["reference_parts"] == "clothes"


def test_a_palette_without_a_reference(run, desk):
    assert run("sketch.png", "--palette", "d02040,2040d0", "--snap", "-o", "out.png").code == 0


def test_hints_and_flats_with_a_system_that_takes_no_guidance(run, desk, tiny_model):
    arguments = ("sketch.png", "--reference", "reference.png", "-o", "out.png", "--lines", "none", "--snap")
    assert run(*arguments, "--hint", "35,40=#00ff80", model=tiny_model).code == 0
    colors = np.asarray(Image.open("out.png"))
    assert (colors[12:79, 12:59] == (0, 255, 128)).all()
    assert len(np.unique(colors[:9].reshape(-1, 3), axis=0)) == 1
    _refused(run(*arguments, "--palette", "ff0000", "--overwrite", model=tiny_model), "takes no palette")
    named = ("sketch.png", "--reference", "hair=reference.png", "-o", "new.png")
    assert run(*named, model=tiny_model).code == 0
    assert _about("new.png")["reference_parts"] == "hair"


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (("--hint", "5,5"), ("'5,5'", "120,85=#ff8000")),
        (("--hint", "5,5=green"), ("'green'",)),
        (("--hint", "x,5=#ff0000"), ("'x,5=#ff0000'",)),
        (("--hint", "70,5=#ff0000"), ("70,5", "70x90")),
        (("--palette", "#ff0000,"), ("is not a color",)),
        (("--palette", "red"), ("'red'",)),
        (("--reference", "hiar=blue.png"), ("no file hiar=blue.png", "'hiar'", "did you mean hair")),
        (("--reference", "hair=gone.png"), ("gone.png",)),
        (("--reference", "hair="), ("'hair='",)),
        (("--reference", "blue.png", "--explain", "blue.png"), ("blue.png", "overwritten")),
        (("--reference", "blue.png", "--explain", "x.png", "--attention", "x.png"), ("x.png", "overwritten")),
        (("--snap", "--lines", "model"), ("flats", "keep or none")),
    ],
)
def test_what_cannot_be_meant(run, desk, arguments, parts):
    _refused(run("sketch.png", *arguments, "-o", "out.png"), *parts)
    assert not (desk / "out.png").exists()
    assert not (desk / "x.png").exists()


def test_hints_are_for_one_sketch(run, desk):
    _refused(run("sketches", "--hint", "5,5=#ff0000", "-o", "out"), "3 sketches")
    assert list((desk / "out").iterdir()) == []


def test_explain_needs_a_reference(run, desk):
    answer = run("sketch.png", "--explain", "why.png", "-o", "out.png")
    assert answer.code == 2
    assert "--explain" in answer.err
