"""The one thread that colors, and the bounded line of jobs before it."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, TypeVar

from irodori.systems.progress import watching
from irodori.web.errors import BusyError, ClosingError, GoneError, LateError
from irodori.web.metrics import Metrics

Value = TypeVar("Value")
Gone = Callable[[], Awaitable[bool]]

LOOK = 0.1
"""Seconds between two looks whether someone who waits has gone."""


@dataclass
class Progress:
    """How far a job has come.  ahead: jobs before it.  done, steps: of one that draws step by step."""

    ahead: int = 0
    done: int = 0
    steps: int = 0


@dataclass(eq=False)
class Job:
    """work: what is done.  future: where its value goes; canceled while it waits, it is dropped.

    given_up: nobody waits for it any more; one that draws step by step ends before its next step.
    """

    work: Callable[[], Any]
    progress: Progress
    future: Future[Any] = field(default_factory=Future)
    given_up: bool = False

    def step(self, done: int, steps: int) -> None:
        """Notes a step; GoneError if it is not wanted."""
        self.progress.done, self.progress.steps = done, steps
        if self.given_up:
            raise GoneError("the client has gone")


class Worker:
    """Runs jobs one after the other; a model is used by one thread alone.

    A job that runs can be stopped between two steps alone: who gives up on another one gets no value, and the next one
    starts after it.
    """

    def __init__(self, capacity: int, metrics: Metrics) -> None:
        """capacity: jobs that may wait beside the one that runs."""
        self.capacity, self.metrics = capacity, metrics
        self._waiting: deque[Job] = deque()
        self._changed = threading.Condition()
        self._closed = self._running = False
        self._usual = 1.0
        self._thread = threading.Thread(target=self._work, name="irodori-worker", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Jobs that wait."""
        return len(self._waiting)

    @property
    def closed(self) -> bool:
        """Whether new jobs are refused."""
        return self._closed

    async def run(
        self, work: Callable[[], Value], timeout: float, gone: Gone | None = None, progress: Progress | None = None
    ) -> Value:
        """The value of a job, which is dropped if `gone` says that nobody waits for it any more.

        progress: is kept up to date.
        Raises BusyError, LateError after `timeout` seconds, GoneError, ClosingError, and what the job raises.
        """
        job = Job(work, progress or Progress())
        self._submit(job)
        future = asyncio.wrap_future(job.future)
        try:
            return await self._wait(job, future, timeout, gone)
        finally:
            self._drop(job)
            future.cancel()  # nobody asks any more what a job that was given up ends with

    def _submit(self, job: Job) -> None:
        with self._changed:
            if self._closed:
                raise ClosingError("the server is being shut down: try again when it is back")
            if len(self._waiting) >= self.capacity + (not self._running):
                self.metrics.jobs.labels("refused").inc()
                raise BusyError(max(1, math.ceil(self._usual * (len(self._waiting) + 1))))
            self._waiting.append(job)
            self._changed.notify()

    async def _wait(self, job: Job, future: asyncio.Future[Value], timeout: float, gone: Gone | None) -> Value:
        end = time.monotonic() + timeout
        while not future.done():
            left = end - time.monotonic()
            if left <= 0:
                self.metrics.jobs.labels("late").inc()
                raise LateError(f"the coloring was not ready within {timeout:g} s: send a smaller picture or try later")
            job.progress.ahead = self._ahead(job)
            await asyncio.wait([future], timeout=min(LOOK, left))
            if gone is not None and not future.done() and await gone():
                self.metrics.jobs.labels("gone").inc()
                raise GoneError("the client has gone")
        if future.cancelled():
            raise ClosingError("the server is being shut down: try again when it is back")
        return future.result()

    def _ahead(self, job: Job) -> int:
        """How many jobs are done before this one: those before it in the line, and the one that runs."""
        with self._changed:
            return self._waiting.index(job) + self._running if job in self._waiting else 0

    def _drop(self, job: Job) -> None:
        """Takes a job out of the line if it still waits there, or asks it to end."""
        job.given_up = True
        if job.future.cancel():
            with self._changed:
                self._waiting = deque(other for other in self._waiting if other is not job)

    def _work(self) -> None:
        while True:
            with self._changed:
                self._running = False
                while not self._waiting:
                    if self._closed:
                        return
                    self._changed.wait()
                job = self._waiting.popleft()
                self._running = True
            if job.future.set_running_or_notify_cancel():
                self._do(job)

    def _do(self, job: Job) -> None:
        start = time.monotonic()
        try:
            with watching(job.step):
                value = job.work()
        except GoneError as error:
            job.future.set_exception(error)  # counted where it was given up
        except BaseException as error:  # whatever it is, whoever asked is told, and the thread lives
            self.metrics.jobs.labels("failed").inc()
            job.future.set_exception(error)
        else:
            seconds = time.monotonic() - start
            self._usual += 0.2 * (seconds - self._usual)
            self.metrics.jobs.labels("done").inc()
            self.metrics.job_seconds.observe(seconds)
            job.future.set_result(value)

    def refuse(self) -> None:
        """From now on: no new jobs, those that wait are dropped, the one that runs is finished."""
        with self._changed:
            self._closed = True
            waiting, self._waiting = self._waiting, deque()
            self._changed.notify_all()
        for job in waiting:
            job.future.cancel()

    def close(self, timeout: float = 60.0) -> None:
        """`refuse`, and waits for the job that runs."""
        self.refuse()
        self._thread.join(timeout)
