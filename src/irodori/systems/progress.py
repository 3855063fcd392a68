"""How far a system that draws step by step has come, and how whoever watches may end it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

Step = TypeVar("Step")
Watcher = Callable[[int, int], None]

_watcher: ContextVar[Watcher | None] = ContextVar("watcher", default=None)


@contextmanager
def watching(watcher: Watcher) -> Iterator[None]:
    """Within it, `watcher` is told before each step how many are done and how many there are; what it raises ends the
    drawing.  Other threads are not watched."""
    token = _watcher.set(watcher)
    try:
        yield
    finally:
        _watcher.reset(token)


def in_steps(steps: Sequence[Step]) -> Iterator[Step]:
    """The steps, with the watcher told."""
    watcher = _watcher.get()
    for done, step in enumerate(steps):
        if watcher is not None:
            watcher(done, len(steps))
        yield step
