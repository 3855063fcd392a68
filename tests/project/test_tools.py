"""Tools work on weight files."""

from __future__ import annotations

import subprocess
import sys
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
