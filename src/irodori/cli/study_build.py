"""`irodori study build`: folders of answers to a page for judges."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

PATH = click.Path(path_type=Path)
TRACKS = ("aligned", "recolor", "variants", "shift", "cross")
SPOILED = ("untouched", "gray", "hue", "mosaic")


class MethodType(click.ParamType):
    """``NAME=FOLDER``."""

    name = "name=folder"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, Path]:
        if isinstance(value, tuple):
            return value
        name, _, folder = str(value).partition("=")
        if not name or not folder:
            self.fail(f"{value!r} names no method: write NAME=FOLDER, such as ours=results/ours", param, ctx)
        return name, Path(folder)


@click.command("build")
@click.option(
    "--answers", metavar="NAME=FOLDER", required=True, multiple=True, type=MethodType(),
    help="A method and the folder of its pictures '<case id>.png'; at least two.",
)  # fmt: skip
@click.option("-b", "--benchmark", required=True, type=PATH, help="Folder made by 'irodori benchmark build'.")
@click.option("-o", "--output", required=True, type=PATH, help="New folder for the study.")
@click.option("--pairs", default=100, show_default=True, type=click.IntRange(1), help="At most so many pairs.")
@click.option(
    "--tracks", multiple=True, type=click.Choice(TRACKS), help="Cases of this track; again for more.  [default: all]"
)
@click.option("--question", help="What judges are asked.  [default: which one colors the drawing better]")
@click.option("--notice", default="", help="Words on the first page: who asks, what for, whom to write to.")
@click.option("--ties/--no-ties", default=True, show_default=True, help="Offer 'no difference'.")
@click.option(
    "--parts", default=1, show_default=True, type=click.IntRange(1),
    help="Split the pairs; each judge sees one part, drawn by lot or named as page/index.html#part=1.",
)  # fmt: skip
@click.option(
    "--checks", default=0.1, show_default=True, type=click.FloatRange(0.0, 1.0),
    help="Attention checks, as a share of the pairs; 0 = none.",
)  # fmt: skip
@click.option(
    "--check-with", "spoiled", multiple=True, type=click.Choice(SPOILED), default=("untouched", "gray", "hue"),
    show_default=True, help="What stands against the truth in a check; again for more.  About lines: mosaic.",
)  # fmt: skip
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Of the pairs and their names.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    answers: tuple[tuple[str, Path], ...],
    benchmark: Path,
    output: Path,
    question: str | None,
    as_json: bool,
    **settings: Any,
) -> None:
    """Write a page that shows judges two methods' answers side by side, blind.

    Give OUTPUT/page to the judges, as a folder or on any web server. Keep OUTPUT/study.json: it tells which picture is
    whose.
    """
    import json

    from irodori.benchmark.cases import read_benchmark
    from irodori.benchmark.study.page import StudyOptions, build_study

    methods = dict(answers)
    if len(methods) < len(answers):
        raise click.UsageError("--answers: two methods have the same name; give each its own")
    if question:
        settings["question"] = question
    key = build_study(read_benchmark(benchmark), methods, output, StudyOptions(**settings), progress=not as_json)
    if as_json:
        counts = {"pairs": len(key.pairs), "checks": len(key.checks), "parts": key.parts, "left_out": key.left_out}
        click.echo(json.dumps({"output": str(output), "study": key.id, **counts}, ensure_ascii=False))
        return
    cases = len({pair.case for pair in key.pairs.values()})
    parts = f", in {key.parts} parts" if key.parts > 1 else ""
    click.echo(f"{len(key.pairs)} pairs on {cases} cases and {len(key.checks)} attention checks{parts}")
    click.echo(f"{click.format_filename(output / 'page')}: for the judges; open index.html in a browser")
    click.echo(f"{click.format_filename(output / 'study.json')}: for you alone; it tells which picture is whose")
    _print_left_out(key.left_out)


def _print_left_out(left_out: Mapping[str, Mapping[str, str]]) -> None:
    for name, cases in left_out.items():
        if cases:
            case, why = next(iter(cases.items()))
            text = f"{len(cases)} cases are left out because of {name}, first {case}: {why} (all: study.json)"
            click.echo(f"notice: {text}", err=True)
