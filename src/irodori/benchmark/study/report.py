"""The figures of a study as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_LEGEND = (
    "Strength: Bradley–Terry, maximum likelihood, mean 0; a method is preferred to another with probability "
    "1 / (1 + exp(its strength − the other's)). “No difference” is half a win for each. Brackets: 95 % intervals, "
    "bootstrap over judges and cases. Bold: the interval of the difference of strengths excludes zero."
)


def markdown(found: Mapping[str, Any]) -> str:
    """What `irodori.benchmark.study.scoring.score_study` found."""
    names = sorted(found["methods"], key=lambda name: -found["methods"][name]["strength"])
    sections = [
        f"# {found['question']}",
        _counts(found),
        _strengths(found, names),
        _matrix(found, names),
        _LEGEND,
        "\n".join(f"- {line}" for line in [_test(found["kruskal_wallis"]), *_agreement(found), _habits(found)]),
        "\n".join(f"- {line}" for line in _cautions(found)),
    ]
    return "\n\n".join(section for section in sections if section)


def _counts(found: Mapping[str, Any]) -> str:
    judges = "1 judge" if len(found["judges"]) == 1 else f"{len(found['judges'])} judges"
    return f"{judges}, {found['answers']} answers to pairs; {len(found['excluded']) or 'none'} excluded."


def _strengths(found: Mapping[str, Any], names: Sequence[str]) -> str:
    lines = ["| method | strength | preferred | comparisons |", "| --- | ---: | ---: | ---: |"]
    for name in names:
        method = found["methods"][name]
        strength = f"{method['strength']:+.2f} [{method['low']:+.2f}, {method['high']:+.2f}]"
        lines.append(f"| {_cell(name)} | {strength} | {_percent(method['preferred'])} | {method['comparisons']} |")
    return "\n".join(lines)


def _matrix(found: Mapping[str, Any], names: Sequence[str]) -> str:
    cells = {}
    for pair in found["pairs"]:
        one, other = pair["methods"]
        count = round(sum(pair["wins"]))
        for row, column, share in ((one, other, pair["preferred"]), (other, one, _rest(pair["preferred"]))):
            text = f"{_percent(share)} ({count})"
            cells[row, column] = f"**{text}**" if pair["better"] else text
    lines = ["| preferred to | " + " | ".join(map(_cell, names)) + " |", "| --- |" + " ---: |" * len(names)]
    for row in names:
        lines.append(f"| {_cell(row)} | " + " | ".join(cells.get((row, column), "") for column in names) + " |")
    return "\n".join(lines)


def _rest(share: float | None) -> float | None:
    return None if share is None else 1.0 - share


def _test(test: Mapping[str, float] | None) -> str:
    if test is None:
        return "Kruskal–Wallis: needs two judges for each method, and a difference"
    p = "p < 0.001" if test["p"] < 0.001 else f"p = {test['p']:.3f}"
    return (
        f"Kruskal–Wallis, each judge's share of wins by method: H({test['degrees_of_freedom']}) = {test['h']:.2f}, {p}"
    )


def _agreement(found: Mapping[str, Any]) -> list[str]:
    agreement = found["agreement"]
    if not agreement["pairs"]:
        return ["Agreement: no pair was answered by two judges"]
    alpha, kappa = (_number(agreement[name]) for name in ("krippendorff_alpha", "fleiss_kappa"))
    return [
        f"Agreement: two judges of a pair chose the same in {_percent(agreement['observed'])}; Krippendorff's alpha "
        f"{alpha} ({agreement['pairs']} pairs of two judges or more)",
        f"Fleiss' kappa {kappa} ({agreement['common_pairs']} pairs that all judges answered)",
    ]


def _habits(found: Mapping[str, Any]) -> str:
    habits = found["habits"]
    return (
        f"The left picture was chosen in {_percent(habits['left'])} of the decisions, “no difference” in "
        f"{_percent(habits['no_difference'])} of the answers; median time {habits['median_seconds']:.1f} s"
    )


def _cautions(found: Mapping[str, Any]) -> list[str]:
    """What a reader has to know before believing the figures."""
    lines = [
        f"Excluded: judge {judge['judge'][:8]} ({judge['file']}) answered {judge['checks_right']} of {judge['checks']} "
        f"attention checks right, {found['pass_rate']:.0%} are needed"
        for judge in found["excluded"]
    ]
    unchecked = [judge["judge"][:8] for judge in found["judges"] if not judge["checks"]]
    if unchecked:
        lines.append(f"Not checked, because they answered no attention check: {', '.join(unchecked)}")
    if len(found["judges"]) == 1:
        lines.append("One judge: the intervals speak of the cases, not of other people")
    for name, method in found["methods"].items():
        if method["preferred"] in (0.0, 1.0):
            never = "lost" if method["preferred"] else "won"
            lines.append(f"{name} never {never}: its strength and interval have no true end on that side")
    for pair in found["pairs"]:
        if pair["preferred"] is None:
            lines.append(f"{' and '.join(pair['methods'])} were never compared")
    return lines


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.0f} %"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
