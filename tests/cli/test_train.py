"""`irodori prepare`, `train` and `evaluate` as a user types them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from irodori.cli.evaluate import command as evaluate
from irodori.cli.prepare import command as prepare
from irodori.cli.train import command as train
from irodori.data.index import Index
from irodori.errors import ConfigError, DataError, WeightsError


def run(command, *arguments: object) -> str:
    result = CliRunner().invoke(command, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_from_a_pack_to_a_table(pack: Path, tmp_path: Path):
    report = json.loads(run(prepare, pack, "-o", tmp_path / "data", "--size", 64, "--json"))
    assert report["items"] == 60
    assert report["rejected"] == []
    common = ("--preset", "scft/tiny", "--data", tmp_path / "data", "--run", tmp_path / "run", "--device", "cpu")
    out = run(train, *common, "--set", "training.images=16")
    assert "model.safetensors: scft/tiny, seed 0" in out
    table = run(evaluate, tmp_path / "run", "--data", tmp_path / "data", "--count", 3, "--size", 32)
    assert table.count("same style") == 7
    assert table.startswith(f"| reference | {tmp_path}/run |")
    data = json.loads(
        run(evaluate, tmp_path / "run", "--data", tmp_path / "data", "--count", 3, "--size", 32, "--json")
    )
    result = data["results"][str(tmp_path / "run")]["other style, moved"]
    assert (
        0 <= result["part_accuracy"]["low"] <= result["part_accuracy"]["mean"] <= result["part_accuracy"]["high"] <= 1
    )
    assert len(data["about"]["weights"][str(tmp_path / "run")]) == 64


def test_evaluation_is_repeatable(dataset: Index, tmp_path: Path):
    from dataclasses import replace

    from irodori.systems import preset
    from irodori.training.loop import LoopOptions
    from irodori.training.loop import train as train_recipe
    from irodori.training.run_folder import RunFolder

    recipe = preset("scft/tiny")
    recipe = replace(recipe, training=replace(recipe.training, images=8))
    path = train_recipe(recipe, dataset, RunFolder(tmp_path), LoopOptions(device="cpu", progress=False))
    arguments = (path, "--data", dataset.root, "--count", 3, "--size", 32, "--json")
    assert run(evaluate, *arguments) == run(evaluate, *arguments)


def test_dry_run_prints_the_resolved_recipe_and_writes_nothing(tmp_path: Path):
    (tmp_path / "c.toml").write_text("[training]\nseed = 7\n")
    out = run(
        train, "--preset", "scft/small", "--data", "nowhere", "--run", tmp_path / "run", "--dry-run",
        "--config", tmp_path / "c.toml", "--set", "system.image_size=64",
    )  # fmt: skip
    recipe = json.loads(out)
    assert (recipe["system"]["image_size"], recipe["training"]["seed"], recipe["name"]) == (64, 7, "scft/small")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (["--preset", "scft/smol"], ConfigError, "did you mean"),
        (["--set", "system.image_sise=1"], ConfigError, "image_size"),
        (["--set", "system.image_size=33"], ConfigError, "multiple"),
        (["--set", "training.batch_size=0"], ConfigError, "batch"),
        (["--data", "nowhere"], DataError, "irodori prepare"),
        (["--initialize", "nowhere.safetensors"], WeightsError, "no such weight file"),
        (["--device", "cuda"], ConfigError, "not available"),
    ],
)
def test_wrong_use_is_one_sentence(dataset: Index, tmp_path: Path, arguments: list[str], error: type, message: str):
    import torch

    if "cuda" in arguments and torch.cuda.is_available():
        return
    base = ["--preset", "scft/tiny", "--data", str(dataset.root), "--run", str(tmp_path / "run"), "--device", "cpu"]
    result = CliRunner().invoke(train, [*base, *arguments])
    assert isinstance(result.exception, error)
    assert message in str(result.exception)
    assert "\n" not in str(result.exception)


def test_perceptual_losses_without_their_network_say_what_to_do(dataset: Index, tmp_path: Path):
    result = CliRunner().invoke(
        train,
        ["--preset", "scft/tiny", "--data", str(dataset.root), "--run", str(tmp_path), "--device", "cpu",
         "--set", "system.weights.style=1"],
    )  # fmt: skip
    assert isinstance(result.exception, ConfigError)
    assert "--features" in str(result.exception)
