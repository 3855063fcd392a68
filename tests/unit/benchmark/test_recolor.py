import math

import pytest
import torch

from irodori.benchmark.recolor import MISMATCHES, RecolorOptions, recolor_pairs, score_system, summarize
from irodori.data.index import PART_NAMES, Index
from irodori.metrics.parts import PartScore
from irodori.systems.base import Inputs, Output

OPTIONS = RecolorOptions(count=6, image_size=64, split="train")


class Oracle:
    """Answers with the truth of the pairs that it was given."""

    def __init__(self, samples):
        self.answers = {sample.sketch.sum().item(): sample.color for sample in samples}

    def colorize(self, inputs: Inputs, noise=None) -> Output:
        return Output(self.answers[inputs.sketch.sum().item()])


@pytest.mark.parametrize("condition", MISMATCHES)
def test_the_truth_scores_perfectly_and_its_negative_does_not(dataset: Index, condition: str):
    samples = recolor_pairs(dataset, OPTIONS, *MISMATCHES[condition])
    result = summarize(score_system(Oracle(samples), samples))
    assert result["part_accuracy"]["mean"] == 1.0
    assert result["delta_e"]["mean"] == 0.0
    assert result["images"] == 6

    class Negative(Oracle):
        def colorize(self, inputs: Inputs, noise=None) -> Output:
            return Output(-super().colorize(inputs).image)

    assert summarize(score_system(Negative(samples), samples))["part_accuracy"]["mean"] < 0.3


def test_pairs_are_the_same_for_every_system_and_never_the_same_figure(dataset: Index):
    first, second = (recolor_pairs(dataset, OPTIONS, *MISMATCHES["same style, moved"]) for _ in range(2))
    for a, b in zip(first, second, strict=True):
        torch.testing.assert_close(a.reference, b.reference)
        torch.testing.assert_close(a.sketch, b.sketch)
        assert not torch.equal(a.color, a.reference)


def test_moving_changes_the_reference_alone(dataset: Index):
    centred = recolor_pairs(dataset, OPTIONS, *MISMATCHES["same style, centred"])
    moved = recolor_pairs(dataset, OPTIONS, *MISMATCHES["same style, moved"])
    assert all(
        torch.equal(a.sketch, b.sketch) and torch.equal(a.color, b.color) for a, b in zip(centred, moved, strict=True)
    )
    assert not any(torch.equal(a.reference, b.reference) for a, b in zip(centred, moved, strict=True))


def test_summary_by_hand():
    hair, skin = PART_NAMES.index("hair"), PART_NAMES.index("skin")
    good, bad = PartScore(hair, 0.5, 2.0, 1.0), PartScore(skin, 0.5, 30.0, 25.0)
    result = summarize([[good, bad], [good], []])
    assert result["part_accuracy"]["mean"] == pytest.approx(2 / 3)
    assert result["delta_e"]["mean"] == pytest.approx(34 / 3)
    assert result["parts"]["skin"] == {"accuracy": 0.0, "delta_e": 30.0, "count": 1}
    assert result["parts"]["hair"]["accuracy"] == 1.0
    assert not math.isnan(result["part_accuracy"]["low"])
