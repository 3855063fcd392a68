"""Many independent pieces of work in several processes of one thread each; the results are the same in any number."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any, TypeVar

import cv2
import torch

from irodori.errors import IrodoriError

State = TypeVar("State")
Item = TypeVar("Item")
Found = TypeVar("Found")

_state: Any = None  # of a worker process: what `start` made there


def run_parallel(
    work: Callable[[State, Item], Found], start: Callable[[], State], items: Iterable[Item], workers: int
) -> Iterator[Found]:
    """``work(start(), item)`` for every item, in order, as soon as it is there; `start` once in each process, if any.

    work, start: importable, or partial objects and bound methods of what can be pickled.
    Raises IrodoriError when a process dies.
    """
    items = list(items)
    workers = min(workers, len(items))
    if not items:
        return
    if workers == 1:
        with one_thread():
            state = start()
            for item in items:
                yield work(state, item)
        return
    context = multiprocessing.get_context("spawn")  # a fork of a process that has run torch can hang
    executor = ProcessPoolExecutor(workers, context, _prepare, (start,))
    try:
        yield from executor.map(_Work(work), items)
    except BrokenProcessPool as error:
        raise IrodoriError("a worker process died, as happens without memory: use fewer --workers") from error
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


class _Work:
    """`work` on the state of the process that it arrives in."""

    def __init__(self, work: Callable[[Any, Any], Any]) -> None:
        self.work = work

    def __call__(self, item: Any) -> Any:
        return self.work(_state, item)


def _prepare(start: Callable[[], Any]) -> None:
    global _state
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    _state = start()


@contextmanager
def one_thread() -> Iterator[None]:
    """One thread for torch and OpenCV inside, what it was before outside: sums do not depend on the machine's cores."""
    before = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        cv2.setNumThreads(before[1])
