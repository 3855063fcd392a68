"""Scores of taggers: known for a tagger that is always right and for one that knows nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn

from fakes import FakeSystem
from irodori.benchmark import tagging
from irodori.benchmark.tagging import TaggingOptions, TagScore, by_group, score_tags, table
from irodori.checkpoint import save
from irodori.cli.main import main
from irodori.data.index import Index
from irodori.data.tags import tag_targets
from irodori.errors import InputError
from irodori.systems import build_system, preset
from irodori.training.loop import header_of

TAGS = ("red_hair", "purple_hair", "blue_clothes", "green_clothes", "glasses")
OPTIONS = TaggingOptions(count=40, split="train")


class Oracle(FakeSystem):
    """Knows the truth of the batch that was made last, or nothing."""

    tags: ClassVar[tuple[str, ...]] = TAGS

    def __init__(self, knows: bool) -> None:
        super().__init__()
        self.knows, self.truth = knows, torch.zeros(0)
        self.anchor = nn.Parameter(torch.zeros(1))

    def read_tags(self, image: Tensor) -> Tensor:
        return self.truth if self.knows else torch.zeros(len(image), len(TAGS))


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Tells an oracle what is true before it is asked."""

    def tell(oracle: Oracle) -> Oracle:
        def remembered(batch: Any, tags: Any) -> Any:
            found = tag_targets(batch, tags)
            oracle.truth = found.values
            return found

        monkeypatch.setattr(tagging, "tag_targets", remembered)
        return oracle

    return tell


def test_who_knows_everything_scores_one_and_who_knows_nothing_scores_chance(dataset: Index, told: Any):
    best = score_tags(told(Oracle(True)), dataset, OPTIONS)
    assert [score.tag for score in best] == list(TAGS)
    found = [score for score in best if score.count]
    assert len(found) >= 3
    assert all(score.average_precision == pytest.approx(1.0) for score in found)
    blind = score_tags(told(Oracle(False)), dataset, OPTIONS)
    assert [score.count for score in blind] == [score.count for score in best]
    for score in blind:
        if score.count:
            assert score.average_precision == pytest.approx(score.chance)
            assert score.chance == pytest.approx(score.count / 40)
        else:
            assert score.average_precision != score.average_precision


def test_groups_average_their_tags_and_leave_rare_ones_out():
    rows = (("red_hair", 0.5, 0.1, 20), ("blue_hair", 1.0, 0.3, 60), ("pink_hair", 0.0, 0.0, 4), ("solo", 0.2, 0.2, 30))
    scores = [TagScore(*row) for row in rows]
    groups = by_group(scores)
    assert groups["hair"] == pytest.approx({"mean_average_precision": 0.75, "chance": 0.2, "tags": 2})
    assert set(groups) == {"hair", "other"}
    assert "| hair | 2 | 0.75 | 0.20 |" in table(groups)


def test_systems_without_tags_are_refused(dataset: Index):
    with pytest.raises(InputError, match="knows no tags"):
        score_tags(FakeSystem(), dataset, OPTIONS)


def test_the_command(dataset: Index, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    torch.manual_seed(0)
    recipe = preset("taggan/tiny")
    path = tmp_path / "tiny.safetensors"
    save(path, header_of(recipe, 0), build_system("taggan", recipe.system).state_dict())
    arguments = ["evaluate-tags", str(path), "--data", str(dataset.root), "--count", "20", "--split", "train"]
    assert main([*arguments, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["about"]["count"] == 20
    assert all(0 <= row["average_precision"] <= 1 for row in report["tags"])
    assert main([*arguments, "--details"]) == 0
    assert "mean average precision" in capsys.readouterr().out
