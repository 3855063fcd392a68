"""What the answers of judges say: strengths with intervals, a test, and how far judges agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from irodori.benchmark.study.agreement import Counts, fleiss_kappa, krippendorff_alpha, observed_agreement
from irodori.benchmark.study.answers import Answer, Judge
from irodori.benchmark.study.key import Key
from irodori.errors import ConfigError, InputError

Array = NDArray[np.float64]

PASS_RATE = 0.8
"""The share of attention checks that a judge must answer right to count."""

_PSEUDO_WINS = 0.01  # of each over each other: keeps strengths finite where one never lost
_STEPS = 200


@dataclass(frozen=True)
class Votes:
    """Answers to pairs, one row each ``(N,)``: numbers, without gaps, of judge, case and methods (first < second).

    share: of the first method: 1 preferred, 0 not, ½ no difference.
    """

    judge: NDArray[np.int64]
    case: NDArray[np.int64]
    first: NDArray[np.int64]
    second: NDArray[np.int64]
    share: Array


def score_study(
    key: Key, judges: Sequence[Judge], pass_rate: float = PASS_RATE, seed: int = 0, resamples: int = 1000
) -> dict[str, Any]:
    """All figures of a study, ready for JSON; judges who answer less than `pass_rate` of their checks right are left
    out and named.  InputError when none is left.
    """
    kept, excluded = select_judges(key, judges, pass_rate)
    votes = collect_votes(key, kept)
    wins = count_wins(votes, len(key.methods))
    drawn = bradley_terry(resampled_wins(votes, len(key.methods), seed, resamples))
    answers = [answer for judge in kept for answer in judge.answers if answer.trial in key.pairs]
    return {
        "question": key.question,
        "study": key.id,
        "judges": [_about_judge(key, judge) for judge in kept],
        "excluded": [_about_judge(key, judge) for judge in excluded],
        "pass_rate": pass_rate,
        "answers": len(answers),
        "methods": _strengths(key.methods, wins, drawn),
        "pairs": _differences(key.methods, wins, drawn),
        "kruskal_wallis": kruskal_wallis(judge_shares(votes, len(key.methods))),
        "agreement": _agreement(key, kept),
        "habits": _habits(answers),
        "bootstrap": {"resamples": resamples, "seed": seed},
    }


def select_judges(key: Key, judges: Sequence[Judge], pass_rate: float) -> tuple[list[Judge], list[Judge]]:
    """Those who count and those who do not; who was shown no check counts."""
    kept, excluded = list[Judge](), list[Judge]()
    for judge in judges:
        right, shown = judge.checks_passed(key)
        (kept if right >= pass_rate * shown - 1e-9 else excluded).append(judge)
    if not any(answer.trial in key.pairs for judge in kept for answer in judge.answers):
        failed = "; ".join(f"{judge.path} {_fraction(judge.checks_passed(key))}" for judge in excluded)
        raise InputError(f"no pair was answered by a judge who passed the checks (failed: {failed or 'none'}); "
                         "collect more answers")  # fmt: skip
    return kept, excluded


def _fraction(counts: tuple[int, int]) -> str:
    return f"{counts[0]} of {counts[1]}"


def collect_votes(key: Key, judges: Sequence[Judge]) -> Votes:
    """Every answer to a pair; attention checks are none."""
    rows = []
    for judge in judges:
        for answer in judge.answers:
            if answer.trial in key.pairs:
                pair = key.pairs[answer.trial]
                first, second = sorted(key.methods.index(name) for name in pair.pictures.values())
                share = 0.5 if answer.chosen is None else float(pair.pictures[answer.chosen] == key.methods[first])
                rows.append((judge.id, pair.case, first, second, share))
    judge_ids, case_ids, firsts, seconds, shares = zip(*rows, strict=True)
    _, judge_numbers = np.unique(judge_ids, return_inverse=True)
    _, case_numbers = np.unique(case_ids, return_inverse=True)
    return Votes(judge_numbers, case_numbers, np.array(firsts), np.array(seconds), np.array(shares))


def count_wins(votes: Votes, num_methods: int, weights: Array | None = None) -> Array:
    """``(M, M)``: how often the row was preferred to the column; "no difference" is half a win for each.

    weights: how often each answer counts, ``(N,)``; None = once.
    """
    weights = np.ones(len(votes.share)) if weights is None else weights
    wins = np.zeros((num_methods, num_methods))
    np.add.at(wins, (votes.first, votes.second), weights * votes.share)
    np.add.at(wins, (votes.second, votes.first), weights * (1.0 - votes.share))
    return wins


def bradley_terry(wins: Array) -> Array:
    """Maximum-likelihood strengths ``(…, M)`` of ``(…, M, M)`` wins: ``P(i over j) = 1 / (1 + exp(s_j - s_i))``,
    mean 0 (Bradley and Terry 1952).

    A hundredth of a win is added each way between all two methods, so that a method that never lost has a large
    strength instead of an infinite one.  Newton's method; a step that would move two methods apart by more than 1 is
    shortened, which makes it rise from any start (Bach, "Self-concordant analysis for logistic regression", 2010).
    """
    num_methods = wins.shape[-1]
    wins = wins + _PSEUDO_WINS * (1.0 - np.eye(num_methods))
    games = wins + np.swapaxes(wins, -1, -2)
    strengths = np.zeros(wins.shape[:-1])
    for _ in range(_STEPS):
        expected = 1.0 / (1.0 + np.exp(strengths[..., None, :] - strengths[..., :, None]))
        slope = (wins - games * expected).sum(-1)
        curvature = -games * expected * (1.0 - expected)
        curvature -= np.eye(num_methods) * curvature.sum(-1, keepdims=True)
        step = np.linalg.solve(curvature + 1.0 / num_methods, slope[..., None])[..., 0]  # 1/M: mean stays 0
        step /= np.maximum(1.0, np.ptp(step, axis=-1, keepdims=True))
        strengths = strengths + step
        if np.abs(step).max() < 1e-9:
            break
    return strengths - strengths.mean(-1, keepdims=True)


def resampled_wins(votes: Votes, num_methods: int, seed: int, resamples: int) -> Array:
    """``(resamples, M, M)`` wins when judges and cases are both drawn again (the pigeonhole bootstrap of Owen 2007): an
    answer counts as often as its judge was drawn, times as often as its case was.
    """
    generator = np.random.default_rng(seed)
    drawn = []
    for _ in range(resamples):
        weights = _times_drawn(votes.judge, generator) * _times_drawn(votes.case, generator)
        drawn.append(count_wins(votes, num_methods, weights))
    return np.stack(drawn)


def _times_drawn(members: NDArray[np.int64], generator: np.random.Generator) -> Array:
    """For each row, how often its member comes up when as many as there are are drawn with replacement."""
    count = int(members.max()) + 1
    return np.bincount(generator.integers(count, size=count), minlength=count)[members].astype(np.float64)


def _strengths(names: Sequence[str], wins: Array, drawn: Array) -> dict[str, dict[str, Any]]:
    strengths = bradley_terry(wins)
    low, high = np.percentile(drawn, [2.5, 97.5], axis=0)
    games = wins + wins.T
    return {
        name: {
            "strength": float(strengths[i]),
            "low": float(low[i]),
            "high": float(high[i]),
            "preferred": float(wins[i].sum() / games[i].sum()) if games[i].sum() else None,
            "comparisons": round(games[i].sum()),
        }
        for i, name in enumerate(names)
    }


def _differences(names: Sequence[str], wins: Array, drawn: Array) -> list[dict[str, Any]]:
    """Each two methods: how often one was preferred, and the difference of their strengths."""
    strengths, rows = bradley_terry(wins), []
    for i, name in enumerate(names):
        for j in range(i + 1, len(names)):
            games = wins[i, j] + wins[j, i]
            low, high = np.percentile(drawn[:, i] - drawn[:, j], [2.5, 97.5])
            rows.append(
                {
                    "methods": [name, names[j]],
                    "wins": [float(wins[i, j]), float(wins[j, i])],
                    "preferred": float(wins[i, j] / games) if games else None,
                    "difference": float(strengths[i] - strengths[j]),
                    "low": float(low),
                    "high": float(high),
                    "better": name if low > 0 else names[j] if high < 0 else None,
                }
            )
    return rows


def judge_shares(votes: Votes, num_methods: int) -> list[Array]:
    """For each method, one number of each judge who compared it: the share of its comparisons in which it won."""
    groups = []
    for method in range(num_methods):
        shares = []
        for judge in np.unique(votes.judge):
            mine = votes.judge == judge
            won = np.append(
                votes.share[mine & (votes.first == method)], 1.0 - votes.share[mine & (votes.second == method)]
            )
            if len(won):
                shares.append(won.mean())
        groups.append(np.array(shares))
    return groups


def kruskal_wallis(groups: Sequence[Array]) -> dict[str, float] | None:
    """Whether the groups have the same distribution (Kruskal and Wallis 1952, with the correction for ties); None when
    a group has fewer than two values or all values are equal.
    """
    if min(map(len, groups)) < 2 or np.ptp(np.concatenate(groups)) == 0:
        return None
    try:
        from scipy.stats import kruskal
    except ImportError as error:
        raise ConfigError("scoring a study needs more packages: pip install 'irodori[benchmark]'") from error
    found = kruskal(*groups)
    return {"h": float(found.statistic), "p": float(found.pvalue), "degrees_of_freedom": len(groups) - 1}


def choice_counts(key: Key, judges: Sequence[Judge]) -> Counts:
    """``(pairs, 3)``: how many judges preferred the first, neither or the second picture of each pair."""
    rows = {name: [0, 0, 0] for name in key.pairs}
    for judge in judges:
        for answer in judge.answers:
            if answer.trial in rows:
                column = (
                    1 if answer.chosen is None else 2 * sorted(key.pairs[answer.trial].pictures).index(answer.chosen)
                )
                rows[answer.trial][column] += 1
    return np.array(list(rows.values()))


def _agreement(key: Key, judges: Sequence[Judge]) -> dict[str, Any]:
    """Which picture of a pair is called the first is arbitrary, so each pair is counted both ways round."""
    counts = choice_counts(key, judges)
    shared, common = counts[counts.sum(1) >= 2], counts[counts.sum(1) == len(judges)]
    return {
        "observed": observed_agreement(shared) if len(shared) else None,
        "krippendorff_alpha": krippendorff_alpha(_both_ways(shared)),
        "pairs": len(shared),
        "fleiss_kappa": fleiss_kappa(_both_ways(common)),
        "common_pairs": len(common) if len(judges) > 1 else 0,
    }


def _both_ways(counts: Counts) -> Counts:
    return np.concatenate([counts, counts[:, ::-1]])


def _habits(answers: Sequence[Answer]) -> dict[str, Any]:
    """How judges chose, whatever was shown: half of the choices should be the left picture."""
    sides = [answer.choice for answer in answers]
    decided = len(sides) - sides.count("tie")
    return {
        "left": sides.count("left") / decided if decided else None,
        "no_difference": sides.count("tie") / len(sides),
        "median_seconds": float(np.median([answer.seconds for answer in answers])),
    }


def _about_judge(key: Key, judge: Judge) -> dict[str, Any]:
    right, shown = judge.checks_passed(key)
    return {
        "judge": judge.id,
        "file": judge.path.name,
        "pairs": len(judge.answers) - shown,
        "checks_right": right,
        "checks": shown,
    }
