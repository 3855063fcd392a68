"""The public names are a recorded list: taking one away or renaming it is a decision, not an accident."""

import subprocess
import sys

import pytest

import irodori

RECORDED = [
    "Colorizer",
    "ConfigError",
    "Correspondence",
    "DataError",
    "Hint",
    "InputError",
    "IrodoriError",
    "MaskOptions",
    "MissingPackageError",
    "Result",
    "Sampling",
    "Stroke",
    "TextEdit",
    "WeightsError",
    "__version__",
    "system_names",
]

COLORIZER = [
    *("another", "checked_tags", "engine", "from_pretrained", "heatmap", "precision", "read_tags", "run"),
    "save_pretrained",
    *("set_reference", "set_sketch", "tags", "weights_hash"),
]
RESULT = [
    *("choices", "color_pixels", "colors_only", "confidence", "exact", "explain", "flats", "grid", "hints", "image"),
    *("inked", "layers", "lines"),
    *("network_confidence", "network_warped", "pixels", "references", "save", "warped_reference"),
]
RESULT_FIELDS = [
    *(
        "choices",
        "correspondence",
        "drawing",
        "exact",
        "hints",
        "inked",
        "mode",
        "network_confidence",
        "network_image",
        "network_warped",
    ),
    *("notices", "provenance", "references"),
]


def _public(kind):
    return sorted(name for name in vars(kind) if not name.startswith("_"))


def test_names_are_the_recorded_ones():
    assert sorted(irodori.__all__) == RECORDED
    assert dir(irodori) == RECORDED
    assert all(getattr(irodori, name) is not None for name in RECORDED)


def test_members_are_the_recorded_ones():
    assert _public(irodori.Colorizer) == COLORIZER
    assert _public(irodori.Result) == RESULT
    assert sorted(irodori.Result.__dataclass_fields__) == RESULT_FIELDS
    assert _public(irodori.Correspondence) == ["blocks", "heatmap", "numbers", "picture", "where"]


def test_system_names():
    assert "scft" in irodori.system_names()


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Coloriser'"):
        _ = irodori.Coloriser


def test_import_is_light_and_silent():
    code = "import sys, irodori; print(sorted({'torch', 'numpy', 'click'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")
