"""The cost of methods whose cost is known."""

import json

import pytest
import torch
from torch import nn

from fakes import FakeSystem
from irodori.benchmark.cost_track import measure_cost, read_cost, write_cost
from irodori.benchmark.methods import BaselineMethod, SystemMethod
from irodori.errors import DataError
from irodori.inference.colorizer import Colorizer
from irodori.systems.base import Output


class Convolved(FakeSystem):
    """One convolution of 3 channels, 3 x 3, on the sketch's three copies: 81 multiply-adds for each pixel."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Conv2d(3, 3, 3, padding=1, bias=False)

    def paint(self, sketch_code, reference_code, noise, guidance):
        return Output(self.layer(sketch_code.expand(-1, 3, -1, -1)).clamp(-1, 1))


class Greedy(Convolved):
    """Runs out of memory in batches, and looks at its data."""

    def paint(self, sketch_code, reference_code, noise, guidance):
        if len(sketch_code) > 1:
            raise torch.OutOfMemoryError("too much")
        if sketch_code.mean().item() > 2:
            raise AssertionError
        return super().paint(sketch_code, reference_code, noise, guidance)


class InMemory(SystemMethod):
    def __init__(self, name, system):
        self.colorizer, self.seed, self.name = Colorizer(system, name, device="cpu"), 0, name


@pytest.fixture(scope="module")
def cost():
    methods = [InMemory("convolved", Convolved()), InMemory("greedy", Greedy()), BaselineMethod("mean")]
    return measure_cost(methods, (64, 128), progress=False)


def test_arithmetic_is_counted(cost):
    found = cost["methods"]["convolved"]
    assert found["parameters"] == 81
    for size in (64, 128):
        row = found["sizes"][str(size)]
        assert row["gmacs"] == pytest.approx(81 * size**2 / 1e9)
        assert row["peak_memory_bytes"] >= 3 * size**2 * 4
        assert row["network_seconds"] > 0
        assert 0 < row["coloring_seconds"] < 60
        assert row["images_per_second"] > 0


def test_what_cannot_be_had_is_none(cost):
    row = cost["methods"]["greedy"]["sizes"]["64"]
    assert row["gmacs"] is None
    assert row["images_per_second"] is None
    assert row["network_seconds"] > 0
    baseline = cost["methods"]["baseline:mean"]
    assert baseline["parameters"] is None
    assert baseline["sizes"]["64"]["network_seconds"] is None
    assert baseline["sizes"]["64"]["coloring_seconds"] > 0


def test_it_tells_what_it_ran_on(cost):
    assert cost["effective_cores"] > 0
    assert cost["device"] == "cpu"
    assert cost["threads"] == torch.get_num_threads()
    assert "processor" in cost["machine"]


def test_files(cost, tmp_path):
    assert read_cost(tmp_path) is None
    write_cost(tmp_path, cost)
    assert read_cost(tmp_path) == cost == json.loads((tmp_path / "cost.json").read_text())
    (tmp_path / "cost.json").write_text("{}")
    with pytest.raises(DataError, match="damaged"):
        read_cost(tmp_path)
