"""`irodori project check`: what a project file would color."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("project", metavar="PROJECT", type=click.Path(path_type=Path))
def command(project: Path) -> int:
    """Read PROJECT and say what it would color after what; nothing is colored."""
    from irodori.projects.run import plan_project

    for one in plan_project(project):
        for job in one.jobs:
            sources = ", ".join(path.name for path in job.references) or "no reference"
            click.echo(f"{job.sketch} -> {job.output}  after {sources}")
    return 0
