"""The cost track: what each method needs, at several sizes, all in one run and in turn.

network: the system's networks alone, on a sketch and a reference of that size.  coloring: a drawing of that size as a
user colors it, from pixels to pixels; the networks then work at the system's own size.
"""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from irodori.benchmark.machine import describe_machine
from irodori.benchmark.methods import BaselineMethod, SystemMethod
from irodori.errors import DataError
from irodori.image import Pixels, to_tensor
from irodori.image_io import write_whole
from irodori.metrics.cost import effective_cores, gmacs, latency, parameters, peak_memory_bytes
from irodori.systems.base import Inputs, System

COST = "cost"
SIZES = (256, 512, 1024)
BATCH = 8
REPEATS, SECONDS = 5, 60.0
"""Runs of each measurement, fewer where a round of all methods takes so long that they would take more seconds; batches
that would take longer than these are not measured."""

Methods = Sequence[SystemMethod | BaselineMethod]
Works = Mapping[str, Callable[[], Any]]


def measure_cost(methods: Methods, sizes: Sequence[int] = SIZES, progress: bool = True) -> dict[str, Any]:
    """Parameters, GMACs, peak memory and latency of methods, at sizes in pixels; None where something cannot be had."""
    systems = {method.name: method.colorizer.system for method in methods if isinstance(method, SystemMethod)}
    found: dict[str, Any] = {
        method.name: {"parameters": _parameters(systems.get(method.name)), "sizes": {}} for method in methods
    }
    for size in tqdm(sizes, "measuring cost", unit="size", disable=not progress):
        for name, row in _at_size(methods, systems, size).items():
            found[name]["sizes"][str(size)] = row
    return {
        "methods": found,
        "batch": BATCH,
        "device": str(next((next(system.parameters()).device for system in systems.values()), "cpu")),
        "threads": torch.get_num_threads(),
        "effective_cores": round(effective_cores(), 2),
        "machine": describe_machine(),
    }


def write_cost(results: Path, cost: Mapping[str, Any]) -> None:
    """Writes `cost.json` into a folder of results."""
    write_whole(results / "cost.json", (json.dumps(cost, indent=1, ensure_ascii=False) + "\n").encode())


def read_cost(results: Path) -> dict[str, Any] | None:
    """What `write_cost` wrote; None where there is none, DataError when it is damaged."""
    try:
        found = json.loads((results / "cost.json").read_text(encoding="utf-8"))
        assert isinstance(found["methods"], dict)
        return dict(found)
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, AssertionError) as error:
        raise DataError(f"{results}: cost.json is damaged; run the track {COST} again") from error


def _at_size(methods: Methods, systems: Mapping[str, System], size: int) -> dict[str, dict[str, Any]]:
    lines, reference = _drawing(size)
    with torch.inference_mode():
        networks = {name: _network(system, lines, reference) for name, system in systems.items()}
        colorings = {method.name: _coloring(method, lines, reference) for method in methods}
        alone = _latencies(networks)
        seconds = {"network_seconds": alone, "coloring_seconds": _latencies(colorings)}
        quick = {name: systems[name] for name, once in alone.items() if once * BATCH <= SECONDS}
        batches = {name: _network(system, lines, reference, BATCH) for name, system in quick.items()}
        rates = {name: BATCH / value for name, value in _latencies(batches).items()}
        return {
            method.name: {
                "gmacs": _gmacs(systems[method.name], size) if method.name in systems else None,
                "peak_memory_bytes": _peak(networks.get(method.name)),
                **{kind: found.get(method.name) for kind, found in seconds.items()},
                "images_per_second": rates.get(method.name),
            }
            for method in methods
        }


def _drawing(size: int) -> tuple[Pixels, Pixels]:
    """Lines ``(size, size)`` and a reference ``(size, size, 3)`` with a few regions and colors."""
    y, x = np.mgrid[:size, :size] * (6 / size)
    cell = (np.floor(x) + 2 * np.floor(y)).astype(int)
    edge = ((x % 1) < 12 / size) | ((y % 1) < 12 / size)
    reference = np.stack([cell * 37 % 256, cell * 91 % 256, cell * 53 % 256], axis=-1).astype(np.uint8)
    return np.where(edge, 0, 255).astype(np.uint8), reference


def _network(system: System, lines: Pixels, reference: Pixels, batch: int = 1) -> Callable[[], Any]:
    device = next(system.parameters()).device
    sketch, color = (to_tensor(pixels).expand(batch, -1, -1, -1).to(device) for pixels in (lines, reference))
    return lambda: system.colorize(Inputs(sketch, (color,)))


def _coloring(method: SystemMethod | BaselineMethod, lines: Pixels, reference: Pixels) -> Callable[[], Any]:
    if isinstance(method, BaselineMethod):
        return lambda: method.baseline.paint(lines, reference)
    return lambda: method.colorizer(lines, reference).pixels


def _parameters(system: System | None) -> int | None:
    return None if system is None else parameters(system)


def _gmacs(system: System, size: int) -> float | None:
    """Counted on tensors without data, which takes no time at any size; None for a system that looks at its data."""
    try:
        bare = copy.deepcopy(system).to("meta")
        sketch, color = (torch.zeros(1, channels, size, size, device="meta") for channels in (1, 3))
        return gmacs(lambda: bare.colorize(Inputs(sketch, (color,))))
    except (RuntimeError, NotImplementedError):
        return None


def _peak(work: Callable[[], Any] | None) -> int | None:
    try:
        return None if work is None else peak_memory_bytes(work)
    except (RuntimeError, MemoryError):
        return None


def _latencies(works: Works) -> dict[str, float]:
    """Median seconds, all in turn; works that fail, as without memory, are left out."""
    able, start = {}, time.perf_counter()
    for name, work in works.items():
        try:
            work()
        except (RuntimeError, MemoryError):
            continue
        able[name] = work
    once = time.perf_counter() - start
    return latency(able, max(1, min(REPEATS, int(SECONDS / max(once, 1e-3))))) if able else {}
