"""The design: balanced in methods, cases and conditions."""

from collections import Counter
from itertools import combinations

import numpy as np
import pytest

from irodori.benchmark.cases import Case
from irodori.benchmark.study.pairs import deal, design_pairs, spread
from irodori.errors import InputError


def make_cases(count, condition="still"):
    files = {"sketch": "s.png", "references": ("r.png",)}
    return [Case(id=f"{condition}-{i}", track="recolor", condition=condition, **files) for i in range(count)]


@pytest.mark.parametrize(
    ("methods", "cases", "pairs"), [(2, 10, 7), (3, 10, 20), (3, 50, 100), (5, 7, 60), (4, 3, 500)]
)
def test_balance(methods, cases, pairs):
    names = [f"method {i}" for i in range(methods)]
    design = design_pairs(make_cases(cases), names, pairs)
    meetings = list(combinations(names, 2))
    each = min(pairs // len(meetings), cases)
    assert Counter(pair.methods for pair in design) == dict.fromkeys(meetings, each)
    assert len({(pair.methods, pair.case.id) for pair in design}) == len(design)
    uses = [sum(pair.case == case for pair in design) for case in make_cases(cases)]
    assert max(uses) - min(uses) <= 1


def test_every_stretch_has_every_condition_in_proportion():
    order = spread(make_cases(30, "many") + make_cases(10, "few"), np.random.default_rng(0))
    assert len({case.id for case in order}) == 40
    for start in range(32):
        assert 1 <= sum(case.condition == "few" for case in order[start : start + 8]) <= 3


def test_the_order_depends_on_the_seed():
    cases = make_cases(20)
    once, again, other = (spread(cases, np.random.default_rng(seed)) for seed in (0, 0, 1))
    assert once == again != other


def test_fewer_pairs_than_meetings_are_refused():
    with pytest.raises(InputError, match="give --pairs at least 3"):
        design_pairs(make_cases(5), ["a", "b", "c"], 2)


def test_parts_share_what_there_is():
    parts = deal(list("aaaabbbb"), 2)
    assert [Counter(part) for part in parts] == [{"a": 2, "b": 2}] * 2
