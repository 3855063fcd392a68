"""Tags on the command line, as a user types them: colorize, tags, edit, sweeps."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from PIL import Image

from irodori.image_io import read_metadata
from irodori.inference.colorizer import Colorizer
from irodori.nn.blocks import initialize
from irodori.systems import build_system, preset


@pytest.fixture(scope="module")
def tag_model(tmp_path_factory):
    """A folder with a TagGAN of a few thousand parameters, untrained, whose tags do something."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("models") / "tagged"
    system = build_system("taggan", preset("taggan/tiny").system)
    initialize(system.editor, "kaiming")
    Colorizer(system, device="cpu").save_pretrained(folder)
    return folder


@pytest.fixture
def run(irodori, desk, tag_model):
    def command(name, *arguments, model=tag_model):
        return irodori(name, "--model", model, "--device", "cpu", *arguments)

    return command


@pytest.fixture
def colored(run):
    """out.png: sketch.png in the colors of reference.png, with two tags and a hint."""
    tags = ("--tag", "red_hair=1.5", "--tag", "Blue skin")
    answer = run(
        "colorize", "sketch.png", "--reference", "reference.png", *tags, "--hint", "35,40=00ff80", "-o", "out.png"
    )
    assert (answer.code, answer.err) == (0, "")
    return "out.png"


def _refused(answer, *parts):
    assert answer.code == 2
    assert answer.err.startswith("error: ")
    assert answer.err.count("\n") == 1
    for part in parts:
        assert part in answer.err


def _about(path):
    return json.loads(read_metadata(path)["irodori"])


def _pixels(path):
    return np.asarray(Image.open(path))


def test_tags_are_in_the_result_and_change_it(run, colored, desk):
    about = _about(colored)
    assert about["tags"] == "red_hair=1.5 blue_skin=1"
    assert (about["sketch"], about["references"]) == ("sketch.png", '["reference.png"]')
    run("colorize", "sketch.png", "--reference", "reference.png", "--hint", "35,40=00ff80", "-o", "plain.png")
    assert "tags" not in _about("plain.png")
    assert not np.array_equal(_pixels("plain.png"), _pixels(colored))


def test_other_tags_color_again_and_the_same_do_not(run, colored):
    arguments = ("sketch.png", "--reference", "reference.png", "--hint", "35,40=00ff80", "-o", colored)
    assert "1 already there" in run("colorize", *arguments, "--tag", "red hair=1.5", "--tag", "blue_skin").out
    assert "model tagged" in run("colorize", *arguments, "--tag", "red_hair=1.6", "--tag", "blue_skin").out


def test_tags_without_a_reference_and_flats(run, desk):
    assert run("colorize", "sketch.png", "--tag", "red_hair", "--snap", "-o", "out.png").code == 0
    assert _about("out.png")["snap"] == "yes"


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (("--tag", "red_hiar"), ("'red_hiar'", "did you mean red_hair")),
        (("--tag", "red_hair=6"), ("red_hair", "cannot be 6", "5 the strongest")),
        (("--tag", "red_hair=-1"), ("cannot be -1",)),
        (("--tag", "red_hair=lots"), ("'red_hair=lots'", "red_hair=1.5")),
        (("--tag", "=1"), ("'=1'",)),
        (("--tag", "red_hair=nan"), ("'red_hair=nan'",)),
        (("--sweep", "red_hair=0:3"), ("'red_hair=0:3'", "red_hair=0:3:6")),
        (("--sweep", "red_hair=0:3:4", "--tag", "green_cat"), ("'green_cat'",)),
    ],
)
def test_what_cannot_be_meant(run, desk, arguments, parts):
    _refused(run("colorize", "sketch.png", *arguments, "-o", "out.png"), *parts)
    assert not (desk / "out.png").exists()


def test_systems_without_tags_say_so(irodori, desk, tiny_model):
    arguments = ("sketch.png", "-o", "out.png", "--model", tiny_model, "--device", "cpu")
    _refused(irodori("colorize", *arguments, "--tag", "red_hair"), "scft takes no tags", "irodori-base")
    for extra in ((), ("reference.png",)):
        _refused(irodori("tags", *extra, "--model", tiny_model), "knows no tags", "irodori-base")


# --- irodori tags ----------------------------------------------------------------------------------------------------


def test_what_the_tagger_sees(run, desk):
    found = json.loads(run("tags", "reference.png", "--json").out)
    assert found["model"] == "tagged"
    assert set(found["tags"]) == {"red_hair", "blue_hair", "red_skin", "blue_skin", "green_clothes", "glasses"}
    assert all(0 <= value <= 1 for value in found["tags"].values())
    text = run("tags", "reference.png", "--least", "0").out
    assert f"red_hair {found['tags']['red_hair']:.2f}" in text
    assert [line.split()[0] for line in text.splitlines() if "skin" in line] == ["skin"]
    assert "lower --least" in run("tags", "reference.png", "--least", "1").err


def test_all_tags_of_a_model(run, desk):
    answer = run("tags")
    assert answer.out.splitlines()[0].split() == ["hair", "red_hair", "blue_hair"]
    _refused(run("tags", "gone.png"), "gone.png")


# --- irodori edit ----------------------------------------------------------------------------------------------------


def test_an_edit_goes_on_from_the_result(run, irodori, colored, desk):
    answer = run(
        "edit", colored, "--tag", "green_clothes=2", "--without", "blue_skin", "--hint", "2,2=102030", "-o", "next.png"
    )
    assert (answer.code, answer.err) == (0, "")
    about = _about("next.png")
    assert about["tags"] == "red_hair=1.5 green_clothes=2"
    assert about["hints"] == "35,40=#00ff80 2,2=#102030"
    assert (about["reference_sha256"], about["seed"]) == (_about(colored)["reference_sha256"], "0")
    again = run(
        "edit", "next.png", "--without", "green_clothes", "--tag", "blue skin", "-o", "back.png", "--lines", "none"
    )
    assert again.code == 0
    assert _about("back.png")["tags"] == "red_hair=1.5 blue_skin=1"
    assert _about("back.png")["lines"] == "none"


def test_the_same_edit_gives_the_same_picture(run, colored):
    assert run("edit", colored, "-o", "same.png").code == 0
    assert np.array_equal(_pixels("same.png"), _pixels(colored))


def test_edits_are_replayed_on_other_sketches(run, colored, desk):
    answer = run("edit", colored, "--sketch", "sketches", "-o", "out", "--json")
    assert answer.code == 0
    assert len(json.loads(answer.out)["results"]) == 3
    assert "hints belong to sketch.png" in answer.err
    for number in (1, 2, 10):
        about = _about(f"out/{number}.png")
        assert about["tags"] == "red_hair=1.5 blue_skin=1"
        assert "hints" not in about
        assert about["references"] == '["reference.png"]'


def test_other_references(run, colored, desk):
    Image.new("RGB", (40, 40), (0, 80, 200)).save("blue.png")
    answer = run("edit", colored, "--reference", "blue.png", "-o", "next.png")
    assert (answer.code, answer.err) == (0, "")
    assert _about("next.png")["references"] == '["blue.png"]'
    (desk / "reference.png").unlink()
    _refused(run("edit", colored, "-o", "lost.png"), "reference.png", "--reference")
    assert run("edit", colored, "--reference", "blue.png", "-o", "found.png").code == 0


def test_a_recipe_can_be_shown_kept_and_used(run, irodori, colored, desk):
    answer = irodori("edit", colored, "--tag", "red_hair=0.5", "--no-snap", "--show")
    assert (answer.code, answer.err) == (0, "")
    assert json.loads(answer.out)["tags"] == "blue_skin=1 red_hair=0.5"
    (desk / "wish.json").write_text(answer.out)
    (desk / "out.png").unlink()
    assert run("edit", "wish.json", "-o", "again.png").code == 0
    assert _about("again.png")["tags"] == "blue_skin=1 red_hair=0.5"
    _refused(irodori("edit", "sketch.png", "--show"), "does not say how it was made")


def test_edit_needs_a_place_for_the_result(irodori, colored):
    answer = irodori("edit", colored, "--tag", "red_hair")
    assert answer.code == 2
    assert "-o FILE" in answer.err


def test_the_model_of_the_result_is_used_where_it_can_be_found(irodori, colored, tag_model, monkeypatch):
    _refused(irodori("edit", colored, "-o", "next.png"), "tagged", "--model")
    monkeypatch.setattr("irodori.weights.shipped", lambda: {"tagged": tag_model / "model.safetensors"})
    assert irodori("edit", colored, "-o", "next.png", "--device", "cpu").code == 0
    other = tag_model.parent / "other.safetensors"
    torch.manual_seed(1)
    Colorizer(build_system("taggan", preset("taggan/tiny").system), device="cpu").save_pretrained(
        tag_model.parent / "o"
    )
    (tag_model.parent / "o" / "model.safetensors").rename(other)
    monkeypatch.setattr("irodori.weights.shipped", lambda: {"tagged": other})
    assert "other weights called tagged" in irodori("edit", colored, "-o", "more.png", "--device", "cpu").err


# --- sweeps ----------------------------------------------------------------------------------------------------------


def test_sweeps_write_one_sheet(run, colored, desk):
    answer = run(
        "colorize", "sketch.png", "--reference", "reference.png", "--sweep", "red_hair=0:3:6", "-o", "sheet.png"
    )
    assert (answer.code, answer.err) == (0, "")
    assert "sheet.png" in answer.out
    assert _about("sheet.png")["sweep"] == "red_hair=0:0.6:1.2:1.8:2.4:3"
    one = Image.open("sheet.png").width // 6
    two = run("edit", colored, "--sweep", "red_hair=0:1:2", "--sweep", "blue_hair=0:1:3", "-o", "grid.png", "--json")
    assert json.loads(two.out)["sweeps"] == ["red_hair=0:1:2", "blue_hair=0:1:3"]
    assert Image.open("grid.png").size == (2 * one, 3 * Image.open("sheet.png").height)


def test_a_sweep_is_of_one_sketch(run, desk):
    _refused(run("colorize", "sketches", "--sweep", "red_hair=0:3:6", "-o", "out"), "one sketch", "3")
