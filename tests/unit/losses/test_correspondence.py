import math

import pytest
import torch

from irodori.losses.correspondence import (
    active_share,
    grid_positives,
    hit_rate,
    part_cross_entropy,
    part_negatives,
    part_positives,
    random_negatives,
    triplet,
)

NAN = float("nan")


def test_triplet_by_hand():
    """Equation 5 for two queries: max(0, -3 + 1 + 12) = 10 and max(0, -20 + 2 + 12) = 0."""
    scores = torch.tensor([[[3.0, 1.0, 9.0], [2.0, 20.0, 9.0]]])
    loss = triplet(scores, torch.tensor([[0, 1]]), torch.tensor([[1, 0]]), margin=12.0)
    assert loss.item() == pytest.approx((10 + 0) / 2)


def test_queries_without_a_positive_are_ignored():
    scores = torch.tensor([[[3.0, 1.0], [0.0, 100.0]]])
    loss = triplet(scores, torch.tensor([[0, -1]]), torch.tensor([[1, 1]]), margin=12.0)
    assert loss.item() == pytest.approx(10.0)
    assert triplet(scores, torch.tensor([[-1, -1]]), torch.tensor([[1, 1]])).item() == 0.0


def test_triplet_pulls_the_positive_up_and_pushes_the_negative_down():
    scores = torch.zeros(1, 1, 3, requires_grad=True)
    triplet(scores, torch.tensor([[2]]), torch.tensor([[0]])).backward()
    assert scores.grad.tolist() == [[[1.0, 0.0, -1.0]]]


def test_active_share_counts_what_still_pushes():
    scores = torch.tensor([[[20.0, 0.0], [5.0, 0.0], [0.0, 0.0], [0.0, 9.0]]])
    positive, negative = torch.tensor([[0, 0, 0, -1]]), torch.tensor([[1, 1, 1, 0]])
    assert active_share(scores, positive, negative, margin=12.0).item() == pytest.approx(2 / 3)


def test_identity_field_makes_every_cell_its_own_positive():
    y, x = torch.meshgrid(torch.arange(32.0), torch.arange(32.0), indexing="ij")
    positive = grid_positives(torch.stack([x, y])[None], (4, 4), (4, 4))
    assert positive.tolist() == [list(range(16))]


def test_mirrored_field_mirrors_the_cells():
    y, x = torch.meshgrid(torch.arange(32.0), torch.arange(32.0), indexing="ij")
    positive = grid_positives(torch.stack([31 - x, y])[None], (4, 4), (4, 4))
    assert positive.view(4, 4)[1].tolist() == [7, 6, 5, 4]


def test_unknown_correspondence_has_no_positive():
    field = torch.zeros(1, 2, 8, 8)
    field[..., :4] = NAN
    assert grid_positives(field, (2, 2), (2, 2)).tolist() == [[-1, 0, -1, 0]]


def test_part_positives_share_the_part_and_negatives_do_not():
    parts = torch.tensor([[0, 0], [1, -1]]).repeat_interleave(4, 0).repeat_interleave(4, 1)[None]
    reference = torch.tensor([[1, 1], [0, 5]]).repeat_interleave(4, 0).repeat_interleave(4, 1)[None]
    flat = torch.tensor([1, 1, 0, 5])
    for _ in range(20):
        positive = part_positives(parts, reference, (2, 2), (2, 2))[0]
        assert flat[positive[:2]].tolist() == [0, 0]
        assert flat[positive[2]] == 1
        assert positive[3] == -1
        negative = part_negatives(positive[None], parts, reference, (2, 2), (2, 2))[0]
        assert all(flat[n] != wanted for n, wanted in zip(negative[:3], (0, 0, 1), strict=True))


def test_random_negatives_are_never_the_positive_and_reach_every_other():
    positive = torch.full((1, 4000), 2)
    negative = random_negatives(positive, 5)
    assert set(negative.unique().tolist()) == {0, 1, 3, 4}


def test_hit_rate_is_the_attention_on_the_right_part():
    parts = torch.tensor([[0, 1]]).repeat_interleave(2, 0).repeat_interleave(2, 1)[None]
    weights = torch.tensor([[[0.75, 0.25], [0.5, 0.5]]])
    assert hit_rate(weights, parts, parts, (1, 2), (1, 2)).item() == pytest.approx((0.75 + 0.5) / 2)


def test_part_cross_entropy_counts_a_cell_by_the_parts_in_it():
    """One cell, three quarters part 0 and a quarter part 1; the reference shows 0, 1 and 1."""
    parts = torch.zeros(1, 4, 4, dtype=torch.int64)
    parts[:, 2:, 2:] = 1
    reference = torch.tensor([[0, 1, 1]]).repeat_interleave(2, 0).repeat_interleave(2, 1)[None]
    weights = torch.tensor([[[0.5, 0.2, 0.3]]])
    found = part_cross_entropy(weights, parts, reference, (1, 1), (1, 3))
    assert found.item() == pytest.approx(-0.75 * math.log(0.5) - 0.25 * math.log(0.5))
    weights = torch.tensor([[[0.8, 0.1, 0.1]]])
    found = part_cross_entropy(weights, parts, reference, (1, 1), (1, 3))
    assert found.item() == pytest.approx(-0.75 * math.log(0.8) - 0.25 * math.log(0.2))


def test_parts_that_the_reference_lacks_do_not_count():
    parts = torch.tensor([[0, 7], [-1, 7]]).repeat_interleave(4, 0).repeat_interleave(4, 1)[None]
    reference = torch.tensor([[0, -1]]).repeat_interleave(2, 0).repeat_interleave(2, 1)[None]
    weights = torch.tensor([[[0.25, 0.75]] * 4]).view(1, 4, 2)
    assert part_cross_entropy(weights, parts, reference, (2, 2), (1, 2)).item() == pytest.approx(-math.log(0.25))
    assert part_cross_entropy(weights, parts, -torch.ones_like(reference), (2, 2), (1, 2)).item() == 0
