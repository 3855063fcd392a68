import math

import pytest
import torch

from irodori.benchmark.recolor import MISMATCHES, RecolorOptions, compare, recolor_pairs, score_system, summarize
from irodori.data.index import PART_NAMES, Index
from irodori.metrics.parts import PartScore
from irodori.systems.base import Inputs, Noise, Output

OPTIONS = RecolorOptions(count=6, image_size=64, split="train")


class Oracle(torch.nn.Linear):
    """Answers with the truth of the pairs that it is asked in turn; a module, because it is asked for its device."""

    def __init__(self, samples):
        super().__init__(1, 1)
        self.samples = samples

    def colorize(self, inputs: Inputs, noise: Noise) -> Output:
        return Output(self.samples[noise.seeds[0]].color)


@pytest.mark.parametrize("condition", MISMATCHES)
def test_the_truth_scores_perfectly_and_its_negative_does_not(dataset: Index, condition: str):
    samples = recolor_pairs(dataset, OPTIONS, MISMATCHES[condition])
    result = summarize(score_system(Oracle(samples), samples))
    assert result["part_accuracy"]["mean"] == 1.0
    assert result["delta_e"]["mean"] == 0.0
    assert result["images"] == 6

    class Negative(Oracle):
        def colorize(self, inputs: Inputs, noise: Noise) -> Output:
            return Output(-super().colorize(inputs, noise).image)

    assert summarize(score_system(Negative(samples), samples))["part_accuracy"]["mean"] < 0.3


def test_pairs_are_the_same_for_every_system(dataset: Index):
    first, second = (recolor_pairs(dataset, OPTIONS, MISMATCHES["same style, moved"]) for _ in range(2))
    for a, b in zip(first, second, strict=True):
        torch.testing.assert_close(a.reference, b.reference)
        torch.testing.assert_close(a.sketch, b.sketch)


def test_the_reference_is_never_the_sketch_s_own_figure(dataset: Index, monkeypatch: pytest.MonkeyPatch):
    """Two items of one identity are the same figure in other colors."""
    from irodori.data.dataset import PairDataset

    found = []
    original = PairDataset.recolor_draft

    def spy(self, drawing, source, *more):
        asked = {id(self.drawings[item]): item.identity for item in self.items}
        found.append((asked[id(drawing)], asked[id(source)]))
        return original(self, drawing, source, *more)

    monkeypatch.setattr(PairDataset, "recolor_draft", spy)
    recolor_pairs(dataset, RecolorOptions(count=60, image_size=32, split="train"), MISMATCHES["same style, centered"])
    assert len(found) == 60
    assert all(mine != other for mine, other in found)


def test_moving_changes_the_reference_alone(dataset: Index):
    centered = recolor_pairs(dataset, OPTIONS, MISMATCHES["same style, centered"])
    moved = recolor_pairs(dataset, OPTIONS, MISMATCHES["same style, moved"])
    assert all(
        torch.equal(a.sketch, b.sketch) and torch.equal(a.color, b.color) for a, b in zip(centered, moved, strict=True)
    )
    assert not any(torch.equal(a.reference, b.reference) for a, b in zip(centered, moved, strict=True))


def test_summary_by_hand():
    hair, skin = PART_NAMES.index("hair"), PART_NAMES.index("skin")
    good, bad = PartScore(hair, 0.5, 2.0, 1.0), PartScore(skin, 0.5, 30.0, 25.0)
    result = summarize([[good, bad], [good], []])
    assert result["part_accuracy"]["mean"] == pytest.approx(2 / 3)
    assert result["delta_e"]["mean"] == pytest.approx(34 / 3)
    assert result["parts"]["skin"] == {"accuracy": 0.0, "delta_e": 30.0, "count": 1}
    assert result["parts"]["hair"]["accuracy"] == 1.0
    assert not math.isnan(result["part_accuracy"]["low"])


def test_the_paired_difference_is_exact_where_all_images_agree():
    hair = PART_NAMES.index("hair")
    good, bad = [[PartScore(hair, 0.5, 2.0, 1.0)]] * 8, [[PartScore(hair, 0.5, 12.0, 25.0)]] * 8
    found = compare(good, bad)
    assert found["part_accuracy"] == {"mean": 1.0, "low": 1.0, "high": 1.0}
    assert found["delta_e"] == {"mean": -10.0, "low": -10.0, "high": -10.0}
    same = compare(good, good)["part_accuracy"]
    assert same["low"] <= 0 <= same["high"]


def test_only_differences_without_zero_are_bold():
    from irodori.benchmark.tables import detailed

    interval = {"mean": 0.5, "low": 0.4, "high": 0.6}
    result = {"part_accuracy": interval, "delta_e": interval, "parts": {}}
    unsure = {"part_accuracy": {"mean": 0.1, "low": -0.1, "high": 0.3}}
    table = detailed({
        "a": {"moved": result},
        "b": {"moved": result | {"against_first": {"part_accuracy": interval}}},
        "c": {"moved": result | {"against_first": unsure}},
    })  # fmt: skip
    assert "| moved | b | 0.50 [0.40, 0.60] | **+0.50 [+0.40, +0.60]** |" in table
    assert "| moved | c | 0.50 [0.40, 0.60] | +0.10 [-0.10, +0.30] |" in table


def test_overview_has_a_row_for_each_condition_and_means_over_all():
    from irodori.benchmark.tables import overview

    def result(accuracy: float, eyes: float | None) -> dict[str, object]:
        parts = {} if eyes is None else {"eyes": {"accuracy": eyes, "delta_e": 1.0, "count": 1}}
        interval = {"mean": accuracy, "low": accuracy - 0.1, "high": accuracy + 0.1}
        return {"part_accuracy": interval, "delta_e": {**interval, "mean": 10 * accuracy}, "parts": parts}

    table = overview(
        {
            "a": {"still": result(0.5, 0.2), "moved": result(0.3, None)},
            "b": {"still": result(1.0, None), "moved": result(1.0, None)},
        }
    )
    assert "| still | 0.50 [0.40, 0.60] | 1.00 [0.90, 1.10] |" in table
    assert "| *mean ΔE2000, all rows* | 4.0 | 10.0 |" in table
    assert "| *eyes, all rows* | 0.20 | – |" in table


def test_lines_do_not_count(dataset: Index):
    """A coloring that is wrong only under drawn lines is perfect."""
    samples = recolor_pairs(dataset, OPTIONS, MISMATCHES["same style, centered"])
    assert any((sample.lines >= 0.5).any() for sample in samples)

    class WrongLines(Oracle):
        def colorize(self, inputs: Inputs, noise: Noise) -> Output:
            image = super().colorize(inputs, noise).image
            return Output(torch.where(self.samples[noise.seeds[0]].lines >= 0.5, -image, image))

    assert summarize(score_system(WrongLines(samples), samples))["delta_e"]["mean"] == 0.0


def test_sketches_of_one_style(dataset: Index):
    from irodori.errors import DataError

    options = RecolorOptions(count=3, image_size=32, split="train", style="round")
    assert len(recolor_pairs(dataset, options, MISMATCHES["other style, centered"])) == 3
    with pytest.raises(DataError, match="no style 'oval'.*round, square"):
        recolor_pairs(dataset, RecolorOptions(split="train", style="oval"), MISMATCHES["same style, centered"])
