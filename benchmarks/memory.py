"""Peak memory of training and of coloring: ``python benchmarks/memory.py PRESET [SIDE] [BATCH] [DEVICE]``.

One optimizer step of every phase, and one coloring, each in a process of its own, on noise.  On the CPU the figure is
that of the whole process, Python and torch included.  Feature networks have random weights, which weigh the same.
"""

from __future__ import annotations

import resource
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context

import torch

from irodori.data.sample import Sample
from irodori.nn.features import FEATURES
from irodori.systems import build_system, preset, recipe_system_name
from irodori.systems.base import Inputs, System
from irodori.systems.recipe import Recipe
from irodori.training.loop import make_optimizers


def noise(count: int, side: int) -> Sample:
    """A batch with everything that a loss may ask for."""
    images = [torch.rand(count, 3, side, side) * 2 - 1 for _ in range(3)]
    parts = torch.randint(0, 8, (count, side, side))
    return Sample(
        sketch=images[0][:, :1].sign(), color=images[0], reference=images[1], valid=torch.ones(count, 1, side, side),
        correspondence=torch.full((count, 2, side, side), torch.nan), parts=parts, reference_parts=parts,
        lines=torch.zeros(count, 1, side, side), similar=images[2],
    )  # fmt: skip


def train_step(system: System, recipe: Recipe, batch: Sample) -> None:
    optimizers = make_optimizers(system.train(), recipe.training)
    for phase in system.phases():
        system.requires_grad_(False)
        for parameter in phase.parameters:
            parameter.requires_grad_(True)
        terms = system(phase.name, batch)
        torch.stack([value for key, value in terms.items() if not key.startswith("_")]).sum().backward()
        optimizers[phase.name].step()
        optimizers[phase.name].zero_grad(set_to_none=True)


def case(work: str, name: str, side: int, count: int, where: str) -> tuple[float, float]:
    """Peak memory in GB and seconds."""
    torch.set_num_threads(1)
    recipe, device = preset(name), torch.device(where)
    system = build_system(recipe_system_name(recipe), replace(recipe.system, image_size=side)).to(device)
    if getattr(recipe.system, "needs_features", False):
        system.use_features(FEATURES[recipe.system.features]().requires_grad_(False).eval().to(device))
    batch, start = noise(count, side).to(device), time.perf_counter()
    if work == "training":
        train_step(system, recipe, batch)
    else:
        with torch.inference_mode():
            system.eval().colorize(Inputs(batch.sketch, (batch.reference,))).image.cpu()
    peak = torch.cuda.max_memory_allocated() if where == "cuda" else _resident() * 1024
    return peak / 1e9, time.perf_counter() - start


def _resident() -> int:
    """Kilobytes, at most, of this process."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main(name: str, side: str = "512", count: str = "1", where: str = "cpu") -> None:
    for work in ("coloring", "training"):
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            peak, seconds = pool.submit(case, work, name, int(side), int(count), where).result()
        print(f"{name}, {work} at {side} px, batch of {count}, {where}: {peak:.1f} GB, {seconds:.0f} s")


if __name__ == "__main__":
    main(*sys.argv[1:])
