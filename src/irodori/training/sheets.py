"""Sample sheets: fixed validation pairs as the network colors them now, one row each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from irodori.data.sample import Sample
from irodori.image import Pixels, to_pixels
from irodori.image_io import write_image
from irodori.systems.base import Inputs, System


@torch.no_grad()
def sheet(system: System, samples: Sequence[Sample]) -> Pixels:
    """Rows of sketch, reference, result, truth (unknown parts of the truth are gray)."""
    was_training = system.training
    system.eval()
    device = next(system.parameters()).device
    rows = []
    for sample in samples:
        moved = sample.to(device)
        image = system.colorize(Inputs(moved.sketch, (moved.reference,))).image
        truth = moved.color * moved.valid
        tiles = [moved.sketch.expand(-1, 3, -1, -1), moved.reference, image, truth]
        rows.append(np.concatenate([to_pixels(tile.float()) for tile in tiles], axis=1))
    system.train(was_training)
    return np.concatenate(rows)


def write_sheet(path: Path, system: System, samples: Sequence[Sample]) -> None:
    """Writes `sheet` as PNG."""
    write_image(path, sheet(system, samples))
