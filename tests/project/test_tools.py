"""Tools work on weight files."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import torch

from irodori.checkpoint import read_header, save
from irodori.systems import build_system, load_system, preset
from irodori.training.loop import header_of

TOOLS = Path(__file__).parents[2] / "tools"


def test_weights_keep_their_values_under_another_configuration(tmp_path: Path):
    recipe = preset("colorizediffusion/tiny")
    before, after = tmp_path / "before.safetensors", tmp_path / "after.safetensors"
    save(before, header_of(recipe, 7), build_system("colorizediffusion", recipe.system).state_dict())
    command = [sys.executable, TOOLS / "reconfigure.py", before, after, "sampling.num_steps=4", "sampling.sampler=ddim"]
    subprocess.run(command, check=True)
    old, new = load_system(before), load_system(after)
    assert (old.config.sampling.num_steps, new.config.sampling.num_steps) == (3, 4)
    assert new.config.sampling.sampler == "ddim"
    assert all(torch.equal(value, new.state_dict()[name]) for name, value in old.state_dict().items())
    assert read_header(after).provenance == read_header(before).provenance


def test_a_part_is_taken_from_another_file_with_its_configuration(tmp_path: Path):
    recipe, files = preset("colorizediffusion/tiny"), [tmp_path / f"{name}.safetensors" for name in ("one", "other")]
    plain = replace(recipe, system=replace(recipe.system, encoder=replace(recipe.system.encoder, stem=())))
    for file, source in zip(files, (plain, recipe), strict=True):
        save(file, header_of(source, 7), build_system("colorizediffusion", source.system).state_dict())
    out = tmp_path / "out.safetensors"
    subprocess.run([sys.executable, TOOLS / "exchange_part.py", files[0], "encoder", files[1], out], check=True)
    one, other, found = load_system(files[0]), load_system(files[1]), load_system(out)
    assert found.config.encoder.stem == other.config.encoder.stem != one.config.encoder.stem
    for name, value in found.state_dict().items():
        assert torch.equal(value, (other if name.startswith("encoder.") else one).state_dict()[name])
