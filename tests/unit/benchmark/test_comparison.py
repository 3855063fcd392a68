"""Means, differences and trends of methods whose scores are written by hand."""

from pathlib import Path

import pytest

from irodori.benchmark.comparison import ALL, compare_track, fields
from irodori.benchmark.results import Method, Row, Scored


def _row(name, track="recolor", figures=None, parts=(), item="", condition="still", **more):
    fields = {"sequence": "", "position": 0.0, "status": "ok", "reason": "", "key": name, **more}
    return Row(
        id=name, track=track, condition=condition, item=item or name, parts=parts, figures=figures or {}, **fields
    )


def _scored(name, rows, kind="system"):
    method = Method(name=name, kind=kind, images="answers", added="")
    return Scored(Path(name), method, tuple(rows), {})


def _track(*scored, seed=0):
    (field,) = fields(scored)
    return compare_track(field, seed)


def test_a_method_that_is_a_little_better_everywhere_is_better():
    """The spread over cases is a hundred times the difference; only pairing shows it."""
    spread = [float(value) for value in range(10)]
    first = _scored("first", [_row(f"c{n}", figures={"psnr": 20 + value}) for n, value in enumerate(spread)])
    second = _scored("second", [_row(f"c{n}", figures={"psnr": 20.1 + value}) for n, value in enumerate(spread)])
    noisy = _scored(
        "noisy", [_row(f"c{n}", figures={"psnr": 20 + value + (-1) ** n}) for n, value in enumerate(spread)]
    )
    table = _track(first, second, noisy)["tables"][ALL]
    assert "difference" not in table["first"]["psnr"]
    assert table["second"]["psnr"]["difference"]["mean"] == pytest.approx(0.1)
    assert table["second"]["psnr"]["difference"]["verdict"] == "better"
    assert table["noisy"]["psnr"]["difference"]["verdict"] == "same"
    assert table["first"]["psnr"]["low"] < 24 < table["first"]["psnr"]["high"]


def test_lower_is_better_for_differences_of_color():
    rows = {shift: [_row(f"c{n}", figures={"delta_e": n + shift}) for n in range(8)] for shift in (0.0, 1.0)}
    table = _track(_scored("a", rows[0.0]), _scored("b", rows[1.0]))["tables"][ALL]
    assert table["b"]["delta_e"]["difference"]["verdict"] == "worse"


def test_cases_of_one_drawing_are_one_item():
    """Eight cases of two drawings: nothing is called different, however clear it looks."""
    rows = {
        shift: [_row(f"c{n}", figures={"psnr": n + shift}, item=f"d{n % 2}") for n in range(8)] for shift in (0.0, 9.0)
    }
    cell = _track(_scored("a", rows[0.0]), _scored("b", rows[9.0]))["tables"][ALL]["b"]["psnr"]
    assert cell["items"] == 2
    assert cell["difference"]["verdict"] == "same"


def test_parts_are_counted_one_by_one():
    """Accuracy is the share of all parts: three of four, not the mean of 1 and 1/2."""
    first = _row(
        "a", parts=((1, 1, 2.0), (2, 1, 4.0), (4, 0, 30.0)), figures={"part_accuracy": 2 / 3, "part_delta_e": 12.0}
    )
    second = _row("b", parts=((1, 1, 4.0),), figures={"part_accuracy": 1.0, "part_delta_e": 4.0})
    track = _track(_scored("m", [first, second]))
    assert track["tables"][ALL]["m"]["part_accuracy"]["mean"] == 0.75
    assert track["tables"][ALL]["m"]["part_delta_e"]["mean"] == 10.0
    assert {name: cells["m"]["mean"] for name, cells in track["parts"].items()} == {
        "skin": 1.0,
        "hair": 1.0,
        "eyes": 0.0,
    }


def test_conditions_and_figures_without_values():
    rows = [
        _row(f"{c}{n}", condition=c, figures={"psnr": float(len(c)), "sc_psnr": None})
        for c in ("still", "moved!")
        for n in (1, 2)
    ]
    track = _track(_scored("m", rows))
    assert {name: cells["m"]["psnr"]["mean"] for name, cells in track["tables"].items()} == {
        ALL: 5.5,
        "still": 5,
        "moved!": 6,
    }
    assert track["without_values"] == ["sc_psnr"]
    assert track["figures"] == ["psnr"]


def test_only_common_cases_count():
    first = _scored(
        "first", [_row(name, figures={"psnr": value}) for name, value in (("a", 1.0), ("b", 3.0), ("c", 80.0))]
    )
    second = _scored("second", [_row(name, figures={"psnr": value}) for name, value in (("b", 5.0), ("a", 3.0))])
    track = _track(first, second)
    assert track["cases"] == 2
    assert track["tables"][ALL]["first"]["psnr"]["mean"] == 2
    assert track["tables"][ALL]["second"]["psnr"]["difference"]["mean"] == 2


def test_a_value_that_one_method_lacks_is_no_pair():
    values = {"first": (10.0, 20.0, None), "second": (None, 21.0, 90.0)}
    scored = [_scored(name, [_row(case, figures={"sc_psnr": value}) for case, value in zip("abc", found, strict=True)])
              for name, found in values.items()]  # fmt: skip
    cell = _track(*scored)["tables"][ALL]["second"]["sc_psnr"]
    assert (cell["mean"], cell["without_value"], cell["difference"]["mean"]) == (55.5, 1, 1)


def test_a_method_without_a_track_does_not_empty_it():
    rows = [_row("a", figures={"psnr": 1.0})]
    crossed = [_row("x", track="cross", figures={"line_f": 1.0})]
    found = fields([_scored("both", rows + crossed), _scored("ceiling", rows)])
    assert [(field.track, list(field.methods)) for field in found] == [
        ("recolor", ["both", "ceiling"]),
        ("cross", ["both"]),
    ]


def test_slopes_and_curves_of_sequences():
    def rows(slope):
        return [
            _row(f"s{n}-{step}", track="shift", figures={"psnr": 30 + n - slope * step}, item=f"d{n}", sequence=f"s{n}",
                 position=float(step), condition=f"step {step}")
            for n in range(7) for step in range(4)
        ]  # fmt: skip

    track = _track(_scored("steady", rows(0)), _scored("falling", rows(2)))
    slopes = track["trends"]["psnr_slope"]
    assert slopes["steady"]["mean"] == pytest.approx(0)
    assert slopes["falling"]["mean"] == pytest.approx(-2)
    assert slopes["falling"]["items"] == 7
    assert slopes["falling"]["difference"]["verdict"] == "worse"
    curve = track["curves"]["psnr"]["falling"]
    assert [point[0] for point in curve] == [0, 1, 2, 3]
    assert [point[1] for point in curve] == pytest.approx([33, 31, 29, 27])


def test_steps_with_other_parts_do_not_count_along_a_sequence():
    """The last step tells the background alone, which is easy: it says nothing about the parts before it."""

    def row(n, step, value, parts):
        return _row(f"s{n}-{step}", track="shift", figures={"psnr": value, "line_f": value / 100}, parts=parts,
                    item=f"d{n}", sequence=f"s{n}", position=float(step))  # fmt: skip

    both, one = ((0, 1, 1.0), (1, 1, 1.0)), ((0, 1, 0.0),)
    rows = [row(n, step, value, one if step == 3 else both)
            for n in range(3) for step, value in enumerate((30.0, 29.0, 28.0, 60.0))]  # fmt: skip
    track = _track(_scored("m", rows))
    assert track["trends"]["psnr_slope"]["m"]["mean"] == pytest.approx(-1)
    assert track["trends"]["line_f_slope"]["m"]["mean"] > 0.05
    assert [point[0] for point in track["curves"]["psnr"]["m"]] == [0, 1, 2]
    assert [point[0] for point in track["curves"]["line_f"]["m"]] == [0, 1, 2, 3]


def test_monotony_of_edits():
    def rows(values):
        return [
            _row(f"e{n}-{scale}", track="editing", figures={"edit_progress": value}, sequence=f"e{n}", position=scale,
                 item=f"d{n}")
            for n in range(3) for scale, value in zip((0.0, 0.5, 1.0), values, strict=True)
        ]  # fmt: skip

    trends = _track(_scored("growing", rows((0, 0.4, 1))), _scored("deaf", rows((0, 0, 0))))["trends"]["edit_monotony"]
    assert trends["growing"]["mean"] == pytest.approx(1)
    assert trends["deaf"]["mean"] == 0


def test_failed_cases_are_counted_by_track():
    rows = [_row("a", figures={"psnr": 0.0}, status="failed", reason="missing"), _row("b", figures={"psnr": 30.0})]
    track = _track(_scored("m", rows))
    assert track["failed"] == {"m": 1}
    assert track["tables"][ALL]["m"]["psnr"]["mean"] == 15
