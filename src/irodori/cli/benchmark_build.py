"""`irodori benchmark build`: art whose colors are parameters to a benchmark."""

from __future__ import annotations

import json
from pathlib import Path

import click

from irodori.benchmark.cases import TRACKS


@click.command()
@click.argument("more_sources", nargs=-1, metavar="[FOLDER]...", type=click.Path(path_type=Path))
@click.option(
    "--sources", "sources", multiple=True, required=True, metavar="FOLDER...", type=click.Path(path_type=Path),
    help="Packs, folders of pictures, or data sets made by 'irodori prepare'.",
)  # fmt: skip
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="New folder for the benchmark.")
@click.option(
    "--edition", default="full", show_default=True, type=click.Choice(["full", "mini"]),
    help="mini: few cases of permissively licensed art, small enough for a repository.",
)  # fmt: skip
@click.option("--size", default=256, show_default=True, type=click.IntRange(32, 2048), help="Side of the pictures.")
@click.option("--count", default=0, type=click.IntRange(0), help="Cases of each condition.  [default: 100; mini: 8]")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Of the pairing.")
@click.option("--tracks", multiple=True, type=click.Choice(TRACKS), help="May be given again.  [default: all]")
@click.option("--permissive", is_flag=True, help="Only art whose license allows commercially usable weights.")
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1), help="Processes.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    sources: tuple[Path, ...],
    more_sources: tuple[Path, ...],
    output: Path,
    edition: str,
    size: int,
    count: int,
    seed: int,
    tracks: tuple[str, ...],
    permissive: bool,
    workers: int,
    as_json: bool,
) -> None:
    """Make a benchmark from the held-out drawings of art whose colors are parameters.

    The same sources, seed and counts give the same bytes on every machine.

    Example: irodori benchmark build --sources dicebear openmoji peppercarrot -o BENCH
    """
    from irodori.benchmark.build import BuildOptions, build

    options = BuildOptions(
        edition=edition, image_size=size, count=count, seed=seed, permissive_only=permissive,  # type: ignore[arg-type]
        tracks=tracks or TRACKS,  # type: ignore[arg-type]
    )  # fmt: skip
    report = build([*sources, *more_sources], output, options, workers, progress=not as_json)
    if as_json:
        click.echo(json.dumps({"output": str(output), "counts": report.counts, "empty": report.empty}))
        return
    total = sum(sum(conditions.values()) for conditions in report.counts.values())
    parts = ", ".join(f"{track} {sum(conditions.values())}" for track, conditions in report.counts.items())
    click.echo(f"{click.format_filename(output)}: {total} cases ({parts})")
    for track in report.empty:
        click.echo(f"notice: the sources hold no art for the track {track}", err=True)
