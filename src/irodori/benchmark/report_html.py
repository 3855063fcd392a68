"""The report as one HTML page that needs nothing but itself: tables, curves, and the pictures side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from irodori.benchmark.cases import Benchmark
from irodori.benchmark.comparison import ALL, Field
from irodori.benchmark.gallery import FULL_HEAT, cards, heat_scale
from irodori.benchmark.plots import color_of, curves
from irodori.benchmark.report_markdown import cases_text, cost_note, cost_texts, number_text
from irodori.benchmark.results import Scored
from irodori.errors import ConfigError

POSITIONS = {"aligned": "strength of the warp", "shift": "step of the reference", "editing": "scale of the edit"}
"""What the position of a case is, by track."""

DESCRIPTIONS = {
    "aligned": "The reference is the answer itself, recolored or ever more warped.",
    "recolor": "The reference shows another figure; the answer is the sketch's figure in its colors, part by part.",
    "variants": "Line art that its artist colored several times; the reference is another figure in one of them.",
    "shift": "One sketch and one answer, while the reference slides from the answer to an unrelated picture.",
    "cross": "Randomly drawn references; there is no exact answer.",
    "editing": "One wish for another color, at growing strength: that part should change, and nothing else.",
}

TOLD = ("split", "seed", "sources", "licenses", "attribution")
"""What `benchmark.json` may say that belongs on the page."""

Cells = Mapping[str, Mapping[str, Any] | None]
"""Estimates by method."""


def as_html(
    report: Mapping[str, Any],
    benchmark: Benchmark,
    scored: Sequence[Scored],
    compared: Sequence[Field],
    megabytes: float,
) -> str:
    """`irodori.benchmark.report.build_report` and the pictures as a page; at most so many megabytes of pictures."""
    shown, left_out = cards(benchmark, scored, compared, int(megabytes * 1e6))
    methods = {method["name"]: (number, method["kind"]) for number, method in enumerate(report["methods"])}
    return (
        _environment()
        .get_template("report.html")
        .render(
            report=report,
            all_conditions=ALL,
            colors={name: color_of(number) for name, (number, _) in methods.items()},
            cards=shown,
            left_out=left_out,
            plots={name: _plots(report, name, track, methods) for name, track in report["tracks"].items()},
            trends={name: _by_title(report, track) for name, track in report["tracks"].items()},
            descriptions=DESCRIPTIONS,
            facts=_facts(report),
            cases=cases_text(report),
            number_text=number_text,
            cost_texts=cost_texts,
            cost_note=cost_note,
            heat_scale=heat_scale(),
            full_heat=FULL_HEAT,
        )
    )


def _environment() -> Any:
    try:
        from jinja2 import Environment, PackageLoader, StrictUndefined
    except ImportError as error:
        raise ConfigError("the report needs jinja2: pip install 'irodori[benchmark]'") from error
    environment = Environment(
        loader=PackageLoader("irodori.benchmark"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    environment.filters["number"] = lambda value, digits: f"{value:.{digits}f}"
    environment.filters |= {"span": span, "column": column, "conditions": conditions}
    return environment


def span(cells: Cells) -> tuple[float, float]:
    """Least and greatest end of the intervals of a column, for the bars below its numbers."""
    ends = [cell[end] for cell in cells.values() if cell for end in ("low", "high")]
    low, high = min(ends, default=0.0), max(ends, default=1.0)
    return (low, high) if high > low else (low - 0.5, low + 0.5)


def column(table: Mapping[str, Cells], figure: str) -> Cells:
    """One figure of all methods."""
    return {method: cells.get(figure) for method, cells in table.items()}


def conditions(tables: Mapping[str, Mapping[str, Cells]], figure: str) -> dict[str, Cells]:
    """One figure by condition and method, of conditions in which it has a value."""
    found = {name: column(table, figure) for name, table in tables.items() if name != ALL}
    return {name: cells for name, cells in found.items() if any(cells.values())}


def _by_title(report: Mapping[str, Any], track: Mapping[str, Any]) -> dict[str, Any]:
    return {report["trends"][name]["title"]: cells for name, cells in track["trends"].items()}


def _facts(report: Mapping[str, Any]) -> dict[str, str]:
    """What the benchmark says about itself, and what the scores were made with."""
    about = report["benchmark"]["about"]
    told = {name.replace("_", " "): _told(about[name]) for name in TOLD if about.get(name)}
    machines = {_told(method["scored"]["machine"]): None for method in report["methods"]}
    versions = {_told(method["scored"]["versions"]): None for method in report["methods"]}
    return {**told, "scored on": "; ".join(machines), "with": "; ".join(versions)}


def _told(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_told(one)}" for name, one in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(_told(one) for one in value)
    return str(value)


def _plots(
    report: Mapping[str, Any], name: str, track: Mapping[str, Any], methods: Mapping[str, tuple[int, str]]
) -> list[str]:
    """The curves of a track, as ``<svg>``."""
    label = POSITIONS.get(name, "position")
    figures = report["figures"]
    return [curves(_titled(figures[figure]), label, lines, methods) for figure, lines in track["curves"].items()]


def _titled(figure: Mapping[str, Any]) -> str:
    unit = f" ({figure['unit']})" if figure["unit"] and figure["unit"] != figure["title"] else ""
    return f"{figure['title']}{unit}"
