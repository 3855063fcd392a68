"""Average precision, against the definition and against scikit-learn's sum written out."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from irodori.metrics.tags import average_precisions


def summed(scores: Tensor, truth: Tensor) -> float:
    """Sum over the ranks of the true ones of the precision up to there, divided by their number."""
    order = scores.argsort(descending=True)
    true = truth[order].float()
    precision = true.cumsum(0) / torch.arange(1, len(true) + 1)
    return ((precision * true).sum() / true.sum()).item()


def test_it_is_the_mean_precision_at_the_true_ones():
    generator = torch.Generator().manual_seed(0)
    scores, truth = torch.rand(40, 3, generator=generator), torch.rand(40, 3, generator=generator) < 0.3
    found = average_precisions(scores, truth, torch.ones_like(truth))
    assert found.tolist() == pytest.approx([summed(scores[:, i], truth[:, i]) for i in range(3)], rel=1e-5)


def test_perfect_worst_and_never():
    truth = torch.tensor([[True, True, False], [True, True, False], [False, False, False], [False, False, False]])
    scores = torch.tensor([[0.9, 0.1, 0.5], [0.8, 0.2, 0.5], [0.3, 0.8, 0.5], [0.2, 0.9, 0.5]])
    best, worst, never = average_precisions(scores, truth, torch.ones_like(truth)).tolist()
    assert best == 1.0
    assert worst == pytest.approx((1 / 3 + 2 / 4) / 2)
    assert never != never


def test_what_is_not_known_does_not_count():
    truth = torch.tensor([[True], [False], [True]])
    scores = torch.tensor([[0.9], [0.95], [0.1]])
    known = torch.tensor([[True], [False], [True]])
    assert average_precisions(scores, truth, known).item() == 1.0
    assert average_precisions(scores, truth, torch.zeros_like(known)).isnan().all()
