"""Several methods on the cases that all of them were scored on, as plain data: means, intervals, differences.

Everything is compared to the first method, pair by pair; items of the bootstrap are drawings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from irodori.benchmark.cases import TRACKS, Track
from irodori.benchmark.figures import CURVES, HEADLINES, OF_PARTS, TRENDS, Better, Figure, Trend, figure_named, in_order
from irodori.benchmark.recolor import REPORTED_PARTS
from irodori.benchmark.results import Row, Scored
from irodori.benchmark.statistics import Estimate, ratio_interval
from irodori.data.index import PART_NAMES
from irodori.metrics.shift import monotony, slope

Rows = Mapping[str, Row]
"""The rows of one method on one track, by case id."""
Value = tuple[float, float]
"""A sum and how many numbers it is the sum of."""

ALL = "all"
"""As a condition: all of the track."""


@dataclass(frozen=True)
class Field:
    """The methods that were scored on a track, on the same cases, the first method first."""

    track: Track
    methods: Mapping[str, Rows]

    @property
    def first(self) -> str:
        """The method that the others are compared to."""
        return next(iter(self.methods))

    @property
    def rows(self) -> Rows:
        """Of the first method: what all methods share is read from these."""
        return self.methods[self.first]

    def where(self, wanted: Callable[[Row], bool]) -> Field:
        """The same with the cases that are wanted."""
        ids = {name for name, row in self.rows.items() if wanted(row)}
        kept = {
            method: {name: row for name, row in rows.items() if name in ids} for method, rows in self.methods.items()
        }
        return Field(self.track, kept)

    def fit_for(self, figure: str) -> Field:
        """The cases whose figure can be compared along a sequence: of parts, those with the parts of the first step."""
        if figure not in OF_PARTS:
            return self
        first: dict[str, frozenset[int]] = {}
        for row in sorted(self.rows.values(), key=lambda row: row.position):
            first.setdefault(row.sequence, _part_numbers(row))
        return self.where(lambda row: not row.sequence or _part_numbers(row) == first[row.sequence])


def _part_numbers(row: Row) -> frozenset[int]:
    return frozenset(number for number, _, _ in row.parts)


def fields(scored: Sequence[Scored]) -> list[Field]:
    """One for each track that has cases, on the cases that all methods of the track have in common."""
    found = []
    for track in TRACKS:
        by_method = {one.method.name: {row.id: row for row in one.rows if row.track == track} for one in scored}
        by_method = {name: rows for name, rows in by_method.items() if rows}
        if not by_method:
            continue
        common = set.intersection(*(set(rows) for rows in by_method.values()))
        ordered = [name for name in next(iter(by_method.values())) if name in common]
        if ordered:
            found.append(Field(track, {m: {name: rows[name] for name in ordered} for m, rows in by_method.items()}))
    return found


def compare_track(field: Field, seed: int) -> dict[str, Any]:
    """All that is reported of a track, ready for JSON."""
    names = {name for row in field.rows.values() for name in row.figures}
    figures = [figure for figure in in_order(names) if figure.is_column]
    known = [f for f in figures if any(row.figures.get(f.name) is not None for row in _all_rows(field))]
    conditions = list(dict.fromkeys(row.condition for row in field.rows.values()))
    parts = {condition: field.where(lambda row, c=condition: row.condition == c) for condition in conditions}  # type: ignore[misc]
    tables = {ALL: _table(field, known, seed)}
    if len(conditions) > 1:
        tables |= {condition: _table(part, known, seed) for condition, part in parts.items()}
    return {
        "cases": len(field.rows),
        "drawings": len({row.item for row in field.rows.values()}),
        "methods": list(field.methods),
        "failed": {m: sum(row.status == "failed" for row in rows.values()) for m, rows in field.methods.items()},
        "headline": HEADLINES[field.track],
        "figures": [figure.name for figure in known],
        "without_values": [figure.name for figure in figures if figure not in known],
        "tables": tables,
        "parts": _parts(field, seed) if any(figure.name == "part_accuracy" for figure in known) else {},
        "trends": _trends(field, seed),
        "curves": _curves(field, seed),
    }


def _all_rows(field: Field) -> Iterable[Row]:
    return (row for rows in field.methods.values() for row in rows.values())


def _table(field: Field, figures: Sequence[Figure], seed: int) -> dict[str, Any]:
    return {
        method: {figure.name: _cell(field, method, _reader(figure), figure.better, seed) for figure in figures}
        for method in field.methods
    }


def _cell(field: Field, method: str, read: Callable[[Row], Value], better: Better, seed: int) -> dict[str, Any] | None:
    """A method's estimate and its difference to the first method; None without any value."""
    values = {name: read(row) for name, row in field.methods[method].items()}
    found = _estimate(field, values, seed)
    if found is None:
        return None
    cell: dict[str, Any] = {**asdict(found), "without_value": sum(not weight for _, weight in values.values())}
    if method != field.first:
        cell["difference"] = _difference(field, values, {n: read(row) for n, row in field.rows.items()}, better, seed)
    return cell


def _difference(
    field: Field, values: Mapping[str, Value], others: Mapping[str, Value], better: Better, seed: int
) -> dict[str, Any] | None:
    """Paired, on the cases where both have a value; verdict: "better" or "worse" if the interval excludes zero."""
    paired = {
        name: (total - other, weight)
        for (name, (total, weight)), (other, other_weight) in zip(values.items(), others.values(), strict=True)
        if weight and other_weight
    }
    found = _estimate(field, paired, seed)
    if found is None:
        return None
    verdict = "same"
    if found.excludes_zero:
        verdict = "better" if (found.mean > 0) == (better == "higher") else "worse"
    return {**asdict(found), "verdict": verdict}


def _estimate(field: Field, values: Mapping[str, Value], seed: int) -> Estimate | None:
    """Values of cases, by id, to the mean over all and its interval, drawing by drawing."""
    sums: dict[str, list[float]] = {}
    for name, (total, weight) in values.items():
        item = sums.setdefault(field.rows[name].item, [0.0, 0.0])
        item[0] += total
        item[1] += weight
    both = np.array(list(sums.values()), np.float64).reshape(-1, 2)
    return ratio_interval(both[:, 0], both[:, 1], seed)


def _reader(figure: Figure) -> Callable[[Row], Value]:
    """How to read a figure from a row; figures of parts are means over all parts, not over pictures."""
    if figure.name == "part_accuracy":
        return lambda row: (float(sum(accurate for _, accurate, _ in row.parts)), float(len(row.parts)))
    if figure.name == "part_delta_e":
        return lambda row: (sum(mean for _, _, mean in row.parts), float(len(row.parts)))
    return lambda row: _single(row.figures.get(figure.name))


def _single(value: float | None) -> Value:
    return (0.0, 0.0) if value is None else (value, 1.0)


# --- parts, trends and curves ----------------------------------------------------------------------------------------


def _parts(field: Field, seed: int) -> dict[str, Any]:
    """Accuracy by part name, of parts that are common enough to say something about."""
    found = {}
    for name in REPORTED_PARTS:
        number = PART_NAMES.index(name)

        def read(row: Row, number: int = number) -> Value:
            accurate = [accurate for part, accurate, _ in row.parts if part == number]
            return float(sum(accurate)), float(len(accurate))

        if any(read(row)[1] for row in field.rows.values()):
            found[name] = {method: _cell(field, method, read, "higher", seed) for method in field.methods}
    return found


def _trends(field: Field, seed: int) -> dict[str, Any]:
    found = {}
    for trend in TRENDS:
        if trend.track == field.track:
            fit = field.fit_for(trend.figure)
            values = {method: _sequence_values(rows, trend) for method, rows in fit.methods.items()}
            sequences = _sequence_field(field, values)
            if sequences.rows:
                found[trend.name] = {
                    method: _cell(sequences, method, lambda row: _single(row.figures["trend"]), trend.better, seed)
                    for method in field.methods
                }
    return found


def _sequence_values(rows: Rows, trend: Trend) -> dict[str, float]:
    """The trend of each sequence that has values at two positions at least."""
    points: dict[str, list[tuple[float, float]]] = {}
    for row in rows.values():
        value = row.figures.get(trend.figure)
        if row.sequence and value is not None:
            points.setdefault(row.sequence, []).append((row.position, value))
    measure = slope if trend.kind == "slope" else monotony
    return {
        name: measure(*zip(*found, strict=True)) for name, found in points.items() if len({x for x, _ in found}) > 1
    }


def _sequence_field(field: Field, values: Mapping[str, Mapping[str, float]]) -> Field:
    """Sequences as if they were cases, each with its trend as its only figure."""
    shown = {
        row.sequence: row for row in field.rows.values() if any(row.sequence in found for found in values.values())
    }

    def rows(method: str) -> dict[str, Row]:
        return {name: replace(row, figures={"trend": values[method].get(name)}) for name, row in shown.items()}

    return Field(field.track, {method: rows(method) for method in field.methods})


def _curves(field: Field, seed: int) -> dict[str, Any]:
    """For each figure and method ``[position, mean, low, high]`` at every position, where there are several."""
    positions = sorted({row.position for row in field.rows.values()})
    names = CURVES.get(field.track, ())
    if len(positions) < 2:
        return {}
    found: dict[str, Any] = {}
    for name in names:
        read, fit = _reader(figure_named(name)), field.fit_for(name)
        for method in field.methods:
            points = []
            for position in positions:
                part = fit.where(lambda row, p=position: row.position == p)  # type: ignore[misc]
                estimate = _estimate(part, {n: read(row) for n, row in part.methods[method].items()}, seed)
                if estimate is not None:
                    points.append([position, estimate.mean, estimate.low, estimate.high])
            if len(points) > 1:
                found.setdefault(name, {})[method] = points
    return found
