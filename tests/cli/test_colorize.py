"""`irodori colorize` as a user types it, with good and with bad input."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from irodori.checkpoint import Header, load, save


def _colorize(run, model, *arguments):
    return run("colorize", "--model", model, "--device", "cpu", *arguments)


def _one_sentence(answer, *parts):
    """The whole of stderr is one line that starts with ``error:`` and names what is given."""
    assert answer.code == 2
    assert answer.err.startswith("error: ")
    assert answer.err.count("\n") == 1
    assert answer.out == ""
    for part in parts:
        assert part in answer.err


# --- what works ------------------------------------------------------------------------------------------------------


def test_as_a_user_types_it(shell, desk, tiny_model):
    answer = _colorize(shell, tiny_model, "sketch.png", "--reference", "reference.png", "-o", "out.png")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.startswith("out.png  model tiny  seed 0  ")
    assert Image.open("out.png").size == (70, 90)


def test_a_failure_as_a_user_sees_it(shell, desk, tiny_model):
    _one_sentence(_colorize(shell, tiny_model, "gone.png", "-o", "out.png"), "gone.png")


def test_without_a_reference(irodori, desk, tiny_model):
    assert _colorize(irodori, tiny_model, "sketch.png", "-o", "out.png").code == 0
    assert Image.open("out.png").size == (70, 90)


def test_several_references_and_options(irodori, desk, tiny_model):
    references = ("--reference", "reference.png", "--reference", "sketches/1.png")
    options = ("--lines", "none", "--polarity", "dark", "--image-size", 64, "--seed", 4)
    answer = _colorize(irodori, tiny_model, "sketch.png", *references, *options, "-o", "out.webp")
    assert answer.code == 0
    assert "seed 4" in answer.out


def test_a_folder_resumes_and_lists_failures(irodori, desk, tiny_model):
    arguments = ("sketches", "--reference", "reference.png", "-o", "out")
    assert _colorize(irodori, tiny_model, *arguments).out.count("model tiny") == 3
    assert "3 already there" in _colorize(irodori, tiny_model, *arguments).out
    (desk / "sketches/2.png").write_bytes(b"")
    (desk / "out/1.png").unlink()
    answer = _colorize(irodori, tiny_model, *arguments)
    assert answer.code == 1
    assert answer.out.startswith("out/1.png")
    assert "failed: sketches/2.png" in answer.err
    assert sorted(path.name for path in (desk / "out").iterdir()) == ["1.png", "10.png", "2.png"]


def test_json_is_one_object_and_nothing_else(irodori, desk, tiny_model):
    Image.fromarray(255 - np.asarray(Image.open("sketch.png"))).save("white.png")
    answer = _colorize(irodori, tiny_model, "sketch.png", "white.png", "gone.png", "-o", "out", "--json")
    found = json.loads(answer.out)
    assert answer.code == 1
    assert [item["output"] for item in found["results"]] == ["out/sketch.png", "out/white.png"]
    assert found["results"][1]["notices"][0].startswith("light lines")
    assert found["results"][0]["provenance"]["model"] == "tiny"
    assert found["failures"][0]["sketch"] == "gone.png"
    assert found["seconds"] > 0


def test_notices_go_to_stderr(irodori, desk, tiny_model):
    yy, xx = np.mgrid[0:96, 0:96]
    painting = np.stack([xx * 2, yy * 2, 255 - xx], -1).astype(np.uint8)
    Image.fromarray(painting).save("painting.png")
    assert "painting.png: looks like a picture" in _colorize(irodori, tiny_model, "painting.png", "-o", "out.png").err
    Image.fromarray(255 - np.asarray(Image.open("sketch.png"))).save("white.png")
    assert "white.png: light lines" in _colorize(irodori, tiny_model, "white.png", "-o", "out2.png").err


def test_attention(irodori, desk, tiny_model):
    arguments = ("--reference", "reference.png", "-o", "out.png", "--attention", "map.png", "--point", "30,40")
    assert _colorize(irodori, tiny_model, "sketch.png", *arguments).code == 0
    assert Image.open("map.png").width > 384 * 2 - 100


def test_the_same_command_gives_the_same_picture(irodori, desk, tiny_model):
    for name in ("a.png", "b.png"):
        _colorize(irodori, tiny_model, "sketch.png", "--reference", "reference.png", "-o", name)
    assert np.array_equal(np.asarray(Image.open("a.png")), np.asarray(Image.open("b.png")))


# --- bad input -------------------------------------------------------------------------------------------------------


def _animation(path):
    frames = [Image.new("RGB", (60, 60), color) for color in ("red", "green", "blue")]
    frames[0].save(path, save_all=True, append_images=frames[1:])


BAD_SKETCHES = {
    "missing.png": lambda path: None,
    "empty.png": lambda path: path.write_bytes(b""),
    "text.png": lambda path: path.write_text("this is no picture", encoding="utf-8"),
    "truncated.png": lambda path: path.write_bytes((path.parent / "sketch.png").read_bytes()[:90]),
    "tiny.png": lambda path: Image.new("L", (1, 1)).save(path),
    "animated.png": _animation,
}


@pytest.mark.parametrize("name", BAD_SKETCHES)
def test_a_bad_sketch(irodori, desk, tiny_model, name):
    BAD_SKETCHES[name](desk / name)
    _one_sentence(_colorize(irodori, tiny_model, name, "-o", "out.png"), name)
    assert not (desk / "out.png").exists()


@pytest.mark.parametrize("name", BAD_SKETCHES)
def test_a_bad_reference(irodori, desk, tiny_model, name):
    BAD_SKETCHES[name](desk / name)
    _one_sentence(_colorize(irodori, tiny_model, "sketch.png", "--reference", name, "-o", "out.png"), name)
    assert not (desk / "out.png").exists()


def test_an_output_below_a_file(irodori, desk, tiny_model):
    _one_sentence(_colorize(irodori, tiny_model, "sketch.png", "-o", "reference.png/x/out.png"), "reference.png")


def test_an_input_is_never_overwritten(irodori, desk, tiny_model):
    before = (desk / "sketch.png").read_bytes()
    _one_sentence(_colorize(irodori, tiny_model, "sketch.png", "-o", "sketch.png", "--overwrite"), "sketch.png")
    assert (desk / "sketch.png").read_bytes() == before


def test_a_foreign_file_is_kept(irodori, desk, tiny_model):
    before = (desk / "reference.png").read_bytes()
    _one_sentence(_colorize(irodori, tiny_model, "sketch.png", "-o", "reference.png"), "--overwrite")
    assert (desk / "reference.png").read_bytes() == before


def _damaged(tiny_model, path, change):
    header, tensors = load(tiny_model / "model.safetensors")
    save(path, *change(header, tensors))
    return path


def test_nan_weights(irodori, desk, tiny_model):
    def spoil(header, tensors):
        name = next(iter(tensors))
        return header, {**tensors, name: torch.full_like(tensors[name], float("nan"))}

    model = _damaged(tiny_model, desk / "nan.safetensors", spoil)
    _one_sentence(_colorize(irodori, model, "sketch.png", "-o", "out.png"), "nan.safetensors", "NaN")


def test_weights_of_an_unknown_system(irodori, desk, tiny_model):
    model = _damaged(tiny_model, desk / "x.safetensors", lambda h, t: (Header("other", h.config, {}), t))
    _one_sentence(_colorize(irodori, model, "sketch.png", "-o", "out.png"), "other")


def test_weights_that_do_not_fit(irodori, desk, tiny_model):
    model = _damaged(tiny_model, desk / "x.safetensors", lambda h, t: (h, dict(list(t.items())[1:])))
    _one_sentence(_colorize(irodori, model, "sketch.png", "-o", "out.png"), "x.safetensors")


@pytest.mark.parametrize("name", ["sketch.png", "none.safetensors", "no-such-model", "."])
def test_no_weights_there(irodori, desk, name):
    _one_sentence(_colorize(irodori, name, "sketch.png", "-o", "out.png"))
    assert not (desk / "out.png").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("--lines", "both"),
        ("--polarity", "white"),
        ("--image-size", "9"),
        ("--seed", "x"),
        ("--device", "tpu"),
        ("--point", "5"),
        ("--unknown",),
        ("--attention", "map.png"),
    ],
)
def test_wrong_use(irodori, desk, tiny_model, arguments):
    answer = _colorize(irodori, tiny_model, "sketch.png", "-o", "out.png", *arguments)
    assert answer.code == 2
    assert arguments[0] in answer.err
    assert not (desk / "out.png").exists()


def test_a_point_outside_the_sketch(irodori, desk, tiny_model):
    arguments = ("--reference", "reference.png", "-o", "out.png", "--attention", "map.png", "--point", "500,2")
    _one_sentence(_colorize(irodori, tiny_model, "sketch.png", *arguments), "500,2", "70x90")
    assert not (desk / "map.png").exists()
    assert not (desk / "out.png").exists()
