"""How fast pairs are made and used: ``python benchmarks/loader.py DATASET [PRESET] [DEVICE] [THREADS]``.

Prints images per second of the loader alone in one process, of composition on the device, and of the network's
training step (forward and backward of every phase) on ready batches.  The loader runs beside the training in as many
processes as it is given; composition and network share the device.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import torch

from irodori.data.compose import compose
from irodori.data.dataset import PairDataset
from irodori.data.draft import Draft
from irodori.data.index import read_index
from irodori.data.sample import Sample
from irodori.systems import build_system, preset, recipe_system_name
from irodori.systems.base import System

BATCHES = 12


def rate(work: Callable[[int], object], images: int, device: torch.device, batches: int = BATCHES) -> float:
    """Images per second of `work(i)` over the batches, the best of three rounds; the first of them warms up."""
    seconds = []
    for _ in range(3):
        _finish(device)
        start = time.perf_counter()
        for number in range(batches):
            work(number)
        _finish(device)
        seconds.append(time.perf_counter() - start)
    return batches * images / min(seconds)


def _finish(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def step(system: System, batch: Sample) -> None:
    """Forward and backward of every phase; presets whose losses need downloaded features are refused by the system."""
    for phase in system.phases():
        system.requires_grad_(False)
        for parameter in phase.parameters:
            parameter.requires_grad_(True)
        terms = system(phase.name, batch)
        system.zero_grad()
        torch.stack([value for key, value in terms.items() if not key.startswith("_")]).sum().backward()


def main(root: str, name: str = "scft/small", where: str = "cpu", threads: str = "1") -> None:
    cv2.setNumThreads(1)
    torch.set_num_threads(int(threads))
    recipe, device = preset(name), torch.device(where)
    size, count = recipe.system.image_size, recipe.training.batch_size
    pairs = PairDataset(read_index(Path(root)), "train", recipe.data, size, 0, BATCHES * count)

    def load(batch: int) -> Draft:
        return Draft.collate([pairs[number] for number in range(batch * count, (batch + 1) * count)])

    print(f"{name} at {size} px, batches of {count}, {device}")
    print(f"loader, one process, drawings in memory: {rate(load, count, device):8.0f} images/s")
    drafts = [load(number).to(device) for number in range(BATCHES)]
    print(f"composition:                             {rate(lambda i: compose(drafts[i]), count, device):8.0f} images/s")
    samples = [compose(draft) for draft in drafts[:2]]
    system = build_system(recipe_system_name(recipe), recipe.system).to(device).train()
    network = rate(lambda i: step(system, samples[i]), count, device, batches=len(samples))
    print(f"network, forward and backward:           {network:8.0f} images/s")


if __name__ == "__main__":
    main(*sys.argv[1:])
