"""What untrained presets cost: ``python benchmarks/cost.py PRESET… [--size 256] [--memory]``; prints a Markdown table.

Parameters and GMACs (one coloring after one reference) are counted on tensors without data, at once for any size.
``--memory`` runs the network, once to color and once forward and backward as training does, on one picture, and adds
the most memory that tensors took at a time, weights and gradients included.
"""

import argparse

import torch

from irodori.metrics.cost import gmacs, parameters, peak_memory_bytes
from irodori.systems import System, build_system, preset, recipe_system_name
from irodori.systems.base import Inputs
from irodori.systems.recipe import Recipe


def inputs(size: int, device: str) -> Inputs:
    """A sketch and a reference of noise."""
    sketch, reference = (torch.rand(1, channels, size, size, device=device) * 2 - 1 for channels in (1, 3))
    return Inputs(sketch, (reference,))


def counted(recipe: Recipe, size: int) -> list[str]:
    """Millions of parameters, GMACs."""
    with torch.device("meta"):
        system = build_system(recipe_system_name(recipe), recipe.system).eval()
    with torch.inference_mode():
        found = gmacs(lambda: system.colorize(inputs(size, "meta")))
    return [f"{parameters(system) / 1e6:.2f}", f"{found:.1f}"]


def measured(recipe: Recipe, size: int) -> list[str]:
    """MB to color, MB to train on one picture."""
    torch.manual_seed(0)
    system, given = build_system(recipe_system_name(recipe), recipe.system), inputs(size, "cpu")
    weights = sum(parameter.nbytes for parameter in system.parameters())
    system.eval()
    with torch.inference_mode():
        coloring = peak_memory_bytes(lambda: system.colorize(given))
    training = peak_memory_bytes(lambda: learn(system.train(), given))
    return [f"{(weights + peak) / 1e6:.0f}" for peak in (coloring, training)]


def learn(system: System, given: Inputs) -> None:
    """Forward and backward; any number of the result will do."""
    system.colorize(given).image.mean().backward()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("presets", nargs="+")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--memory", action="store_true")
    options = parser.parse_args()
    columns = ["preset", "parameters, M", f"GMACs at {options.size}²"]
    columns += ["MB to color", "MB to train, batch of 1"] if options.memory else []
    print("| " + " | ".join(columns) + " |", "| --- |" + " ---: |" * (len(columns) - 1), sep="\n", flush=True)
    for name in options.presets:
        recipe = preset(name)
        cells = counted(recipe, options.size) + (measured(recipe, options.size) if options.memory else [])
        print("| " + " | ".join([f"`{name}`", *cells]) + " |", flush=True)


if __name__ == "__main__":
    main()
