"""Speed and memory of coloring: ``python benchmarks/speed.py [MODEL]``; prints a Markdown table.

Every case runs in a process of its own (peak memory is a process's figure), medians of five runs after one warm-up.
The first line says how many cores the machine really gave, because two virtual cores are often less than two.
"""

from __future__ import annotations

import itertools
import json
import multiprocessing
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CASES = ((256, 1), (512, 1), (512, 2), (1024, 1), (2048, 1), (2048, 2))
"""Side of the drawing in pixels, threads."""


def busy(seconds: float = 1.0) -> int:
    """Counts loops in a fixed time."""
    count, end = 0, time.perf_counter() + seconds
    while time.perf_counter() < end:
        count += 1
    return count


def effective_cores() -> float:
    """Work of two busy processes together, in units of one alone."""
    alone = busy()
    with multiprocessing.Pool(2) as pool:
        together = sum(pool.map(busy, [1.0, 1.0]))
    return together / alone


def drawing(side: int) -> object:
    """A line drawing with many closed regions."""
    import cv2
    import numpy as np

    page, generator = np.full((side, side), 255, np.uint8), np.random.default_rng(0)
    for _ in range(40):
        center = tuple(int(v) for v in generator.integers(0, side, 2))
        axes = tuple(int(v) for v in generator.integers(side // 20, side // 4, 2))
        cv2.ellipse(page, center, axes, float(generator.uniform(0, 180)), 0, 360, 0, max(1, side // 400), cv2.LINE_AA)
    return page


def case(model: str, side: int, threads: int) -> dict[str, float]:
    """Medians for one size: reading and preparing the sketch, network, finishing, all together from file to file."""
    import resource

    import cv2
    import numpy as np
    import torch

    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)
    from irodori import Colorizer
    from irodori.image_io import write_image

    start = time.perf_counter()
    colorizer = Colorizer.from_pretrained(model)
    load = time.perf_counter() - start
    folder = Path(tempfile.mkdtemp())
    write_image(folder / "sketch.png", drawing(side))
    write_image(folder / "reference.png", np.random.default_rng(1).integers(0, 255, (512, 512, 3), np.uint8))
    rows = []
    for _ in range(6):
        times = [time.perf_counter()]
        colorizer.set_sketch(folder / "sketch.png")
        colorizer.set_reference(folder / "reference.png")
        times.append(time.perf_counter())
        result = colorizer.run()
        times.append(time.perf_counter())
        _ = result.pixels
        times.append(time.perf_counter())
        result.save(folder / "out.png")
        times.append(time.perf_counter())
        rows.append([after - before for before, after in itertools.pairwise(times)] + [times[-1] - times[0]])
    names = ("read", "network", "finish", "write", "total")
    medians = {name: statistics.median(row[i] for row in rows[1:]) for i, name in enumerate(names)}
    return medians | {"load": load, "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def command_seconds(*arguments: str) -> float:
    """A whole `irodori` command from start to exit, median of five after one warm-up."""
    found = []
    for _ in range(6):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-m", "irodori", *arguments], check=True, capture_output=True)
        found.append(time.perf_counter() - start)
    return statistics.median(found[1:])


def whole_colorize_seconds(model: str) -> float:
    """`irodori colorize` on a 2048 px drawing, loading Python, torch and the weights included."""
    from irodori.image_io import write_image

    folder = Path(tempfile.mkdtemp())
    for name, side in (("sketch", 2048), ("reference", 512)):
        write_image(folder / f"{name}.png", drawing(side))
    paths = (str(folder / "sketch.png"), "--reference", str(folder / "reference.png"), "-o", str(folder / "out.png"))
    return command_seconds("colorize", *paths, "--model", model, "--overwrite")


def main() -> None:
    from irodori.weights import DEFAULT

    model = sys.argv[1] if len(sys.argv) > 1 else DEFAULT
    start_up, whole = command_seconds("--help"), whole_colorize_seconds(model)
    print(
        f"effective cores: {effective_cores():.2f}; model: {model}; whole commands: `irodori --help` {start_up:.2f} s,"
    )
    print(f"`irodori colorize` on a 2048² drawing {whole:.1f} s, of which most is starting Python and torch\n")
    print("| drawing | threads | read | network | finish | write | **file to file** | ratio | peak memory |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    unit = 0.0
    for side, threads in CASES:
        command = [sys.executable, __file__, "--case", model, str(side), str(threads)]
        found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        cells = " | ".join(f"{found[name]:.2f} s" for name in ("read", "network", "finish", "write"))
        unit = unit or found["total"]
        total = f"**{found['total']:.2f} s** | {found['total'] / unit:.1f}"
        print(f"| {side}² | {threads} | {cells} | {total} | {found['memory_mb']:.0f} MB |")
    print("\nSeconds; ratio: file to file, against the first row of the same run.")


if __name__ == "__main__":
    if "--case" in sys.argv:
        name, pixels, count = sys.argv[2:]
        print(json.dumps(case(name, int(pixels), int(count))))
    else:
        main()
