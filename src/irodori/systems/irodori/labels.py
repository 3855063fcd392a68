"""Part labels on pixels and cells: what the attention is told, and how much each pixel counts."""

from __future__ import annotations

import torch
from torch import Tensor

from irodori.data.index import PART_NAMES
from irodori.data.parts import MAX_PARTS

HINTED = len(PART_NAMES) + MAX_PARTS
"""Label of a part whose color a hint has changed: only the hint has it."""
NUM_LABELS = HINTED + 1


def cell_shares(parts: Tensor, cell: int) -> Tensor:
    """The share of each label in each cell: ``(B, H, W)``, -1 = unknown, to ``(B, NUM_LABELS, H/cell, W/cell)``."""
    batch, height, width = parts.shape
    grid = (height // cell, width // cell)
    pixels = (parts + 1).view(batch, grid[0], cell, grid[1], cell).permute(0, 2, 4, 1, 3).flatten(3).flatten(1, 2)
    counts = torch.zeros(batch, NUM_LABELS + 1, grid[0] * grid[1], device=parts.device)
    counts.scatter_add_(1, pixels, torch.ones_like(pixels, dtype=counts.dtype))
    return counts[:, 1:].unflatten(-1, grid) / cell**2


def balance(parts: Tensor, strength: float, largest: float) -> Tensor:
    """A weight for each pixel ``(B, 1, H, W)``: more in small parts, ``(mean area / area) ** strength``, else 1.

    Eyes are a hundredth of a face's pixels and half of its expression.
    """
    flat = parts.flatten(1) + 1
    areas = torch.zeros(len(parts), NUM_LABELS + 1, device=parts.device)
    areas = areas.scatter_add_(1, flat, torch.ones_like(flat, dtype=areas.dtype))
    known = areas[:, 1:]
    mean = known.sum(1, keepdim=True) / (known > 0).sum(1, keepdim=True).clamp(min=1)
    weights = (mean / areas.clamp(min=1)).pow(strength).clamp(1 / largest, largest)
    weights[:, 0] = 1.0
    return weights.gather(1, flat).view(parts.shape)[:, None]
