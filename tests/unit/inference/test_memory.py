"""What is known about memory before a model is loaded."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from irodori.checkpoint import read_header, save
from irodori.errors import InputError
from irodori.inference.colorizer import Colorizer
from irodori.inference.memory import Holding, check_holding, memory_needed
from irodori.systems import build_system, preset
from irodori.training.loop import header_of

GPU, CPU = torch.device("cuda", 0), torch.device("cpu")


def weights(folder: Path, name: str) -> Path:
    """An untrained weight file of a preset."""
    path, recipe = folder / "model.safetensors", preset(name)
    save(path, header_of(recipe, 0), build_system(name.partition("/")[0], recipe.system).state_dict())
    return path


@pytest.fixture
def large(tmp_path: Path) -> Path:
    return weights(tmp_path, "colorizediffusion/tiny")


def test_halves_and_parts_need_less(large: Path):
    def needed(holding: Holding, size: int | None = None) -> int:
        found = memory_needed(large, read_header(large), holding, GPU, size)
        assert found is not None
        return found

    usual = needed(Holding())
    assert needed(Holding(half=True)) < usual
    assert needed(Holding(offload=True)) < usual
    assert needed(Holding(), 61) == needed(Holding(), 64) > usual  # sides are rounded up to what the network takes


def test_the_estimate_is_said_before_loading_and_what_cannot_fit_is_refused(large: Path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (3_000_000_000, 4_000_000_000))
    assert check_holding(large, Holding(), CPU) == ""
    said = check_holding(large, Holding(), GPU)
    assert said == "model needs about 0.6 GB of GPU memory, of which 3.0 GB are free"
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (100_000_000, 200_000_000))
    with pytest.raises(InputError, match="try --half and --offload, or use --device cpu"):
        check_holding(large, Holding(), GPU)
    with pytest.raises(InputError, match="lower --image-size, or use --device cpu"):
        check_holding(large, Holding(half=True, offload=True), GPU)


@pytest.mark.parametrize("option", ["half", "offload"])
def test_small_systems_are_held_as_a_whole(tmp_path: Path, option: str):
    with pytest.raises(InputError, match=f"scft is small: leave out --{option}"):
        check_holding(weights(tmp_path, "scft/tiny"), Holding(**{option: True}), CPU)


def test_a_model_loaded_in_half_precision_says_so(large: Path):
    colorizer = Colorizer.from_pretrained(large, device="cpu", half=True)
    assert colorizer.precision == "bfloat16"
    assert {parameter.dtype for parameter in colorizer.system.parameters()} == {torch.bfloat16}
    assert torch.get_default_dtype() == torch.float32
    blank = torch.full((40, 40), 255, dtype=torch.uint8).numpy()
    assert colorizer(blank).provenance["precision"] == "bfloat16"
