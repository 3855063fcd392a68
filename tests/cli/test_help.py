"""Every command explains itself, starts fast, and the small commands answer."""

import json
import subprocess
import sys

import pytest
from PIL import Image

from irodori.cli.main import COMMANDS
from irodori.inference.colorizer import Colorizer
from irodori.systems import build_system, preset

HEAVY = ("torch", "numpy", "cv2", "PIL", "huggingface_hub")


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_every_command(irodori, name):
    answer = irodori(name, "--help")
    assert answer.code == 0
    assert answer.out.startswith("Usage: irodori " + name)


def test_help_lists_all_commands(irodori):
    answer = irodori("--help")
    assert all(f"  {name} " in answer.out for name in COMMANDS)


@pytest.mark.parametrize("arguments", [["--help"], ["colorize", "--help"]])
def test_help_imports_nothing_heavy(arguments):
    code = (
        "import sys; from irodori.cli.main import main; main(sys.argv[1:]);"
        f"print([m for m in {HEAVY} if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


def test_version(irodori):
    answer = irodori("--version")
    assert answer.code == 0
    assert answer.out.startswith("irodori ")


@pytest.mark.parametrize("arguments", [["paint"], ["colorize"], ["--verbose"]])
def test_wrong_use_is_exit_code_2(irodori, arguments):
    answer = irodori(*arguments)
    assert answer.code == 2
    assert "Usage: irodori" in answer.err


def test_interrupt(irodori, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("irodori.weights.shipped", interrupt)
    assert irodori("models").code == 130


def test_models(irodori, tiny_model, monkeypatch, tmp_path):
    (tmp_path / "broken").write_bytes(b"no weights")
    files = {"tiny": tiny_model / "model.safetensors", "broken": tmp_path / "broken"}
    monkeypatch.setattr("irodori.weights.shipped", lambda: files)
    monkeypatch.setattr("irodori.cli.models._cached", dict)
    tiny, broken = json.loads(irodori("models", "--json").out)
    assert (tiny["name"], tiny["origin"], tiny["system"]) == ("tiny", "shipped", "scft")
    assert broken["system"].startswith("unusable")
    assert "scft" in irodori("models").out


def test_doctor(irodori, tiny_model, monkeypatch):
    monkeypatch.setattr("irodori.weights.shipped", lambda: {"tiny": tiny_model / "model.safetensors"})
    found = json.loads(irodori("doctor", "--json").out)
    assert found["ok"]
    assert len(found["models"][0]["sha256"]) == 64
    assert "everything works" in irodori("doctor").out


def test_doctor_asks_a_flow_to_find_back(irodori, tmp_path, monkeypatch):
    Colorizer(build_system("cnf", preset("cnf/tiny").system), device="cpu").save_pretrained(tmp_path)
    monkeypatch.setattr("irodori.weights.shipped", lambda: {"flow": tmp_path / "model.safetensors"})
    model = json.loads(irodori("doctor", "--json").out)["models"][0]
    assert model["ok"]
    assert 0 <= model["round_trip_error"] < 1e-5
    assert "sketch → latent → sketch" in irodori("doctor").out
    monkeypatch.setattr("irodori.systems.cnf.system.CNF.round_trip_error", lambda self, inputs: 0.25)
    answer = irodori("doctor")
    assert answer.code == 1
    assert "within 0.2" in answer.out


def test_doctor_without_weights(irodori, monkeypatch):
    monkeypatch.setattr("irodori.weights.shipped", dict)
    answer = irodori("doctor")
    assert answer.code == 1
    assert "missing" in answer.err


@pytest.mark.parametrize("style", ["xdog", "dog", "canny", "pencil"])
def test_extract_sketch(irodori, desk, style):
    assert irodori("extract-sketch", "reference.png", "-o", "lines.png", "--style", style).code == 0
    assert Image.open("lines.png").mode == "L"
    assert Image.open("lines.png").size == (60, 40)


def test_extract_sketch_of_a_folder_with_a_failure(irodori, desk):
    (desk / "sketches/2.png").write_bytes(b"")
    answer = irodori("extract-sketch", "sketches", "-o", "out")
    assert answer.code == 1
    assert "failed: sketches/2.png" in answer.err
    assert len(list((desk / "out").iterdir())) == 2
    assert irodori("extract-sketch", "sketches/2.png", "-o", "out").code == 2


def test_the_styles_are_those_of_the_extractors():
    from irodori.cli.extract_sketch import command
    from irodori.data.sketch import EXTRACTORS

    (style,) = (option for option in command.params if option.name == "style")
    assert list(style.type.choices) == list(EXTRACTORS)


def test_the_choices_are_those_of_the_library():
    from irodori.cli.colorize import command
    from irodori.inference.colorizer import DEVICES
    from irodori.inference.finish import LINE_MODES
    from irodori.inference.prepare import POLARITIES
    from irodori.weights import DEFAULT

    options = {option.name: option for option in command.params}
    assert tuple(options["lines"].type.choices) == LINE_MODES
    assert tuple(options["polarity"].type.choices) == POLARITIES
    assert tuple(options["device"].type.choices) == DEVICES
    assert options["model"].default == DEFAULT
