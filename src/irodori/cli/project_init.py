"""`irodori project init`: a new project file."""

from __future__ import annotations

from pathlib import Path

import click

PATH = click.Path(path_type=Path)


@click.command()
@click.argument("folder", metavar="[FOLDER]", type=PATH, default=Path())
@click.option(
    "--reference",
    "references",
    metavar="NAME=FILE",
    multiple=True,
    help="A character and a picture of it; repeatable.  [default: one for each picture in FOLDER/references]",
)
@click.option("--pages", multiple=True, type=PATH, help="Drawing or folder of them; again.  [default: FOLDER/pages]")
@click.option(
    "--frames", multiple=True, type=PATH, help="Folder of drawings that follow one another, or a video; again."
)
def command(folder: Path, references: tuple[str, ...], pages: tuple[Path, ...], frames: tuple[Path, ...]) -> int:
    """Write irodori.toml into FOLDER, for its drawings and characters."""
    from irodori.projects.project import new_project, parse_characters

    path = new_project(folder, parse_characters(references), pages, frames)
    click.echo(f"{path}  edit it, then: irodori batch {path}")
    return 0
