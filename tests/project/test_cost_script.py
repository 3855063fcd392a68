"""``python benchmarks/cost.py``, which documentation gives as a command."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def rows(*arguments: str) -> list[list[str]]:
    """The cells of the printed table."""
    command = [sys.executable, str(ROOT / "benchmarks" / "cost.py"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [line.strip("| ").split(" | ") for line in done.stdout.splitlines()[2:]]


def macs_of_a_block(channels: int, positions: int) -> int:
    """Two sub-networks of three 3x3 and a 1x1 convolution on half of the channels, and the block's own 1x1 one."""
    half = channels // 2
    return (2 * (3 * 9 + 1) * half**2 + channels**2) * positions


def test_multiply_adds_are_those_of_the_convolutions():
    """Without aggregation: one pass through each flow, three sizes with one block, eight more at the last."""
    shapes = [(12, 128**2), (48, 64**2), *[(192, 32**2)] * 9]
    flow = sum(macs_of_a_block(*shape) for shape in shapes) + sum(4 * c * n for c, n in shapes[:3])
    weights = sum(channels**3 for channels, _ in shapes)  # W = P L U of the forward flow
    assert rows("cnf/paper-256-none") == [["`cnf/paper-256-none`", "10.04", f"{(2 * flow + weights) / 1e9:.1f}"]]


def test_training_needs_more_memory_than_coloring_and_both_hold_the_weights():
    ((name, millions, _, coloring, training),) = rows("cnf/small-64", "--size", "32", "--memory")
    assert name == "`cnf/small-64`"
    assert 4 * float(millions) < float(coloring) < float(training) < 400
