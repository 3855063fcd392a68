"""`irodori batch`: a whole project, page after page."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from irodori.projects.run import Engine, ProjectReport
    from irodori.projects.work import Finished


@click.command("batch")
@click.argument("project", metavar="PROJECT", type=click.Path(path_type=Path))
@click.option(
    "--engine",
    type=click.Choice(["local", "ray"]),
    default="local",
    show_default=True,
    help="This process, or a Ray cluster: the one that RAY_ADDRESS names, else one on this machine.",
)
@click.option("--workers", type=click.IntRange(1), help="Of the engine ray.  [default: as many as there is room for]")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
@click.option("--overwrite", is_flag=True, help="Color again what is there already, and replace foreign files.")
@click.option("--offline", is_flag=True, help="Never ask the network for weights.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of lines of text.")
def command(
    project: Path, engine: Engine, workers: int | None, device: str, overwrite: bool, offline: bool, as_json: bool
) -> int:
    """Color the pages and frames of a project, and only what is new or has changed.

    PROJECT is a file as 'irodori project init' writes it, or the folder with it.  A run that was stopped goes on where
    it was when it is started again.
    """
    start = time.perf_counter()
    from irodori.projects.run import RunOptions, run_project

    options = RunOptions(engine=engine, workers=workers or 0, overwrite=overwrite, device=device, offline=offline)
    report = run_project(project, options, _ignore if as_json else _print_finished)
    if as_json:
        click.echo(json.dumps({**report.to_dict(), "seconds": round(time.perf_counter() - start, 3)}))
    _print_rest(report, as_json)
    return 1 if report.failed else 0


def _ignore(finished: Finished) -> None:
    """With --json everything is printed at the end."""


def _print_finished(finished: Finished) -> None:
    if finished.outcome == "done":
        click.echo(f"{finished.output}  {finished.about}")
        for notice in finished.notices:
            click.echo(f"{finished.sketch}: {notice}", err=True)


def _print_rest(report: ProjectReport, as_json: bool) -> None:
    """Sequences, what was skipped, and failures on stderr, last."""
    if not as_json:
        for one in report.sequences:
            after = f", most at {one.frame}" if one.frame else ""
            click.echo(f"{one.video or one.name}  flicker: mean ΔE {one.mean:.2f}, worst region {one.worst:.1f}{after}")
        if skipped := report.of("skipped"):
            click.echo(f"{len(skipped)} already there, skipped (--overwrite colors again)")
    for failure in report.of("failed"):
        known = str(failure.sketch) in failure.about
        click.echo(f"failed: {failure.about if known else f'{failure.sketch}: {failure.about}'}", err=True)
    for problem in report.problems:
        click.echo(f"failed: {problem}", err=True)
