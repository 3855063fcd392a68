import pytest
import torch

from irodori.metrics.parts import part_scores

RED, GREEN = torch.tensor([0.6, -0.6, -0.6]), torch.tensor([-0.6, 0.6, -0.6])


def halves(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    image = torch.empty(3, 16, 16)
    image[:, :, :8], image[:, :, 8:] = left.view(3, 1, 1), right.view(3, 1, 1)
    return image


PARTS = torch.cat([torch.zeros(16, 8), torch.ones(16, 8)], 1).long()
VALID = torch.ones(16, 16)


def test_a_perfect_copy_scores_zero():
    color = halves(RED, GREEN)
    scores = part_scores(color, color, PARTS, VALID)
    assert [(s.part, s.share, s.mean_delta_e) for s in scores] == [(0, 0.5, 0.0), (1, 0.5, 0.0)]
    assert all(score.is_accurate for score in scores)


def test_swapped_parts_are_both_wrong():
    scores = part_scores(halves(GREEN, RED), halves(RED, GREEN), PARTS, VALID)
    assert not any(score.is_accurate for score in scores)
    assert min(s.mean_delta_e for s in scores) > 50


def test_the_median_forgives_a_few_bad_pixels_the_mean_does_not():
    image = halves(RED, GREEN)
    image[:, :3, :8] = GREEN.view(3, 1, 1)
    first = part_scores(image, halves(RED, GREEN), PARTS, VALID)[0]
    assert first.is_accurate
    assert first.median_delta_e == pytest.approx(0.0, abs=1e-4)
    assert first.mean_delta_e > 10


def test_unknown_small_and_unnamed_parts_are_left_out():
    parts = PARTS.clone()
    parts[:, 8:] = -1
    parts[0, 0] = 7
    valid = VALID.clone()
    scores = part_scores(halves(RED, GREEN), halves(RED, GREEN), parts, valid, least_share=0.01)
    assert [s.part for s in scores] == [0]
    valid[:, :8] = 0
    assert part_scores(halves(RED, GREEN), halves(RED, GREEN), parts, valid) == []
