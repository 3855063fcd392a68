"""Load on a server: ``python benchmarks/load.py [--minutes 10] [--clients 8] [ADDRESS]``; prints a Markdown table.

Without an address it starts a server of its own with the shipped model.  Each client has a session and colors again
and again with another tag; every tenth time it sends something broken or gives up half way.  Printed are percentiles
of the time to the picture, how often the server was busy (429), what should not have been answered so, and the
server's memory at the start and at the end.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import contextlib
import os
import re
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[1]
SKETCH, REFERENCE = (ROOT / "examples" / kind / "portrait.png" for kind in ("sketches", "references"))


@contextlib.contextmanager
def own_server(queue: int) -> Iterator[str]:
    """A server on a free port."""
    command = [sys.executable, "-m", "irodori", "serve", "--api-only", "--port", "0", "--queue", str(queue)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        found = re.search(r"http://\S+", process.stdout.readline())
        assert found is not None, "the server did not start"
        try:
            yield found[0].rstrip("/")
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0, "the server did not end well"


class Load:
    """What is sent until the time is over, and what came of it."""

    def __init__(self, address: str, end: float) -> None:
        token = os.environ.get("IRODORI_TOKEN", "")
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.client = httpx.AsyncClient(base_url=address, headers=headers, timeout=120, limits=httpx.Limits())
        self.end = end
        self.seconds: list[float] = []
        self.codes: collections.Counter[str] = collections.Counter()

    async def work(self, number: int) -> None:
        """One client."""
        files = {"sketch": SKETCH.read_bytes(), "references": REFERENCE.read_bytes()}
        session = (await self.client.post("/api/sessions", files=files)).json()["id"]
        count = 0
        while time.monotonic() < self.end:
            count += 1
            if count % 10 == 0:
                await self.trouble(session, count // 10 + number)
            await self.color(session, {"tags": {"red_hair": (count * 7 % 101) / 100}})

    async def color(self, session: str, options: dict[str, object]) -> None:
        """One coloring and its picture; when the server is busy, waits as long as it says."""
        start = time.monotonic()
        answer = await self.client.post(f"/api/sessions/{session}/colorize", json=options)
        self.codes[str(answer.status_code)] += 1
        if answer.status_code == 429:
            await asyncio.sleep(float(answer.headers["Retry-After"]))
        elif answer.status_code == 201:
            picture = await self.client.get(answer.json()["url"])
            assert picture.content[:4] == b"\x89PNG", "no picture came"
            self.seconds.append(time.monotonic() - start)

    async def trouble(self, session: str, kind: int) -> None:
        """What clients should not do."""
        if kind % 3 == 0:
            answer = await self.client.post("/api/colorize", files={"sketch": b"no picture"})
            self.note(answer.status_code, 415)
        elif kind % 3 == 1:
            answer = await self.client.post(f"/api/sessions/{session}/colorize", json={"seed": -1})
            self.note(answer.status_code, 400)
        else:
            with contextlib.suppress(httpx.TimeoutException):
                await self.client.post(f"/api/sessions/{session}/colorize", json={"seed": 1}, timeout=0.05)
            self.codes["gave up"] += 1

    def note(self, code: int, wanted: int) -> None:
        """A broken request, rightly refused or not."""
        self.codes["broken, refused" if code == wanted else f"broken, answered {code}"] += 1

    async def memory(self) -> float:
        """The server's memory in MB."""
        text = (await self.client.get("/metrics")).text
        found = re.search(r"^process_resident_memory_bytes (\S+)$", text, re.MULTILINE)
        return float(found[1]) / 1e6 if found else float("nan")


async def run(address: str, minutes: float, clients: int) -> None:
    start = time.monotonic()
    load = Load(address, start + 60 * minutes)
    warm_up = asyncio.create_task(_later(load, min(20.0, 12 * minutes)))
    await asyncio.gather(*(load.work(number) for number in range(clients)))
    seconds = time.monotonic() - start
    print_table(load, seconds, clients, await warm_up, await load.memory())
    await load.client.aclose()


async def _later(load: Load, seconds: float) -> float:
    """The memory when models are loaded and all sessions are there."""
    await asyncio.sleep(seconds)
    return await load.memory()


def print_table(load: Load, seconds: float, clients: int, before: float, after: float) -> None:
    quantiles = statistics.quantiles(load.seconds, n=100)
    rows = {
        "duration, clients": f"{seconds:.0f} s, {clients}",
        "colorings, per second": f"{len(load.seconds)}, {len(load.seconds) / seconds:.1f}",
        "time to the picture, median": f"{quantiles[49]:.2f} s",
        "95 %, 99 %, longest": f"{quantiles[94]:.2f} s, {quantiles[98]:.2f} s, {max(load.seconds):.2f} s",
        "answers": ", ".join(f"{code}: {count}" for code, count in sorted(load.codes.items())),
        "memory of the server, after warming up → at the end": f"{before:.0f} → {after:.0f} MB",
    }
    print("| | |\n| --- | --- |", *(f"| {name} | {value} |" for name, value in rows.items()), sep="\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("address", nargs="?", help="of a running server")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--queue", type=int, default=4, help="of the own server")
    chosen = parser.parse_args()
    with contextlib.nullcontext(chosen.address) if chosen.address else own_server(chosen.queue) as address:
        asyncio.run(run(address, chosen.minutes, chosen.clients))


if __name__ == "__main__":
    main()
