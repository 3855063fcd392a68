"""Words, masks and steps on the command line, as a user types them."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from PIL import Image

from irodori.image_io import read_metadata
from irodori.inference.colorizer import Colorizer
from irodori.systems import build_system, preset


@pytest.fixture(scope="module")
def drawing_model(tmp_path_factory):
    """A folder with an untrained ColorizeDiffusion of a few ten thousand parameters."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("models") / "drawing"
    system = build_system("colorizediffusion", preset("colorizediffusion/tiny").system)
    Colorizer(system, device="cpu").save_pretrained(folder)
    return folder


@pytest.fixture
def run(irodori, desk, drawing_model):
    def command(*arguments, model=drawing_model, output="out.png"):
        given = ("--model", model, "--device", "cpu", "--reference", "reference.png", "-o", output)
        return irodori("colorize", "sketch.png", *given, *arguments)

    return command


def _about(path):
    return json.loads(read_metadata(path)["irodori"])


def _pixels(path):
    return np.asarray(Image.open(path))


def _refused(answer, *parts):
    assert answer.code == 2
    assert answer.err.count("\n") <= 4  # usage, and one sentence
    for part in parts:
        assert part in answer.err


def test_one_edit_with_options_of_its_own(run, desk):
    words = ("--text", "red hair", "--anchor", "black hair", "--control", "hair", "--scale", "6", "--enhance")
    answer = run(*words, "--thresholds", "0.1,0.2,0.3,0.4", "--heatmap", "heat.png")
    assert (answer.code, answer.err) == (0, "")
    (edit,) = json.loads(_about("out.png")["text"])
    assert edit == {
        "target": "red hair", "anchor": "black hair", "control": "hair", "scale": 6.0, "enhance": True,
        "thresholds": [0.1, 0.2, 0.3, 0.4],
    }  # fmt: skip
    assert _pixels("heat.png").shape == (40, 60, 3)


def test_several_edits_change_the_picture_and_come_back_from_its_recipe(run, irodori, desk, drawing_model):
    run(output="plain.png")
    run("--text", "red hair; anchor=black hair", "--text", "blue eyes; scale=3; enhance")
    assert [edit["target"] for edit in json.loads(_about("out.png")["text"])] == ["red hair", "blue eyes"]
    assert (_pixels("out.png") != _pixels("plain.png")).any()
    common = ("--model", drawing_model, "--device", "cpu")
    assert irodori("edit", "out.png", *common, "-o", "again.png").code == 0
    np.testing.assert_array_equal(_pixels("again.png"), _pixels("out.png"))
    assert irodori("edit", "plain.png", *common, "--text", "red hair; anchor=black hair", "-o", "one.png").code == 0
    assert irodori("edit", "one.png", *common, "--text", "blue eyes; scale=3; enhance", "-o", "two.png").code == 0
    np.testing.assert_array_equal(_pixels("two.png"), _pixels("out.png"))


def test_steps_sampler_and_seed(run, irodori, desk, drawing_model):
    run("--steps", "4", "--sampler", "euler-a", "--guidance-scale", "1.5", "--seed", "7")
    assert json.loads(_about("out.png")["sampling"]) == {"num_steps": 4, "guidance_scale": 1.5, "sampler": "euler-a"}
    first = _pixels("out.png")
    run("--steps", "4", "--sampler", "euler-a", "--guidance-scale", "1.5", "--seed", "8", "--overwrite")
    assert (_pixels("out.png") != first).any()
    again = ("--seed", "7", "--overwrite")
    run("--steps", "4", "--sampler", "euler-a", "--guidance-scale", "1.5", *again)
    np.testing.assert_array_equal(_pixels("out.png"), first)
    answer = irodori("edit", "out.png", "--show")
    assert json.loads(json.loads(answer.out)["sampling"])["num_steps"] == 4


def test_masks_from_drawings_and_from_files(run, desk):
    run(output="plain.png")
    assert run("--sketch-mask", "auto").code == 0
    assert json.loads(_about("out.png")["masks"])["reference"] == "auto"
    Image.fromarray(np.zeros((70, 90), np.uint8)).save("nothing.png")
    assert run("--sketch-mask", "nothing.png", "--reference-threshold", "0.2", "--overwrite").code == 0
    about = _about("out.png")
    assert json.loads(about["masks"]) == {
        "sketch": "nothing.png", "reference": "auto", "sketch_threshold": 0.05, "reference_threshold": 0.2,
    }  # fmt: skip
    assert len(about["mask_sha256"]) == 64
    assert (_pixels("out.png") != _pixels("plain.png")).any()


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (("--text", "a", "--text", "b", "--anchor", "c"), ("--anchor belongs to a single --text", "there are 2")),
        (("--anchor", "c"), ("--anchor belongs to a single --text", "there are 0")),
        (("--text", "red hair; ancor=black"), ("'ancor=black'", "after the target come anchor, control")),
        (("--text", "red hair; scale=much"), ("'scale=much'",)),
        (("--text", "red hair", "--thresholds", "0.1,0.2,x,0.4"), ("write four numbers",)),
        (("--text", "red hair", "--thresholds", "0.4,0.2,0.3,0.5"), ("must rise",)),
        (("--text", " "), ("needs a target",)),
        (("--text", "red hair", "--scale", "1000"), ("use 0 to 15",)),
        (("--heatmap", "heat.png"), ("--heatmap", "give both")),
        (("--sketch-mask", "missing.png"), ("missing.png",)),
    ],
)
def test_wrong_use_is_explained(run, desk, arguments, parts):
    _refused(run(*arguments), *parts)
    assert not (desk / "out.png").exists()


def test_other_systems_say_what_takes_words(run, tiny_model):
    _refused(run("--text", "red hair", model=tiny_model), "the system scft takes no edits in words")
    _refused(run("--steps", "4", model=tiny_model), "takes no steps")
    _refused(run("--sketch-mask", "auto", model=tiny_model), "takes no masks")
    _refused(run("--half", model=tiny_model), "is small: leave out --half")


def test_downloads_show_the_license_first(irodori, monkeypatch, tmp_path):
    asked = []

    def download(name, accept, revision):
        from irodori.systems.downloads import PUBLISHED

        asked.append((name, revision, accept(PUBLISHED[name])))
        return tmp_path / f"{name}.safetensors"

    monkeypatch.setattr("irodori.systems.downloads.download", download)
    answer = irodori("models", "download", "colorizediffusion-v2", "--accept-license", "--revision", "abc")
    assert answer.code == 0
    assert "CC BY-NC-SA 4.0" in answer.err
    assert "--model colorizediffusion-v2" in answer.out
    assert asked == [("colorizediffusion-v2", "abc", True)]
