"""Strengths, intervals and tests on answers whose truth is known."""

import math

import numpy as np
import pytest
from scipy.optimize import minimize

from irodori.benchmark.study.answers import read_answers
from irodori.benchmark.study.key import Key, KeyCheck, KeyPair
from irodori.benchmark.study.report import markdown
from irodori.benchmark.study.scoring import (
    Votes,
    bradley_terry,
    choice_counts,
    count_wins,
    judge_shares,
    kruskal_wallis,
    resampled_wins,
    score_study,
)
from irodori.errors import InputError
from studies import METHODS, answer_file, asleep, attentive

STRENGTHS = {"zebrafish": 1.0, "platypus": 0.2, "aardvark": -1.2}


def make_key(each=20, checks=5):
    """Each two of three methods meet `each` times, always on another case."""
    pairs = {}
    for one, other in ((0, 1), (0, 2), (1, 2)):
        for k in range(each):
            name = f"{one}{other}-{k}"
            pictures = {f"{name}a": METHODS[one], f"{name}b": METHODS[other]}
            pairs[name] = KeyPair(case=name, track="cross", condition="still", part=0, pictures=pictures)
    names = [f"check-{k}" for k in range(checks)]
    return Key(
        question="Which?",
        ties=True,
        methods=METHODS,
        parts=1,
        pairs=pairs,
        checks={n: KeyCheck(case=n, part=0, pictures={f"{n}a": "truth", f"{n}b": "gray"}) for n in names},
        left_out={},
        about={},
    )


KEY = make_key()


def simulate(folder, count, choose=None, first=0, key=KEY):
    choose = choose or attentive(STRENGTHS)
    numbers = range(first, first + count)
    return read_answers([answer_file(folder / f"{n}.json", key, n, choose) for n in numbers], key)


# --- strengths -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("wins", "losses"), [(30, 10), (7, 7), (1, 400)])
def test_two_methods_differ_by_their_log_odds(wins, losses):
    one, other = bradley_terry(np.array([[0.0, wins], [losses, 0.0]]))
    assert one - other == pytest.approx(math.log((wins + 0.01) / (losses + 0.01)), abs=1e-9)
    assert one + other == pytest.approx(0.0, abs=1e-12)


def test_strengths_are_the_maximum_of_the_likelihood_by_another_optimizer():
    wins = np.random.default_rng(0).integers(1, 30, (5, 5)) * (1.0 - np.eye(5))

    def loss(strengths):
        return (wins * np.log1p(np.exp(strengths[None] - strengths[:, None]))).sum()

    expected = minimize(loss, np.zeros(5), tol=1e-10).x
    assert bradley_terry(wins) == pytest.approx(expected - expected.mean(), abs=5e-3)  # 0.01 wins more


def test_expected_wins_are_the_observed_ones():
    wins = np.random.default_rng(1).integers(0, 9, (6, 6)) * (1.0 - np.eye(6))
    s = bradley_terry(wins)
    expected = (wins + wins.T) / (1.0 + np.exp(s[None] - s[:, None]))
    assert expected.sum(1) == pytest.approx(wins.sum(1), abs=0.05)


def test_who_never_lost_is_far_ahead_but_finite():
    ladder = np.triu(np.full((8, 8), 50.0), 1)
    strengths = bradley_terry(ladder)
    assert np.isfinite(strengths).all()
    assert (np.diff(strengths) < -2.0).all()
    slope = (ladder + 0.01 * (1 - np.eye(8))).sum(1)
    games = ladder + ladder.T + 0.02 * (1 - np.eye(8))
    assert (games / (1 + np.exp(strengths[None] - strengths[:, None]))).sum(1) == pytest.approx(slope, abs=1e-6)


def test_a_batch_is_scored_like_its_members():
    wins = np.random.default_rng(2).integers(0, 20, (4, 3, 3)) * (1.0 - np.eye(3))
    assert bradley_terry(wins) == pytest.approx(np.stack([bradley_terry(one) for one in wins]), abs=1e-8)


def test_no_difference_is_half_a_win_for_each():
    votes = Votes(*(np.array(column) for column in ([0, 0, 0], [0, 1, 2], [0, 0, 0], [1, 1, 1], [1.0, 0.5, 0.5])))
    assert count_wins(votes, 2).tolist() == [[0.0, 2.0], [1.0, 0.0]]


def test_many_judges_recover_the_strengths_that_made_their_answers(tmp_path):
    found = score_study(KEY, simulate(tmp_path, 60), resamples=200)
    mean = np.mean(list(STRENGTHS.values()))
    for name, method in found["methods"].items():
        assert method["strength"] == pytest.approx(STRENGTHS[name] - mean, abs=0.15)
        assert method["low"] < STRENGTHS[name] - mean < method["high"]
        assert method["comparisons"] == 60 * 40
    assert [pair["better"] for pair in found["pairs"]] == ["zebrafish", "zebrafish", "platypus"]
    share = 1 / (1 + math.exp(STRENGTHS["platypus"] - STRENGTHS["zebrafish"]))
    assert found["pairs"][0]["preferred"] == pytest.approx(share, abs=0.04)


def test_equal_methods_are_not_called_different(tmp_path):
    found = score_study(KEY, simulate(tmp_path, 10, attentive(dict.fromkeys(METHODS, 0.0))), resamples=200)
    assert [pair["better"] for pair in found["pairs"]] == [None] * 3


def test_the_bootstrap_draws_judges_and_cases():
    answers = np.array([(judge, case) for judge in range(4) for case in range(6)])
    ones = np.ones(len(answers), np.int64)
    votes = Votes(answers[:, 0], answers[:, 1], 0 * ones, ones, ones.astype(float))
    drawn = resampled_wins(votes, 2, seed=0, resamples=50)
    assert (drawn[:, 0, 1] == 24).all()  # all judges saw all cases: the product of two sums
    split = Votes(votes.judge, votes.case, votes.first, votes.second, (votes.judge < 2).astype(float))
    by_judge = resampled_wins(split, 2, seed=0, resamples=50)[:, 0, 1]
    assert set(by_judge) == {0.0, 6.0, 12.0, 18.0, 24.0}  # cases make no difference here, judges do
    assert np.array_equal(by_judge, resampled_wins(split, 2, seed=0, resamples=50)[:, 0, 1])


# --- judges ----------------------------------------------------------------------------------------------------------


def test_sleepers_are_left_out_and_named(tmp_path):
    judges = simulate(tmp_path, 6) + simulate(tmp_path, 2, asleep, first=90)
    found, without = score_study(KEY, judges, resamples=100), score_study(KEY, judges[:6], resamples=100)
    assert [judge["file"] for judge in found["excluded"]] == ["90.json", "91.json"]
    assert found["methods"] == without["methods"]
    assert "Excluded: judge 00000000 (90.json) answered" in markdown(found)
    assert len(score_study(KEY, judges, pass_rate=0.0, resamples=100)["judges"]) == 8


def test_nobody_left_is_an_error(tmp_path):
    with pytest.raises(InputError, match=r"90\.json \d of 5"):
        score_study(KEY, simulate(tmp_path, 1, asleep, first=90))


def test_who_saw_no_check_counts_and_is_told(tmp_path):
    key = make_key(checks=0)
    found = score_study(key, simulate(tmp_path, 1, key=key), resamples=100)
    assert (len(found["judges"]), found["excluded"]) == (1, [])
    assert "answered no attention check" in markdown(found)
    assert "One judge" in markdown(found)


def test_habits(tmp_path):
    always_left = score_study(KEY, simulate(tmp_path, 2, asleep), pass_rate=0.0, resamples=100)["habits"]
    assert always_left == {"left": 1.0, "no_difference": 0.0, "median_seconds": 2.5}
    ties = score_study(KEY, simulate(tmp_path, 2, lambda *_: "tie"), pass_rate=0.0, resamples=100)
    assert ties["habits"]["left"] is None
    assert ties["habits"]["no_difference"] == 1.0
    assert all(abs(method["strength"]) < 1e-9 for method in ties["methods"].values())


# --- test and agreement ----------------------------------------------------------------------------------------------


def test_kruskal_wallis_by_hand():
    groups = [np.array([0.9, 0.8, 0.7]), np.array([0.6, 0.2, 0.5]), np.array([0.1, 0.3, 0.4])]
    ranks = [(9, 8, 7), (6, 2, 5), (1, 3, 4)]
    h = 12 / (9 * 10) * sum(sum(group) ** 2 / 3 for group in ranks) - 3 * 10
    found = kruskal_wallis(groups)
    assert found["h"] == pytest.approx(h)
    assert found["p"] == pytest.approx(math.exp(-h / 2))  # chi-square with two degrees of freedom
    assert found["degrees_of_freedom"] == 2
    assert kruskal_wallis([groups[0], groups[1][:1]]) is None
    assert kruskal_wallis([np.array([0.5, 0.5])] * 2) is None


def test_shares_are_of_each_judge():
    columns = [0, 0, 0, 1], [0, 1, 2, 0], [0, 0, 1, 0], [1, 1, 2, 1], [1.0, 0.5, 0.0, 0.0]
    zebrafish, platypus, aardvark = judge_shares(Votes(*(np.array(column) for column in columns)), 3)
    assert zebrafish.tolist() == [0.75, 0.0]
    assert platypus.tolist() == pytest.approx([0.5 / 3, 1.0])
    assert aardvark.tolist() == [1.0]


def test_judges_with_one_taste_agree_wholly_and_coins_do_not(tmp_path):
    same = attentive({name: 100 * strength for name, strength in STRENGTHS.items()})
    judges = simulate(tmp_path, 5, same)
    assert set(choice_counts(KEY, judges).ravel()) == {0, 5}
    found = score_study(KEY, judges, resamples=100)["agreement"]
    assert (found["observed"], found["krippendorff_alpha"], found["fleiss_kappa"]) == (1.0, 1.0, 1.0)
    coins = attentive(dict.fromkeys(METHODS, 0.0))
    found = score_study(KEY, simulate(tmp_path, 12, coins), resamples=100)["agreement"]
    assert found["fleiss_kappa"] == pytest.approx(0.0, abs=0.05)
    assert found["common_pairs"] == found["pairs"] == 60


def test_markdown_has_every_figure(tmp_path):
    never = attentive({"zebrafish": 99.0, "platypus": 0.2, "aardvark": -0.2})
    text = markdown(score_study(KEY, simulate(tmp_path, 4, never), resamples=100))
    assert "4 judges, 240 answers to pairs; none excluded." in text
    assert "| zebrafish |  | **100 % (80)** | **100 % (80)** |" in text
    for words in ("Kruskal–Wallis", "H(2) = ", "Krippendorff's alpha", "Fleiss' kappa", "median time 2.5 s"):
        assert words in text
    assert "zebrafish never lost: its strength and interval have no true end on that side" in text
