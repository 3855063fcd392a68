import os
import time

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from irodori.errors import InputError
from irodori.metrics.cost import effective_cores, gmacs, latency, parameters, peak_memory_bytes


def test_parameters_count_once():
    layer = nn.Linear(10, 20)
    assert parameters(nn.Sequential(layer, nn.ReLU(), layer)) == 10 * 20 + 20


def test_gmacs_of_a_convolution():
    layer, image = nn.Conv2d(3, 8, 5, padding=2), torch.zeros(2, 3, 16, 12)
    assert gmacs(lambda: layer(image)) == pytest.approx(2 * 16 * 12 * 8 * 3 * 25 / 1e9)


def test_gmacs_of_attention_are_not_forgotten():
    """Two products of (50, 64) with (64, 70) and (50, 70) with (70, 64), for 4 heads."""
    query, key = torch.zeros(1, 4, 50, 64), torch.zeros(1, 4, 70, 64)
    counted = gmacs(lambda: F.scaled_dot_product_attention(query, key, key))
    assert counted == pytest.approx(2 * 4 * 50 * 70 * 64 / 1e9)


def test_peak_memory_is_what_was_held_at_once():
    million = 4_000_000  # bytes of so many floats

    def one_after_the_other() -> None:
        for _ in range(5):
            torch.zeros(1_000_000)

    def all_at_once() -> list[torch.Tensor]:
        return [torch.zeros(1_000_000) for _ in range(5)]

    assert peak_memory_bytes(one_after_the_other) == pytest.approx(million, rel=0.01)
    assert peak_memory_bytes(all_at_once) == pytest.approx(5 * million, rel=0.01)


def test_what_existed_before_does_not_count():
    weights = torch.ones(1_000_000)
    assert peak_memory_bytes(lambda: weights[:1000] + 1) == pytest.approx(4000, abs=500)


def test_measuring_memory_keeps_standard_error(capfd):
    peak_memory_bytes(lambda: torch.zeros(10))
    os.write(2, b"still here")
    assert capfd.readouterr().err == "still here"


def test_latency_runs_all_in_turn_and_gives_medians():
    calls = []

    def work(name: str, seconds: float):
        return lambda: (calls.append(name), time.sleep(seconds))

    found = latency({"slow": work("slow", 0.02), "fast": work("fast", 0.001)}, repeats=3)
    assert calls == ["slow", "fast"] * 4
    assert found["slow"] > 0.02 > found["fast"] >= 0.001
    with pytest.raises(InputError, match="at least one repeat"):
        latency({}, 0)


def test_the_first_round_is_not_timed():
    seconds = iter((0.05, 0.0))
    assert latency({"warms up": lambda: time.sleep(next(seconds))}, repeats=1)["warms up"] < 0.02


def test_effective_cores_are_between_one_and_all():
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert 0 < effective_cores(turns=200_000) <= count
