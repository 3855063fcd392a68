"""Results as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from irodori.benchmark.recolor import REPORTED_PARTS

_LEGEND = (
    "Part columns: part accuracy / mean ΔE2000; brackets: 95 % bootstrap interval over images; difference: paired, in "
    "part accuracy, to the first model, bold when the interval excludes zero."
)


def overview(report: Mapping[str, Mapping[str, Any]]) -> str:
    """``report[model][condition]`` (of `irodori.benchmark.recolor.summarize`) as a table: models across, part accuracy.

    The last rows are means over all conditions: ΔE2000, and part accuracy of eyes.
    """
    lines = ["| reference | " + " | ".join(report) + " |", "| --- |" + " ---: |" * len(report)]
    conditions = list(next(iter(report.values())))
    for condition in conditions:
        cells = [_interval(report[model][condition]["part_accuracy"], 2) for model in report]
        lines.append(f"| {condition} | " + " | ".join(cells) + " |")
    for name, digits, pick in (("mean ΔE2000", 1, _mean_delta_e), ("eyes", 2, _eyes)):
        cells = [_mean([pick(report[model][condition]) for condition in conditions], digits) for model in report]
        lines.append(f"| *{name}, all rows* | " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", "Part accuracy; brackets: 95 % bootstrap interval over images."])


def _mean_delta_e(result: Mapping[str, Any]) -> float | None:
    return result["delta_e"]["mean"]


def _eyes(result: Mapping[str, Any]) -> float | None:
    eyes = result["parts"].get("eyes")
    return eyes["accuracy"] if eyes else None


def _mean(values: Sequence[float | None], digits: int) -> str:
    known = [value for value in values if value is not None]
    return f"{sum(known) / len(known):.{digits}f}" if known else "–"


def detailed(report: Mapping[str, Mapping[str, Any]]) -> str:
    """``report[model][condition]`` (of `irodori.benchmark.recolor.summarize` and `compare`) as a table."""
    columns = ("reference", "model", "part accuracy", "difference", "ΔE2000", *REPORTED_PARTS)
    lines = ["| " + " | ".join(columns) + " |", "| --- | --- |" + " ---: |" * (len(columns) - 2)]
    for condition in next(iter(report.values())):
        for model, conditions in report.items():
            lines.append("| " + " | ".join([condition, model, *_cells(conditions[condition])]) + " |")
    return "\n".join([*lines, "", _LEGEND])


def _cells(result: Mapping[str, Any]) -> list[str]:
    against = result.get("against_first")
    parts = [result["parts"].get(name) for name in REPORTED_PARTS]
    return [
        _interval(result["part_accuracy"], 2),
        _difference(against["part_accuracy"]) if against else "",
        _interval(result["delta_e"], 1),
        *(f"{part['accuracy']:.2f} / {part['delta_e']:.1f}" if part else "–" for part in parts),
    ]


def _interval(value: Mapping[str, float], digits: int) -> str:
    return f"{value['mean']:.{digits}f} [{value['low']:.{digits}f}, {value['high']:.{digits}f}]"


def _difference(value: Mapping[str, float]) -> str:
    text = f"{value['mean']:+.2f} [{value['low']:+.2f}, {value['high']:+.2f}]"
    return f"**{text}**" if value["low"] > 0 or value["high"] < 0 else text
