"""Direct supervision of attention by a known correspondence (Lee et al. 2020, section 3.4), or by known parts."""

from __future__ import annotations

import torch
from torch import Tensor


def triplet(scores: Tensor, positive: Tensor, negative: Tensor, margin: float = 12.0) -> Tensor:
    """``max(0, -S(q, k+) + S(q, k-) + margin)``, mean over the queries that have a positive (equation 5).

    scores: ``(B, Q, K)`` scaled dot products.  positive, negative: ``(B, Q)`` key positions, -1 for "none".
    Zero when no query has a positive.
    """
    known = positive >= 0
    return (torch.relu(_violation(scores, positive, negative, margin)) * known).sum() / known.sum().clamp(min=1)


def active_share(scores: Tensor, positive: Tensor, negative: Tensor, margin: float = 12.0) -> Tensor:
    """Share of the triplets that still push; 0 or 1 for long means the margin does not fit the scores."""
    known = positive >= 0
    return ((_violation(scores, positive, negative, margin) > 0) & known).sum() / known.sum().clamp(min=1)


def _violation(scores: Tensor, positive: Tensor, negative: Tensor, margin: float) -> Tensor:
    """``-S(q, k+) + S(q, k-) + margin`` for each query, ``(B, Q)``; meaningless where there is no positive."""
    towards = scores.gather(-1, positive.clamp(min=0)[..., None])[..., 0]
    away = scores.gather(-1, negative.clamp(min=0)[..., None])[..., 0]
    return away - towards + margin


def grid_positives(correspondence: Tensor, sketch_grid: tuple[int, int], reference_grid: tuple[int, int]) -> Tensor:
    """The reference position with the largest true weight for each sketch position, ``(B, Q)``; -1 where unknown.

    correspondence: ``(B, 2, H, W)``, the point ``(x, y)`` in reference pixels for each sketch pixel; the reference has
    the sketch's size.  The field is read at the center of each sketch cell.
    """
    _, _, height, width = correspondence.shape
    rows = _centers(sketch_grid[0], height, correspondence.device)
    columns = _centers(sketch_grid[1], width, correspondence.device)
    points = correspondence[:, :, rows][:, :, :, columns]  # (B, 2, h, w)
    known = points.isfinite().all(1)
    points = points.nan_to_num(0.0)
    x = ((points[:, 0] + 0.5) * reference_grid[1] / width).long().clamp(0, reference_grid[1] - 1)
    y = ((points[:, 1] + 0.5) * reference_grid[0] / height).long().clamp(0, reference_grid[0] - 1)
    return torch.where(known, y * reference_grid[1] + x, -1).flatten(1)


def part_positives(
    parts: Tensor, reference_parts: Tensor, sketch_grid: tuple[int, int], reference_grid: tuple[int, int]
) -> Tensor:
    """A random reference position on the same part for each sketch position, ``(B, Q)``; -1 where there is none.

    parts, reference_parts: ``(B, H, W)`` part numbers, -1 where unknown.  Not in the paper: recolor pairs know parts
    rather than points.
    """
    same, _ = _same_parts(parts, reference_parts, sketch_grid, reference_grid)
    chosen = (torch.rand(same.shape, device=same.device) * same).argmax(-1)
    return torch.where(same.any(-1), chosen, -1)


def _on_grid(parts: Tensor, grid: tuple[int, int]) -> Tensor:
    """Part numbers at the cell centers of a grid: ``(B, H, W)`` to ``(B, h * w)``."""
    rows = _centers(grid[0], parts.shape[-2], parts.device)
    columns = _centers(grid[1], parts.shape[-1], parts.device)
    return parts[:, rows][:, :, columns].flatten(1)


def random_negatives(positive: Tensor, num_keys: int) -> Tensor:
    """A uniformly random key other than the positive, ``(B, Q)``."""
    shift = torch.randint(1, max(2, num_keys), positive.shape, device=positive.device)
    return (positive.clamp(min=0) + shift) % num_keys


def part_negatives(
    positive: Tensor,
    parts: Tensor,
    reference_parts: Tensor,
    sketch_grid: tuple[int, int],
    reference_grid: tuple[int, int],
) -> Tensor:
    """A random reference position on *another* part; a random other one where the part is unknown or alone."""
    same, is_known = _same_parts(parts, reference_parts, sketch_grid, reference_grid)
    other = ~same & is_known
    chosen = (torch.rand(other.shape, device=other.device) * other).argmax(-1)
    return torch.where(other.any(-1), chosen, random_negatives(positive, same.shape[-1]))


def hit_rate(
    weights: Tensor,
    parts: Tensor,
    reference_parts: Tensor,
    sketch_grid: tuple[int, int],
    reference_grid: tuple[int, int],
) -> Tensor:
    """Share of attention that falls on the right part, over sketch positions whose part the reference shows.

    weights: ``(B, Q, K)``, rows sum to 1.
    """
    same, _ = _same_parts(parts, reference_parts, sketch_grid, reference_grid)
    known = same.any(-1)
    return ((weights * same).sum(-1) * known).sum() / known.sum().clamp(min=1)


def part_cross_entropy(
    weights: Tensor,
    parts: Tensor,
    reference_parts: Tensor,
    sketch_grid: tuple[int, int],
    reference_grid: tuple[int, int],
    points: int = 4,
) -> Tensor:
    """Cross-entropy between the parts of the sketch's cells and the parts that the attention finds for them.

    ``-log(attention on the same part)``, mean over `points` x `points` points of each cell, so that a cell with two
    parts should look at both; points whose part the reference does not show do not count.
    weights: ``(B, Q, K)``, rows sum to 1.
    """
    fine = (points * sketch_grid[0], points * sketch_grid[1])
    same, _ = _same_parts(parts, reference_parts, fine, reference_grid)
    rows = weights.unflatten(1, sketch_grid).repeat_interleave(points, 1).repeat_interleave(points, 2).flatten(1, 2)
    known = same.any(-1)
    found = (rows * same).sum(-1).clamp(min=1e-4).log()
    return -(found * known).sum() / known.sum().clamp(min=1)


def _same_parts(
    parts: Tensor, reference_parts: Tensor, sketch_grid: tuple[int, int], reference_grid: tuple[int, int]
) -> tuple[Tensor, Tensor]:
    """Which reference positions show the part of which sketch position, ``(B, Q, K)``; and whether that part is known,
    ``(B, Q, 1)``.
    """
    sketch, reference = _on_grid(parts, sketch_grid), _on_grid(reference_parts, reference_grid)
    is_known = (sketch >= 0)[:, :, None]
    return (sketch[:, :, None] == reference[:, None, :]) & is_known, is_known


def middle_cells(grid: tuple[int, int], coarse: tuple[int, int], device: torch.device) -> Tensor:
    """The cells of a grid that lie under the centers of a coarser one's: positions ``(h * w of the coarser one,)``."""
    rows, columns = (_centers(coarse[axis], grid[axis], device) for axis in (0, 1))
    return (rows[:, None] * grid[1] + columns).flatten()


def _centers(cells: int, pixels: int, device: torch.device) -> Tensor:
    """Pixel positions at the middle of `cells` equal cells."""
    return ((torch.arange(cells, device=device) + 0.5) * pixels / cells).long().clamp(max=pixels - 1)
