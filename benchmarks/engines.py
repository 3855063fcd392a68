"""torch beside ONNX Runtime: ``python benchmarks/engines.py MODEL [SIZE...]``; prints a table, and differences.

Times are those of the network alone, all three steps: the fastest fifth of some runs, one engine after the other, so
that other work on the machine meets both.  Differences are those of the drawings of `examples`, each with two
references, in levels of 8 bit.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import torch

from irodori.export.engine import OnnxEngine, prepare_graphs
from irodori.inference.colorizer import Colorizer
from irodori.systems.base import Guidance, Noise, System

SIZES = (128, 192, 256, 384, 512)
RUNS = 12
EXAMPLES = Path(__file__).parents[1] / "examples"


@torch.inference_mode()
def seconds(engine: System | OnnxEngine, sketch: torch.Tensor, reference: torch.Tensor) -> float:
    """One coloring from nothing."""
    start = time.perf_counter()
    codes = engine.encode_sketch(sketch), engine.encode_references([reference], like=sketch)
    engine.paint(*codes, Noise((0,)), Guidance())
    return time.perf_counter() - start


def compare(colorizer: Colorizer, engine: OnnxEngine, size: int) -> tuple[float, float]:
    """Seconds of torch and of ONNX Runtime for square pictures."""
    sketch = torch.where(torch.rand(1, 1, size, size) < 0.1, -1.0, 1.0)
    reference = torch.rand(1, 3, size, size) * 2 - 1
    rows = [[seconds(one, sketch, reference) for one in (colorizer.system, engine)] for _ in range(RUNS + 2)]
    fast = np.percentile(np.array(rows[2:]), 20, axis=0)
    return float(fast[0]), float(fast[1])


def differences(colorizer: Colorizer, engine: OnnxEngine) -> tuple[int, int, float]:
    """The largest of network pictures and of finished ones over the examples, and the share of pixels that differ."""
    other = Colorizer(colorizer.system, device="cpu")
    other._engine = engine
    network, finished, shares = 0, 0, []
    references = sorted((EXAMPLES / "references").glob("*.png"))
    for number, sketch in enumerate(sorted((EXAMPLES / "sketches").glob("*.png"))):
        for reference in (references[number], references[number - 1]):
            found, wanted = other(sketch, reference), colorizer(sketch, reference)
            network = max(network, _most(found.network_image, wanted.network_image))
            finished = max(finished, _most(found.pixels, wanted.pixels))
            shares.append(float((found.pixels != wanted.pixels).any(-1).mean()))
    return network, finished, float(np.mean(shares))


def _most(one: np.ndarray, other: np.ndarray) -> int:
    return int(np.abs(one.astype(int) - other).max())


def main() -> None:
    model, sizes = sys.argv[1], tuple(map(int, sys.argv[2:])) or SIZES
    colorizer = Colorizer.from_pretrained(model, device="cpu", engine="torch")
    graphs = prepare_graphs(colorizer.system, colorizer.weights_hash, lambda sentence: print(sentence, file=sys.stderr))
    print("| model | size | threads | torch | onnxruntime | ratio |\n| --- | ---: | ---: | ---: | ---: | ---: |")
    for threads in (1, 2):
        torch.set_num_threads(threads)
        engine = OnnxEngine(colorizer.system, graphs)
        for size in sizes:
            eager, graph = compare(colorizer, engine, size)
            row = f"| `{model}` | {size}² | {threads} | {eager * 1e3:.0f} ms | {graph * 1e3:.0f} ms |"
            print(f"{row} {graph / eager:.2f} |", flush=True)
    network, finished, share = differences(colorizer, engine)
    print(f"\nlevels: {network} of the network's picture, {finished} of the finished one, {share:.2%} of its pixels")


if __name__ == "__main__":
    main()
