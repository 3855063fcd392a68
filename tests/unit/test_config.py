from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

from irodori.config import from_dict, override, parse_assignments, read_toml, to_dict
from irodori.errors import ConfigError
from irodori.systems import PRESETS, preset
from irodori.systems.recipe import Recipe


@dataclass(frozen=True, kw_only=True)
class Inner:
    size: int = 4
    ratio: float = 0.5


@dataclass(frozen=True, kw_only=True)
class Outer:
    name: str = "x"
    mode: Literal["a", "b"] = "a"
    widths: tuple[int, ...] = (1, 2)
    pair: tuple[float, float] = (0.0, 1.0)
    inner: Inner = field(default_factory=Inner)
    anything: Any = field(default_factory=Inner)
    maybe: int | None = None


def test_round_trip_through_plain_data():
    config = Outer(name="y", widths=(3,), inner=Inner(size=9), anything=Inner(ratio=0.1), maybe=2)
    assert override(Outer(), to_dict(config)) == config


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"inner": {"sise": 1}}, r"inner.sise: unknown key; did you mean 'size'"),
        ({"nothing_like_it": 1}, "known keys: name"),
        ({"inner": {"size": "4"}}, "inner.size: expected int, got '4'"),
        ({"inner": {"size": True}}, "expected int, got True"),
        ({"mode": "c"}, "expected one of a, b, got 'c'"),
        ({"widths": [1, 2.5]}, r"widths\[1\]: expected int"),
        ({"pair": [1.0]}, "expected 2 values, got 1"),
        ({"name": 3}, "expected str"),
    ],
)
def test_wrong_data_names_the_place_and_the_remedy(values: dict, message: str):
    with pytest.raises(ConfigError, match=message):
        from_dict(Outer, values)


def test_whole_numbers_are_floats_where_floats_are_wanted():
    assert from_dict(Outer, {"inner": {"ratio": 1}, "pair": [0, 2]}).pair == (0.0, 2.0)


def test_override_changes_what_is_named_and_nothing_else():
    config = override(Outer(inner=Inner(size=7)), {"inner": {"ratio": 0.25}, "anything": {"size": 1}})
    assert config.inner == Inner(size=7, ratio=0.25)
    assert config.anything == Inner(size=1)


def test_assignments_are_toml_and_bare_words_are_strings():
    found = parse_assignments(["a.b=2", "a.c=[1, 2]", "mode=b", "flag=true", 'text="x=y"'])
    assert found == {"a": {"b": 2, "c": [1, 2]}, "mode": "b", "flag": True, "text": "x=y"}
    with pytest.raises(ConfigError, match="KEY=VALUE"):
        parse_assignments(["oops"])


def test_toml_files(tmp_path: Path):
    path = tmp_path / "c.toml"
    path.write_text("[system]\nimage_size = 64\n")
    assert read_toml(path) == {"system": {"image_size": 64}}
    path.write_text("[system\n")
    with pytest.raises(ConfigError, match="TOML"):
        read_toml(path)
    with pytest.raises(ConfigError, match="no such"):
        read_toml(tmp_path / "none.toml")


def test_presets_survive_the_header_of_a_weight_file():
    for name, recipe in PRESETS.items():
        assert from_dict(type(recipe.system), to_dict(recipe.system)) == recipe.system, name
        assert recipe.name == name
        assert recipe.about


def test_a_typing_error_in_a_recipe_is_found_before_anything_is_loaded():
    with pytest.raises(ConfigError, match="system.image_sise: unknown key; did you mean 'image_size'"):
        override(preset("scft/tiny"), {"system": {"image_sise": 128}})
    with pytest.raises(ConfigError, match="did you mean 'scft/small'"):
        preset("scft/smal")
    assert isinstance(override(preset("scft/tiny"), {"training": {"seed": 4}}), Recipe)
