"""What ships is small, explained, and colors the samples as it should."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open

from irodori import Colorizer
from irodori.checkpoint import read_header
from irodori.color import delta_e
from irodori.image import to_tensor
from irodori.image_io import over_paper, read_image
from irodori.systems import load_system
from irodori.systems.base import Inputs
from irodori.weights import DEFAULT, shipped

ROOT = Path(__file__).parents[2]


def test_the_default_ships():
    assert DEFAULT in shipped()


@pytest.mark.parametrize("name", shipped())
def test_weights_are_small_half_precision_and_have_a_card(name: str):
    path = shipped()[name]
    assert path.stat().st_size < 40e6
    with safe_open(path, framework="pt") as file:
        kinds = {file.get_tensor(key).dtype for key in file.keys()}  # noqa: SIM118
    assert kinds <= {torch.float16, torch.int64, torch.bool}
    assert read_header(path).provenance["license"] == "Apache-2.0"
    assert name in (ROOT / "docs" / "model-cards" / f"{name}.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", shipped())
@torch.no_grad()
def test_flows_find_back_at_any_size(name: str):
    """In float32, and in float64 much better; systems that keep no way back say so."""
    system, generator = load_system(shipped()[name]), torch.Generator().manual_seed(0)
    for dtype, tolerance in ((torch.float32, 1e-5), (torch.float64, 1e-10)):
        for size in ((128, 128), (61, 97)):
            sketch = torch.where(torch.rand(1, 1, *size, generator=generator) < 0.1, -1.0, 1.0).to(dtype)
            reference = (torch.rand(1, 3, *size, generator=generator) * 2 - 1).to(dtype)
            error = system.to(dtype).round_trip_error(Inputs(sketch, (reference,)))
            assert (error is None) == (system.name != "cnf")
            assert error is None or error < tolerance


# Points (x, y) of samples, and the points of their references that show the same part.
SAME_PARTS = {
    "swept-hair": [((100, 400), (60, 500)), ((350, 300), (400, 330)), ((400, 720), (400, 720))],
    "angry-bun": [((60, 600), (60, 600)), ((420, 480), (420, 460))],
    "curls": [((150, 350), (190, 420))],
    "spiky": [((60, 100), (60, 100)), ((384, 230), (384, 230))],
}


@pytest.mark.parametrize("name", SAME_PARTS)
def test_parts_of_the_samples_get_the_colors_of_the_reference(name: str):
    """Held-out figures, another figure as reference: the part's color lies within ΔE2000 12 of the reference's."""
    sketch, reference = (ROOT / "examples" / kind / f"{name}.png" for kind in ("sketches", "references"))
    colors = to_tensor(np.array(Colorizer.from_pretrained(DEFAULT, device="cpu")(sketch, reference).colors_only))
    wanted = to_tensor(over_paper(read_image(reference)))
    for (x, y), (x_ref, y_ref) in SAME_PARTS[name]:
        found = colors[0, :, y - 9 : y + 10, x - 9 : x + 10].flatten(1).median(1).values.view(1, 3, 1, 1)
        truth = wanted[0, :, y_ref, x_ref].view(1, 3, 1, 1)
        assert delta_e(found, truth).item() < 12, (x, y)
