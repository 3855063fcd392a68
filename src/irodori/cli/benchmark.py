"""`irodori benchmark`: build, run, score, report, and the networks that figures need."""

from __future__ import annotations

import click

from irodori.cli.lazy import LazyGroup

COMMANDS: dict[str, tuple[str, str]] = {
    "build": ("irodori.cli.benchmark_build", "Make a benchmark from art whose colors are parameters."),
    "run": ("irodori.cli.benchmark_run", "Let systems and baselines answer every case, and score them."),
    "score": ("irodori.cli.benchmark_score", "Score any method from a folder of its pictures."),
    "report": ("irodori.cli.benchmark_report", "Write scores as JSON, Markdown and one HTML page."),
    "features": ("irodori.cli.benchmark_features", "Get the networks behind LPIPS, FID and CLIP similarity."),
}


@click.group(cls=LazyGroup, table=COMMANDS)
def command() -> None:
    """Measure any method of reference-based colorization on the same cases.

    Example: irodori benchmark run --system irodori-base --system baseline:stretch -b BENCH -o RESULTS
    """
