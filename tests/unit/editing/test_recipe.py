"""Recipes: read from results, changed, written, and their files found again."""

from __future__ import annotations

import doctest
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fakes import MirrorSystem, box_drawing
from irodori.editing import recipe as recipe_module
from irodori.editing.recipe import (
    ColoringRecipe,
    Source,
    changed,
    find_references,
    find_sketch,
    for_other_sketches,
    read_recipe,
    to_words,
)
from irodori.errors import InputError
from irodori.inference.batch import Options, content_hash, plan_jobs, run_jobs
from irodori.inference.colorizer import Colorizer
from irodori.inference.guidance import Hint

OPTIONS = Options(
    lines="none", polarity="light", image_size=96, seed=7, hints=(Hint(3, 4, (1, 2, 3)), Hint(5.5, 6, (255, 0, 0))),
    palette=((9, 8, 7),), snap=True, tags={"red_hair": 1.5, "blue_eyes": 0.25},
)  # fmt: skip
RECIPE = ColoringRecipe(
    model="some-model",
    weights="ab" * 32,
    sketch=Source("my sketch, final.png", "cd" * 32),
    references=(Source("a b.png", "12" * 32, "hair"), Source('"q".png', "34" * 32)),
    options=OPTIONS,
)


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """desk/sketch.png, desk/colors/one.png, desk/colors/two.png."""
    (tmp_path / "colors").mkdir()
    Image.fromarray(box_drawing(60, 50, (10, 10, 50, 40), 2)).save(tmp_path / "sketch.png")
    for name, level in (("one", 50), ("two", 200)):
        Image.fromarray(np.full((40, 40, 3), level, np.uint8)).save(tmp_path / "colors" / f"{name}.png")
    return tmp_path


@pytest.fixture
def result(desk: Path) -> Path:
    """desk/out.png, colored with everything but tags."""
    references = {"hair": [desk / "colors/one.png"], "": [desk / "colors/two.png"]}
    jobs = plan_jobs([desk / "sketch.png"], references, desk / "out.png")
    options = Options(hints=(Hint(20, 30, (255, 0, 0)),), palette=((0, 0, 255),), seed=3)
    assert run_jobs(Colorizer(MirrorSystem(), name="mirror", device="cpu"), jobs, options).failed == []
    return desk / "out.png"


def test_words_and_back(tmp_path: Path):
    path = tmp_path / "wish.json"
    path.write_text(json.dumps(to_words(RECIPE)))
    assert read_recipe(path) == RECIPE


def test_a_plain_recipe_has_few_words(tmp_path: Path):
    recipe = ColoringRecipe(model="m", options=Options())
    path = tmp_path / "wish.json"
    path.write_text(json.dumps(to_words(recipe)))
    assert set(to_words(recipe)) == {"model", "lines", "polarity", "seed"}
    assert read_recipe(path) == recipe


def test_a_result_tells_how_it_was_made(result: Path, desk: Path):
    recipe = read_recipe(result)
    assert recipe.model == "mirror"
    assert recipe.sketch == Source("sketch.png", content_hash(desk / "sketch.png"))
    hashes = [content_hash(desk / "colors" / name) for name in ("one.png", "two.png")]
    assert recipe.references == (Source("one.png", hashes[0], "hair"), Source("two.png", hashes[1]))
    assert recipe.options.hints == (Hint(20, 30, (255, 0, 0)),)
    assert (recipe.options.palette, recipe.options.seed, recipe.options.image_size) == (((0, 0, 255),), 3, 64)


def test_no_folder_is_told(result: Path, desk: Path):
    assert "colors" not in json.dumps(to_words(read_recipe(result)))
    assert str(desk) not in json.dumps(to_words(read_recipe(result)))


def test_files_are_found_beside_the_result_and_one_folder_below(result: Path, desk: Path):
    recipe = read_recipe(result)
    assert find_sketch(recipe, [desk]) == desk / "sketch.png"
    assert find_references(recipe, [desk]) == {
        "hair": [desk / "colors/one.png"], "": [desk / "colors/two.png"]
    }  # fmt: skip
    with pytest.raises(InputError, match=r"made from sketch.png.*--sketch"):
        find_sketch(recipe, [desk / "colors"])


def test_another_file_of_the_name_is_passed_over(result: Path, desk: Path):
    recipe = read_recipe(result)
    (desk / "other").mkdir()
    (desk / "sketch.png").rename(desk / "other" / "sketch.png")
    Image.new("L", (5, 5)).save(desk / "sketch.png")
    assert find_sketch(recipe, [desk]) == desk / "other" / "sketch.png"
    (desk / "other" / "sketch.png").unlink()
    with pytest.raises(InputError, match=r"sketch.png has changed since"):
        find_sketch(recipe, [desk])


def test_names_in_a_recipe_cannot_point_elsewhere(tmp_path: Path):
    path = tmp_path / "wish.json"
    path.write_text(json.dumps({**to_words(RECIPE), "sketch": "../../etc/passwd", "references": '["/a/b", "c/d"]'}))
    recipe = read_recipe(path)
    assert recipe.sketch.name == "passwd"
    assert [reference.name for reference in recipe.references] == ["b", "d"]


def test_examples():
    assert doctest.testmod(recipe_module).failed == 0


def test_a_new_color_of_a_part_replaces_the_old_one():
    recipe = changed(RECIPE, {"green_hair": 0.5, "smile": 1.0})
    assert recipe.options.tags == {"blue_eyes": 0.25, "green_hair": 0.5, "smile": 1.0}
    both = changed(RECIPE, {"green_hair": 0.5, "blonde_hair": 0.5})
    assert both.options.tags == {"blue_eyes": 0.25, "green_hair": 0.5, "blonde_hair": 0.5}


def test_changes():
    recipe = changed(
        RECIPE, {"blue_eyes": 2.0, "green_hair": 1.0}, ("Red hair",), hints=(Hint(0, 0, (0, 0, 0)),), snap=False
    )
    assert recipe.options.tags == {"blue_eyes": 2.0, "green_hair": 1.0}
    assert recipe.options.hints == (*OPTIONS.hints, Hint(0, 0, (0, 0, 0)))
    assert not recipe.options.snap
    assert (recipe.options.palette, recipe.options.lines) == (OPTIONS.palette, "none")
    assert RECIPE.options.tags == {"red_hair": 1.5, "blue_eyes": 0.25}
    assert changed(RECIPE) == RECIPE
    with pytest.raises(InputError, match="green_hair is not set: red_hair, blue_eyes is"):
        changed(RECIPE, without=("green_hair",))


def test_on_other_sketches_places_mean_nothing():
    recipe = for_other_sketches(RECIPE)
    assert (recipe.sketch, recipe.options.hints, recipe.options.polarity) == (None, (), "auto")
    assert (recipe.options.tags, recipe.references) == (OPTIONS.tags, RECIPE.references)
    with pytest.raises(InputError, match="--sketch"):
        find_sketch(recipe, [])


@pytest.mark.parametrize(
    "content",
    [
        *("{}", "[]", "3", '{"model": 5, "hints": "here"}', '{"model": "m", "seed": "x"}'),
        *('{"model": "m", "tags": "a=b"}', '{"model": "m", "references": "[1]"}', '{"model": "m", "lines": "wavy"}'),
    ],
)
def test_damaged_recipes(tmp_path: Path, content: str):
    path = tmp_path / "wish.json"
    path.write_text(content)
    with pytest.raises(InputError, match="recipe is damaged"):
        read_recipe(path)


def test_files_without_a_recipe(tmp_path: Path, desk: Path):
    for name, content in (("broken.json", b"{"), ("gone.json", None)):
        path = tmp_path / name
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(InputError, match=name):
            read_recipe(path)
    with pytest.raises(InputError, match="does not say how it was made"):
        read_recipe(desk / "sketch.png")
