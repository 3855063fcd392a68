"""Peaks of memory, against sums by hand."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from irodori.nn.memory import PeakMemory, peak_bytes

ONE = 100 * 1000 * 4  # bytes of a map


def on_meta() -> tuple[Tensor, nn.Linear]:
    with torch.device("meta"):
        return torch.empty(100, 1000), nn.Linear(1000, 1000)


def test_a_chain_has_two_maps_alive_and_views_are_free():
    x, layer = on_meta()
    assert peak_bytes(lambda: layer(layer(layer(layer(x))))) == 2 * ONE
    assert peak_bytes(lambda: layer(x).view(50, 2000)[:10].mT) == ONE
    assert peak_bytes(lambda: x.view(50, 2000).add_(1)) == 0


def test_what_is_kept_counts():
    x, layer = on_meta()
    assert peak_bytes(lambda: torch.stack([layer(x) for _ in range(5)])) == 10 * ONE


def test_attention_counts_without_its_map():
    with torch.device("meta"):
        q = torch.empty(1, 2, 1000, 50)
    assert peak_bytes(lambda: F.scaled_dot_product_attention(q, q, q)) == ONE


@torch.no_grad()
def test_meta_and_real_tensors_agree():
    network = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.SiLU(), nn.Conv2d(8, 4, 3, stride=2, padding=1))
    with PeakMemory() as real:
        network(torch.zeros(1, 3, 16, 16))
    assert real.peak > 0
    network.to("meta")
    assert peak_bytes(lambda: network(torch.empty(1, 3, 16, 16, device="meta"))) == real.peak
