"""Jobs in a line: how far they are, and ending one between two steps."""

from __future__ import annotations

import asyncio
import threading

import pytest

from irodori.systems.progress import in_steps, watching
from irodori.web.errors import GoneError
from irodori.web.metrics import Metrics
from irodori.web.worker import Progress, Worker
from servers import in_loop


@pytest.fixture
def worker():
    worker = Worker(4, Metrics())
    yield worker
    worker.close()


def test_a_watcher_is_told_before_each_step_and_only_within():
    told = []
    with watching(lambda done, steps: told.append((done, steps))):
        assert list(in_steps("abc")) == ["a", "b", "c"]
    assert list(in_steps("de")) == ["d", "e"]
    assert told == [(0, 3), (1, 3), (2, 3)]


def test_what_a_watcher_raises_ends_the_drawing():
    seen = []

    def stop(done, steps):
        if done == 2:
            raise GoneError("enough")

    with pytest.raises(GoneError), watching(stop):
        seen += [step for step in in_steps(range(5)) if seen.append(step) is None]
    assert seen == [0, 1]


def test_a_job_in_steps_says_how_far_it_is_and_ends_when_it_is_given_up(worker):
    begun, go_on, reached = threading.Event(), threading.Event(), []

    def draw():
        for step in in_steps(range(100)):
            reached.append(step)
            begun.set()
            assert go_on.wait(10)

    progress = Progress()

    async def gone():
        return begun.is_set()

    async def give_up():
        with pytest.raises(GoneError):
            await worker.run(draw, 10, gone, progress)
        go_on.set()
        return await worker.run(lambda: "the next one", 10)

    assert in_loop(give_up()) == "the next one"
    assert reached == [0]
    assert (progress.done, progress.steps) == (0, 100) or (progress.done, progress.steps) == (1, 100)


def test_a_job_in_the_line_knows_how_many_are_before_it(worker):
    go_on, progress = threading.Event(), Progress()

    async def wait():
        first = asyncio.create_task(worker.run(lambda: go_on.wait(10), 10))
        await asyncio.sleep(0.05)
        second = asyncio.create_task(worker.run(lambda: None, 10))
        third = asyncio.create_task(worker.run(lambda: None, 10, None, progress))
        while progress.ahead != 2:
            await asyncio.sleep(0.01)
        go_on.set()
        await asyncio.gather(first, second, third)

    in_loop(asyncio.wait_for(wait(), 10))
