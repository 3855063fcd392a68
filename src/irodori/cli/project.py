"""`irodori project`: project files, which 'irodori batch' runs."""

from __future__ import annotations

import click

from irodori.cli.lazy import LazyGroup

COMMANDS: dict[str, tuple[str, str]] = {
    "init": ("irodori.cli.project_init", "Write a new project file."),
    "check": ("irodori.cli.project_check", "Read a project file and say what it would color."),
}


@click.group(cls=LazyGroup, table=COMMANDS)
def command() -> None:
    """Write and check project files, for many pages with the same characters.

    Example: irodori project init, then irodori batch irodori.toml
    """
