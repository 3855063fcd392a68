"""`irodori benchmark score`: any method, from its pictures alone."""

from __future__ import annotations

from pathlib import Path

import click

PATH = click.Path(path_type=Path)


@click.command()
@click.option("--images", required=True, type=PATH, help="Folder with one picture <case id>.png for each case.")
@click.option("--name", required=True, help="What reports call the method.")
@click.option(
    "-b", "--benchmark", "benchmark_folder", required=True, type=PATH, help="Folder made by 'benchmark build'."
)
@click.option("-o", "--output", required=True, type=PATH, help="Folder of results; the method is added to it.")
@click.option("--tracks", "tracks", metavar="NAME", multiple=True, help="Only this track; repeatable.  [default: all]")
@click.option("--limit", default=0, type=click.IntRange(0), help="Most cases of each condition; 0 = all.")
@click.option(
    "--features", metavar="NAME|FILE", multiple=True,
    help="Network for LPIPS, FID and the like (see 'benchmark features'), or NAME=FILE.  Repeatable.",
)  # fmt: skip
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1), help="Processes.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
def command(
    images: Path,
    name: str,
    benchmark_folder: Path,
    output: Path,
    tracks: tuple[str, ...],
    limit: int,
    features: tuple[str, ...],
    workers: int,
    as_json: bool,
) -> int:
    """Score a method that need not be ours from the pictures that it made for the cases of a benchmark.

    A missing, damaged or wrongly sized picture, and one that answers no case, counts as failed and is named.  'irodori
    benchmark report' then compares it with the other methods of the results.
    """
    import json

    from irodori.benchmark.answers import add_pictures
    from irodori.benchmark.cases import TRACKS, read_benchmark
    from irodori.benchmark.deep import find_feature_file
    from irodori.benchmark.report import build_report
    from irodori.benchmark.report_markdown import as_markdown
    from irodori.benchmark.score import ScoreOptions, score

    unknown = [track for track in tracks if track not in TRACKS]
    if unknown:
        raise click.UsageError(f"unknown track '{unknown[0]}': choose among {', '.join(TRACKS)}")
    options = ScoreOptions(
        tracks=tracks,
        limit=limit,
        workers=workers,
        features=tuple(map(find_feature_file, features)),
        progress=not as_json,
    )
    benchmark = read_benchmark(benchmark_folder)
    scored = score(benchmark, add_pictures(output, name, images), options)
    report = build_report(benchmark, [scored])
    click.echo(json.dumps(report) if as_json else as_markdown(report))
    return 1 if scored.about["failed"] else 0
