"""`irodori study`: build, score."""

from __future__ import annotations

import click

from irodori.cli.lazy import LazyGroup

COMMANDS: dict[str, tuple[str, str]] = {
    "build": ("irodori.cli.study_build", "Make a page on which people choose between two colorings, blind."),
    "score": ("irodori.cli.study_score", "Rank the methods by the answers that people gave."),
}


@click.group(cls=LazyGroup, table=COMMANDS)
def command() -> None:
    """Let people choose between the answers of two methods, and rank the methods by their choices.

    Example: irodori study build --answers ours=OURS --answers theirs=THEIRS -b BENCH -o STUDY
    """
