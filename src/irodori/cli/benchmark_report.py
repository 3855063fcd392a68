"""`irodori benchmark report`: scores of one or several results to one report."""

from __future__ import annotations

from pathlib import Path

import click

PATH = click.Path(path_type=Path)


@click.command()
@click.argument("results", metavar="RESULTS...", nargs=-1, required=True, type=PATH)
@click.option(
    "-b", "--benchmark", "benchmark_folder", type=PATH,
    help="The benchmark, if it was moved.  [default: where it was when the first method was scored]",
)  # fmt: skip
@click.option("-o", "--output", type=PATH, help="Folder for the report.  [default: the first of the results]")
@click.option(
    "--method", "methods", metavar="NAME", multiple=True,
    help="Only this method; repeatable, the first is what the others are compared to.  [default: all]",
)  # fmt: skip
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Of the bootstrap.")
@click.option(
    "--megabytes", default=15.0, show_default=True, type=click.FloatRange(0), help="Most for the page's pictures."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a line of text.")
def command(
    results: tuple[Path, ...],
    benchmark_folder: Path | None,
    output: Path | None,
    methods: tuple[str, ...],
    seed: int,
    megabytes: float,
    as_json: bool,
) -> None:
    """Compare methods that were scored, perhaps at different times: report.json, report.md and report.html."""
    import json

    from irodori.benchmark.cases import read_benchmark
    from irodori.benchmark.report import benchmark_of, choose_scored, write_report

    scored = choose_scored(results, methods)
    benchmark = read_benchmark(benchmark_folder) if benchmark_folder else benchmark_of(scored)
    files = write_report(benchmark, scored, output or results[0], seed=seed, megabytes=megabytes)
    if as_json:
        click.echo(json.dumps({name: str(path) for name, path in vars(files).items()}))
        return
    for path in vars(files).values():
        click.echo(str(path))
