"""Results as Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from irodori.benchmark.recolor import REPORTED_PARTS

_LEGEND = (
    "Part columns: part accuracy / mean ΔE2000; brackets: 95 % bootstrap interval over images; difference: paired, in "
    "part accuracy, to the first model, bold when the interval excludes zero."
)


def markdown(report: Mapping[str, Mapping[str, Any]]) -> str:
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
