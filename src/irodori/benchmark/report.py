"""The report on several methods: `report.json` for machines, `report.md` for READMEs, `report.html` for the eye."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from irodori.benchmark.cases import Benchmark, read_benchmark
from irodori.benchmark.comparison import Field, compare_track, fields
from irodori.benchmark.cost_track import read_cost
from irodori.benchmark.figures import TRENDS, in_order
from irodori.benchmark.report_html import as_html
from irodori.benchmark.report_markdown import as_markdown
from irodori.benchmark.results import Scored, find_scored, make_folder
from irodori.benchmark.score import identity
from irodori.benchmark.statistics import LEAST_ITEMS, RESAMPLES
from irodori.errors import DataError, InputError
from irodori.image_io import write_whole

FORMAT = 1
MAX_FAILURES = 1000
"""So many failed cases are listed; all are counted."""


@dataclass(frozen=True)
class ReportFiles:
    """Where the report is."""

    json: Path
    markdown: Path
    html: Path


def write_report(
    benchmark: Benchmark,
    scored: Sequence[Scored],
    output: Path,
    notices: Sequence[str] = (),
    seed: int = 0,
    megabytes: float = 15.0,
) -> ReportFiles:
    """Compares methods, the first against all others, and writes the three files into a folder.

    seed: of the bootstrap.  megabytes: most that the page's pictures take.
    """
    report, compared = build_report(benchmark, scored, notices, seed), fields(scored)
    files = ReportFiles(*(output / f"report.{suffix}" for suffix in ("json", "md", "html")))
    page = as_html(report, benchmark, scored, compared, megabytes)
    make_folder(output)
    write_whole(files.json, (json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode())
    write_whole(files.markdown, as_markdown(report).encode())
    write_whole(files.html, page.encode())
    return files


def benchmark_of(scored: Sequence[Scored]) -> Benchmark:
    """The benchmark that the first method was scored on; DataError when it is no longer there."""
    one = scored[0]
    folder = one.folder / one.about["benchmark"]["folder"]
    try:
        return read_benchmark(folder)
    except DataError as error:
        raise DataError(
            f"{one.folder}: its benchmark is no longer there ({error}); name it with --benchmark"
        ) from error


def choose_scored(results: Sequence[Path], methods: Sequence[str] = ()) -> list[Scored]:
    """The methods of some folders of results; named ones in that order, else systems, foreign pictures, baselines.

    Raises InputError for a name that is not there or there twice.
    """
    found = [one for folder in results for one in find_scored(folder)]
    names = [one.method.name for one in found]
    for name in methods or names:
        if names.count(name) != 1:
            there = f"there {names.count(name)} times" if name in names else "not there"
            raise InputError(f"the method '{name}' is {there}: the results hold {', '.join(sorted(set(names)))}")
    if methods:
        return [found[names.index(name)] for name in methods]
    order = ("system", "images", "baseline")
    return sorted(found, key=lambda one: order.index(one.method.kind))


def build_report(
    benchmark: Benchmark, scored: Sequence[Scored], notices: Sequence[str] = (), seed: int = 0
) -> dict[str, Any]:
    """All of the report as plain data; DataError when a method was scored on another benchmark."""
    _check_same(benchmark, scored)
    compared = fields(scored)
    tracks: dict[str, Any] = {
        field.track: {**compare_track(field, seed), "sets": _sets(field, scored)} for field in compared
    }
    return {
        "format": FORMAT,
        "irodori": version("irodori"),
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
        "benchmark": {**identity(benchmark), "about": benchmark.about},
        "statistics": {"seed": seed, "resamples": RESAMPLES, "level": 0.95, "least_items": LEAST_ITEMS},
        "methods": [_method(one) for one in scored],
        "figures": _figures(tracks),
        "trends": {trend.name: asdict(trend) for trend in TRENDS if trend.track in tracks},
        "tracks": tracks,
        "costs": _costs(scored),
        "failures": _failures(scored)[:MAX_FAILURES],
        "notices": [*notices, *_coverage(scored, compared)],
    }


def _figures(tracks: Mapping[str, Any]) -> dict[str, Any]:
    """What is told of each figure that occurs, in the order of the columns."""
    names = {name for track in tracks.values()
             for name in (*track["figures"], *track["without_values"], *track["curves"], *track["sets"])}  # fmt: skip
    names |= {trend.figure for trend in TRENDS if trend.track in tracks}
    return {figure.name: asdict(figure) for figure in in_order(names)}


def _sets(field: Field, scored: Sequence[Scored]) -> dict[str, dict[str, float | None]]:
    """Figures of all answers together, by figure and method; None for a method that was also scored on other cases."""
    found: dict[str, dict[str, float | None]] = {}
    for one in scored:
        about = one.about["sets"].get(field.track)
        if about is None or one.method.name not in field.methods:
            continue
        is_same = sum(row.track == field.track for row in one.rows) == len(field.rows)
        for name, value in about["figures"].items():
            found.setdefault(name, {})[one.method.name] = value if is_same else None
    return {name: values for name, values in found.items() if any(value is not None for value in values.values())}


def _costs(scored: Sequence[Scored]) -> list[dict[str, Any]]:
    """What the methods need, one entry for each run that measured it; times of different runs are not comparable."""
    folders = dict.fromkeys(one.folder.parent for one in scored)
    names = [one.method.name for one in scored]
    found = [cost for cost in map(read_cost, folders) if cost is not None]
    return [{**cost, "methods": {name: cost["methods"][name] for name in names if name in cost["methods"]}}
            for cost in found]  # fmt: skip


def _check_same(benchmark: Benchmark, scored: Sequence[Scored]) -> None:
    wanted = identity(benchmark)["index_sha256"]
    for one in scored:
        if one.about["benchmark"]["index_sha256"] != wanted:
            raise DataError(
                f"{one.folder}: scored on another benchmark ({one.about['benchmark']['name']}); score it on "
                f"{benchmark.root} first"
            )


def _method(scored: Scored) -> dict[str, Any]:
    about = scored.about
    return {
        "name": scored.method.name,
        "kind": scored.method.kind,
        "about": scored.method.about,
        "cases": about["cases"],
        "failed": about["failed"],
        "declined": len(scored.method.declined),
        "scored": {name: about[name] for name in ("features", "machine", "versions", "seconds", "tracks", "limit")},
    }


def _failures(scored: Sequence[Scored]) -> list[dict[str, str]]:
    found = []
    for one in scored:
        found += [{"method": one.method.name, "case": row.id, "reason": row.reason}
                  for row in one.rows if row.status == "failed"]  # fmt: skip
        found += [{"method": one.method.name, "case": name, "reason": "extra: no case has this name"}
                  for name in one.about["extra"]]  # fmt: skip
    return found


def _coverage(scored: Sequence[Scored], compared: Sequence[Field]) -> list[str]:
    """A sentence for each track in which cases are left out because not all methods were scored on them."""
    found = []
    for field in compared:
        counts = {one.method.name: sum(row.track == field.track for row in one.rows) for one in scored}
        more = [
            f"{counts[name] - len(field.rows)} of {name}" for name in field.methods if counts[name] > len(field.rows)
        ]
        if more:
            found.append(
                f"{field.track}: only the {len(field.rows)} cases count that all methods were scored on; "
                f"left out are {', '.join(more)}"
            )
    return found
