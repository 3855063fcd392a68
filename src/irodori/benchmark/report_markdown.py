"""The report as Markdown: tables for a README or a page of documentation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from irodori.benchmark.comparison import ALL

LEGEND = (
    "Brackets: 95 % bootstrap interval over drawings. **Bold**: the paired difference to the first method excludes "
    "zero; ▲ better, ▼ worse than it. A failed case counts the worst value of each figure (part accuracy 0, ΔE2000 "
    "100, …)."
)

SLOPE = "part_delta_e_slope"
"""The trend that answers whether a method depends on where the reference's things are."""


def as_markdown(report: Mapping[str, Any]) -> str:
    """`irodori.benchmark.report.build_report` as Markdown."""
    sections = [
        _head(report),
        _overview(report),
        *(_track(report, name, track) for name, track in report["tracks"].items()),
    ]
    sections += [section for section in (*_costs(report), _failures(report), _made_with(report)) if section]
    return "\n\n".join(sections) + "\n"


def _head(report: Mapping[str, Any]) -> str:
    about = report["benchmark"]
    lines = [
        f"# Benchmark: {about['name']}",
        "",
        f"{cases_text(report)} at {about['image_size']} px, index `{about['index_sha256'][:12]}`. {LEGEND}",
        "",
    ]
    rows = [[method["name"], method["kind"], str(method["cases"]), str(method["failed"]), _origin(method)]
            for method in report["methods"]]  # fmt: skip
    lines += table(["method", "kind", "cases", "failed", "what it is"], rows, left=(0, 1, 4))
    lines += [f"\n- {notice}" for notice in report["notices"]]
    return "\n".join(lines)


def cases_text(report: Mapping[str, Any]) -> str:
    """How many cases were asked, of how many: "343 of 688 cases"."""
    asked, there = max(method["cases"] for method in report["methods"]), report["benchmark"]["cases"]
    return f"{there} cases" if asked == there else f"{asked} of {there} cases"


def _origin(method: Mapping[str, Any]) -> str:
    about = method["about"]
    if "weights_sha256" in about:
        return f"{about['system']}, weights `{about['weights_sha256'][:12]}`, {about['image_size']} px"
    version = f", version {about['gmic']}" if "gmic" in about else ""
    size = f", {about['image_size']} px" if "image_size" in about else ""
    return about.get("method", "pictures from elsewhere") + version + size


def _overview(report: Mapping[str, Any]) -> str:
    """The headline figure of each track, and the slope of the color error as the reference moves away."""
    columns: dict[str, dict[str, str]] = {}
    for name, track in report["tracks"].items():
        figure = report["figures"][track["headline"]]
        if figure["name"] in track["figures"]:
            cells = {method: found[figure["name"]] for method, found in track["tables"][ALL].items()}
            columns[f"{name}: {_title(figure)}"] = _texts(cells, figure["digits"])
        if SLOPE in track["trends"]:
            columns[f"{name}: {_title(report['trends'][SLOPE])}"] = _texts(track["trends"][SLOPE], 2)
    rows = [[method["name"], *(found.get(method["name"], "–") for found in columns.values())]
            for method in report["methods"]]  # fmt: skip
    return "\n".join(["## Overview", "", *table(["method", *columns], rows)])


def _texts(cells: Mapping[str, Mapping[str, Any] | None], digits: int) -> dict[str, str]:
    return {method: cell_text(cell, digits) for method, cell in cells.items()}


def _track(report: Mapping[str, Any], name: str, track: Mapping[str, Any]) -> str:
    figures = report["figures"]
    lines = [f"## {name}", "", f"{track['cases']} cases of {track['drawings']} drawings.", ""]
    titles = [_title(figures[figure]) for figure in track["figures"]]
    rows = [[method, *(cell_text(cells[figure], figures[figure]["digits"]) for figure in track["figures"])]
            for method, cells in track["tables"][ALL].items()]  # fmt: skip
    lines += table(["method", *titles], rows)
    lines += [*_sets(report, track), *_conditions(report, track)]
    if track["parts"]:
        lines += ["", "Part accuracy by part:", "", *_by_row(track["parts"], track["methods"], 2, "part")]
    if track["trends"]:
        titled = {report["trends"][key]["title"]: cells for key, cells in track["trends"].items()}
        lines += ["", "Along the sequences:", "", *_by_row(titled, track["methods"], 3, "trend")]
    if track["without_values"]:
        missing = ", ".join(figures[figure]["title"] for figure in track["without_values"])
        lines += ["", f"Without a value in any case: {missing}."]
    return "\n".join(lines)


def _conditions(report: Mapping[str, Any], track: Mapping[str, Any]) -> list[str]:
    """The track's headline figure by condition, methods across."""
    by_condition = {name: cells for name, cells in track["tables"].items() if name != ALL}
    figure = report["figures"][track["headline"]]
    if not by_condition or track["headline"] not in track["figures"]:
        return []
    rows = {name: {method: cells[method][figure["name"]] for method in cells} for name, cells in by_condition.items()}
    rows = {name: cells for name, cells in rows.items() if any(cells.values())}
    return ["", f"{figure['title'][0].upper()}{figure['title'][1:]} by condition:", "",
            *_by_row(rows, track["methods"], figure["digits"], "condition")]  # fmt: skip


def _sets(report: Mapping[str, Any], track: Mapping[str, Any]) -> list[str]:
    """Figures of all answers together."""
    if not track["sets"]:
        return []
    figures = [report["figures"][name] for name in track["sets"]]
    rows = [[method, *(number_text(track["sets"][figure["name"]].get(method), figure["digits"]) for figure in figures)]
            for method in track["methods"]]  # fmt: skip
    return ["", "All answers against all references:", "", *table(["method", *map(_title, figures)], rows)]


def number_text(value: float | None, digits: int) -> str:
    """A number without an interval."""
    return "–" if value is None else f"{value:.{digits}f}"


def _by_row(rows: Mapping[str, Mapping[str, Any]], methods: Sequence[str], digits: int, first: str) -> list[str]:
    texts = [[name, *(cell_text(cells.get(method), digits) for method in methods)] for name, cells in rows.items()]
    return table([first, *methods], texts)


def _title(figure: Mapping[str, Any]) -> str:
    return f"{figure['title']} {'↑' if figure['better'] == 'higher' else '↓'}"


def cell_text(cell: Mapping[str, Any] | None, digits: int) -> str:
    """An estimate with its interval; bold, with a sign, where it differs from the first method."""
    if cell is None:
        return "–"
    text = f"{cell['mean']:.{digits}f} [{cell['low']:.{digits}f}, {cell['high']:.{digits}f}]"
    verdict = (cell.get("difference") or {}).get("verdict", "same")
    return text if verdict == "same" else f"**{text}** {'▲' if verdict == 'better' else '▼'}"


def _costs(report: Mapping[str, Any]) -> list[str]:
    return [_cost(cost) for cost in report["costs"]]


def _cost(cost: Mapping[str, Any]) -> str:
    head = ["method", "size", "parameters", "GMACs", "peak memory", "network", "coloring", "in batches"]
    rows = [
        [name, f"{size} px", *cost_texts(found["parameters"], at_size)]
        for name, found in cost["methods"].items()
        for size, at_size in found["sizes"].items()
    ]
    return "\n".join(["## cost", "", *table(head, rows, left=(0,)), "", cost_note(cost)])


def cost_texts(parameters: int | None, found: Mapping[str, Any]) -> list[str]:
    """The cells of a row of the cost table."""
    return [
        _scaled(parameters, 1e6, "M", 2),
        _scaled(found["gmacs"], 1, "", 1),
        _scaled(found["peak_memory_bytes"], 2**20, "MiB", 0),
        _scaled(found["network_seconds"], 1e-3, "ms", 0),
        _scaled(found["coloring_seconds"], 1e-3, "ms", 0),
        _scaled(found["images_per_second"], 1, "/s", 1),
    ]


def _scaled(value: float | None, by: float, unit: str, digits: int) -> str:
    return "–" if value is None else f"{value / by:.{digits}f} {unit}".rstrip()


def cost_note(cost: Mapping[str, Any]) -> str:
    """What the columns of the cost table mean, and what they were measured on."""
    machine = cost["machine"]
    return (
        "Network: the networks alone, sketch and reference of that size; coloring: a drawing of that size as a user "
        f"colors it; in batches: pictures a second by the network, {cost['batch']} at once. Memory: PyTorch's tensors "
        f"beyond the weights. Medians, all methods in turn in one run. {machine['processor']}, "
        f"{cost['effective_cores']:.1f} of {machine['cores']} cores effective, {cost['threads']} threads, device "
        f"{cost['device']}."
    )


def _failures(report: Mapping[str, Any]) -> str:
    if not report["failures"]:
        return ""
    rows = [[failure["method"], f"`{failure['case']}`", failure["reason"]] for failure in report["failures"]]
    return "\n".join(["## Failed cases", "", *table(["method", "case", "reason"], rows, left=(0, 1, 2))])


def _made_with(report: Mapping[str, Any]) -> str:
    statistics = report["statistics"]
    return (
        f"Written {report['written']} by irodori {report['irodori']}; bootstrap of {statistics['resamples']} "
        f"resamples, seed {statistics['seed']}; figures from fewer than {statistics['least_items']} drawings are never "
        "called different."
    )


def table(head: Sequence[str], rows: Sequence[Sequence[str]], left: Sequence[int] = (0,)) -> list[str]:
    """A Markdown table; columns are flush right but for those named."""
    rule = [("---" if number in left else "---:") for number in range(len(head))]
    escaped = [[text.replace("|", "\\|").replace("\n", " ") for text in row] for row in (head, rule, *rows)]
    return ["| " + " | ".join(row) + " |" for row in escaped]
