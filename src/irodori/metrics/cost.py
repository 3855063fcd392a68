"""What a method costs: parameters, arithmetic, memory, time.

Each function takes a callable without arguments, so that the same four figures can be had of any method.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from irodori.errors import InputError

Work = Callable[[], Any]


def parameters(module: nn.Module) -> int:
    """Number of the module's parameters, trained or frozen; shared ones count once."""
    return sum(parameter.numel() for parameter in module.parameters())


def gmacs(work: Work) -> float:
    """Billions of multiply-adds of the matrix products and convolutions that `work` runs (two FLOPs each).

    Additions, activations and normalization are not counted, as in the papers.
    """
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:  # fused attention counts as nothing
        work()
    return counter.get_total_flops() / 2e9


def peak_memory_bytes(work: Work) -> int:
    """The most bytes of tensors that `work` held at once, beyond those that existed before it.

    Measured from PyTorch's own allocations.  On a GPU: by the CUDA allocator, when one is in use.  On a CPU: by the
    profiler; memory of other libraries (OpenCV, oneDNN's work buffers) and what the process reserves is not in it.
    The weights exist before: add them (`parameters` times their size).
    """
    if torch.cuda.is_available() and torch.cuda.memory_allocated():
        return _peak_on_gpu(work)
    return _peak_on_cpu(work)


def _peak_on_gpu(work: Work) -> int:
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    work()
    torch.cuda.synchronize()
    return torch.cuda.max_memory_allocated() - before


def _peak_on_cpu(work: Work) -> int:
    from torch.profiler import ProfilerActivity, profile

    with _silenced_stderr(), profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        kept = work()
    del kept
    held = peak = 0
    for change in _allocations(profiler):
        held += change
        peak = max(peak, held)
    return peak


@contextmanager
def _silenced_stderr() -> Iterator[None]:
    """The profiler of torch 2.13 announces itself there, from C++."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _allocations(profiler: Any) -> list[int]:
    """Bytes allocated (positive) and freed (negative), in the order of time."""
    events = profiler.profiler.kineto_results.events()
    return [event.nbytes() for event in sorted(events, key=lambda e: e.start_ns()) if event.name() == "[memory]"]


def latency(works: Mapping[str, Work], repeats: int = 5) -> dict[str, float]:
    """Median seconds of each callable, side by side: all run in turn, `repeats` times, after one round to warm up.

    Run in turn, a machine that gets slower is slow for all.  Work that a GPU has not finished is waited for.
    """
    if repeats < 1:
        raise InputError(f"latency needs at least one repeat, got {repeats}")
    times: dict[str, list[float]] = {name: [] for name in works}
    for number in range(repeats + 1):
        for name, work in works.items():
            seconds = _timed(work)
            if number:
                times[name].append(seconds)
    return {name: statistics.median(each) for name, each in times.items()}


def _timed(work: Work) -> float:
    _wait()
    start = time.perf_counter()
    work()
    _wait()
    return time.perf_counter() - start


def _wait() -> None:
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        torch.cuda.synchronize()


_BUSY = """
import sys, time
sys.stdin.read(1)
start = time.perf_counter()
for _ in range({turns}): pass
print(time.perf_counter() - start)
"""


def effective_cores(turns: int = 5_000_000) -> float:
    """How many of the cores this process may use really run at once: processes that count, alone and all together.

    Virtual machines may promise two cores and deliver one; a latency means little without this figure.  Takes about a
    second.
    """
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    alone = _busy_seconds(1, turns)
    return count * alone / max(alone, _busy_seconds(count, turns))


def _busy_seconds(count: int, turns: int) -> float:
    """Mean seconds of so many counting processes that start together."""
    command = [sys.executable, "-S", "-c", _BUSY.format(turns=turns)]
    pipes = dict.fromkeys(("stdin", "stdout"), subprocess.PIPE)
    processes = [subprocess.Popen(command, text=True, **pipes) for _ in range(count)]  # type: ignore[call-overload]
    for process in processes:
        process.stdin.write("x")
        process.stdin.flush()
    return statistics.mean(float(process.communicate()[0]) for process in processes)
