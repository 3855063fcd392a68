"""Results as Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from irodori.benchmark.recolor import REPORTED_PARTS


def markdown(report: Mapping[str, Mapping[str, Any]]) -> str:
    """``report[model][condition]`` (of `irodori.benchmark.recolor.summarize`) as a table."""
    head = "| model | reference | part accuracy | ΔE2000 | " + " | ".join(REPORTED_PARTS) + " |"
    lines = [head, "| --- | --- | ---: | ---: |" + " ---: |" * len(REPORTED_PARTS)]
    for model, conditions in report.items():
        for condition, result in conditions.items():
            cells = [model, condition, _interval(result["part_accuracy"], 2), _interval(result["delta_e"], 1)]
            parts = [result["parts"].get(name) for name in REPORTED_PARTS]
            cells += [f"{part['accuracy']:.2f} / {part['delta_e']:.1f}" if part else "–" for part in parts]
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", "Part columns: part accuracy / mean ΔE2000; brackets: 95 % bootstrap interval."])


def _interval(value: Mapping[str, float], digits: int) -> str:
    return f"{value['mean']:.{digits}f} [{value['low']:.{digits}f}, {value['high']:.{digits}f}]"
