"""Layers, palettes, strokes, dabs and masks on the command line, as a user types them."""

import json
import zipfile

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def run(irodori, desk, tiny_model):
    layer = np.zeros((90, 70, 4), np.uint8)
    layer[30:40, 20:30] = (20, 200, 60, 255)
    Image.fromarray(layer).save("dabs.png")
    mask = np.zeros((90, 70), np.uint8)
    mask[12:79, 12:59] = 255
    Image.fromarray(mask).save("box.png")
    Image.new("L", (60, 40), 255).save("small.png")
    Image.new("RGB", (30, 50), (20, 60, 200)).save("blue.png")

    def colorize(*arguments):
        return irodori("colorize", "sketch.png", "--model", tiny_model, "--device", "cpu", *arguments)

    return colorize


def _refused(answer, *parts):
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith("error: ")
    assert answer.err.count("\n") == 1
    for part in parts:
        assert part in answer.err


REFERENCE = ("--reference", "reference.png")


@pytest.mark.parametrize("suffix", ["ora", "psd"])
def test_layers_and_going_on_from_them(run, irodori, desk, tiny_model, suffix):
    assert run(*REFERENCE, "--hint", "35,40=#00ff80", "-o", f"page.{suffix}").code == 0
    assert "1 already there" in run(*REFERENCE, "--hint", "35,40=#00ff80", "-o", f"page.{suffix}").out
    edit = ("edit", f"page.{suffix}", "--model", tiny_model, "--device", "cpu", "--hint", "2,2=102030")
    answer = irodori(*edit, "--lines", "none", "-o", "next.png")
    assert (answer.code, answer.err) == (0, "")
    colors = np.asarray(Image.open("next.png"))
    assert (colors[12:79, 12:59] == (0, 255, 128)).all()
    assert (colors[:9] == (16, 32, 48)).all()


def test_a_folder_of_layered_files(irodori, desk, tiny_model):
    arguments = ("colorize", "sketches", "--model", tiny_model, "--device", "cpu", "-o", "out")
    assert irodori(*arguments, "--format", "ora").code == 0
    assert sorted(path.name for path in (desk / "out").iterdir()) == ["1.ora", "10.ora", "2.ora"]
    assert "3 already there" in irodori(*arguments, "--format", "ora").out
    assert zipfile.is_zipfile("out/2.ora")


def test_a_foreign_layered_file_is_kept(run, desk):
    (desk / "page.psd").write_bytes(b"8BPS somebody else's")
    _refused(run("-o", "page.psd"), "page.psd", "--overwrite")
    _refused(run("--lines", "model", "-o", "page.ora"), "layers belong to the drawing")
    assert not (desk / "page.ora").exists()


def test_a_palette_from_the_reference_and_flats_in_it(run, irodori, desk):
    answer = irodori("palette", "reference.png", "blue.png", "-o", "both.gpl")
    assert (answer.code, answer.out) == (0, "both.gpl  2 colors\n")
    assert irodori("palette", "both.gpl").out == "#c8285a\n#143cc8\n"
    for name in ("both.ase", "both.aco", "both.json"):
        assert irodori("palette", "both.gpl", "-o", name).code == 0
        assert json.loads(irodori("palette", name, "--json").out)["colors"] == ["#c8285a", "#143cc8"]
        answer = run(*REFERENCE, "--snap-palette", name, "--lines", "none", "-o", "out.png", "--overwrite")
        assert answer.code == 0
        found = set(map(tuple, np.asarray(Image.open("out.png")).reshape(-1, 3).tolist()))
        assert found <= {(200, 40, 90), (20, 60, 200)}
    _refused(irodori("palette", "blue.png", "-o", "both.gpl"), "both.gpl exists already")
    _refused(irodori("palette", "gone.gpl"), "gone.gpl")


def test_a_palette_is_in_the_recipe(run, irodori, desk, tiny_model):
    (desk / "p.json").write_text('["#102030"]')
    run(*REFERENCE, "--snap-palette", "p.json", "-o", "out.png")
    (desk / "p.json").unlink()
    edit = ("edit", "out.png", "--model", tiny_model, "--device", "cpu", "--lines", "none", "-o", "next.png")
    assert irodori(*edit).code == 0
    assert (np.asarray(Image.open("next.png")) == (16, 32, 48)).all()
    assert irodori(*edit, "--no-snap", "--overwrite").code == 0
    assert not (np.asarray(Image.open("next.png")) == (16, 32, 48)).all()


def test_strokes_and_dabs(run, irodori, desk, tiny_model):
    steering = ("--hints", "dabs.png", "--hint", "2,2:60,4=102030", "--lines", "none")
    assert run(*REFERENCE, *steering, "-o", "out.png").code == 0
    colors = np.asarray(Image.open("out.png"))
    assert (colors[12:79, 12:59] == (20, 200, 60)).all()
    assert (colors[:9] == (16, 32, 48)).all()
    assert "1 already there" in run(*REFERENCE, *steering, "-o", "out.png").out
    (desk / "kept").mkdir()
    (desk / "dabs.png").rename(desk / "kept/dabs.png")
    edit = ("edit", "out.png", "--model", tiny_model, "--device", "cpu", "-o", "next.png")
    assert irodori(*edit).code == 0
    assert np.array_equal(np.asarray(Image.open("next.png")), colors)
    (desk / "kept/dabs.png").unlink()
    _refused(irodori(*edit, "--overwrite"), "dabs.png", "--hints")


def test_a_changed_layer_of_dabs_colors_again(run, desk):
    arguments = (*REFERENCE, "--hints", "dabs.png", "-o", "out.png")
    run(*arguments)
    layer = np.array(Image.open("dabs.png"))
    layer[30:40, 20:30] = (250, 0, 0, 255)
    Image.fromarray(layer).save("dabs.png")
    assert "model tiny" in run(*arguments).out


def test_a_reference_under_a_mask(run, irodori, desk, tiny_model):
    arguments = (*REFERENCE, "--reference", "box.png=blue.png", "-o", "out.png")
    assert run(*arguments).code == 0
    assert "1 already there" in run(*arguments).out
    mask = np.array(Image.open("box.png"))
    mask[:20] = 255
    Image.fromarray(mask).save("box.png")
    assert "model tiny" in run(*arguments).out
    edit = ("edit", "out.png", "--model", tiny_model, "--device", "cpu", "-o", "next.png")
    assert irodori(*edit).code == 0
    assert np.array_equal(np.asarray(Image.open("next.png")), np.asarray(Image.open("out.png")))
    shown = json.loads(irodori("edit", "out.png", "--show").out)
    assert shown["reference_masks"] == '["", "box.png"]'


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (("--hints", "gone.png"), ("gone.png",)),
        (("--hints", "reference.png"), ("reference.png is 60x40 pixels", "70x90")),
        (("--hints", "sketch.png"), ("sketch.png is opaque everywhere",)),
        (("--snap-palette", "gone.gpl"), ("gone.gpl",)),
        (("--snap-palette", "sketch.png"), ("sketch.png", ".gpl .ase .aco .json")),
        (("--reference", "gone.png=blue.png"), ("the mask gone.png",)),
        (("--reference", "box.png=gone.png"), ("gone.png",)),
        (("--reference", "box.png="), ("'box.png='",)),
        (("--reference", "small.png=blue.png"), ("mask small.png is 60x40",)),
        (("--reference", "blue.png=blue.png"), ("blue.png is a mask that shows nothing",)),
        (("--hint", "5,5:x=ff0000"), ("is not a hint", "160,90")),
        (("--hints", "dabs.png", "--lines", "model"), ("hints belong to the drawing",)),
    ],
)
def test_what_cannot_be_meant(run, desk, arguments, parts):
    _refused(run(*arguments, "-o", "out.png"), *parts)
    assert not (desk / "out.png").exists()


def test_places_are_for_one_sketch(irodori, run, desk, tiny_model):
    arguments = ("colorize", "sketches", "--model", tiny_model, "--device", "cpu", "-o", "out")
    _refused(irodori(*arguments, "--hints", "dabs.png"), "3 sketches")
    _refused(irodori(*arguments, "--reference", "box.png=blue.png"), "3 sketches")
