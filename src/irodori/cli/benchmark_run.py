"""`irodori benchmark run`: methods answer the benchmark, and are scored."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from irodori.inference.finish import LineMode

PATH = click.Path(path_type=Path)


@click.command()
@click.option(
    "--system", "systems", metavar="NAME", multiple=True,
    help="Shipped name, weight file, folder or hub repository; LABEL=NAME to name it; baseline:NAME.  Repeatable; the "
    "first is what the others are compared to.",
)  # fmt: skip
@click.option(
    "-b", "--benchmark", "benchmark_folder", required=True, type=PATH, help="Folder made by 'benchmark build'."
)
@click.option("-o", "--output", required=True, type=PATH, help="Folder for answers, scores and the report.")
@click.option("--baselines/--no-baselines", default=True, show_default=True, help="Also all simple methods.")
@click.option("--tracks", "tracks", metavar="NAME", multiple=True, help="Only this track; repeatable.  [default: all]")
@click.option("--limit", default=0, type=click.IntRange(0), help="Most cases of each condition; 0 = all.")
@click.option(
    "--features", metavar="NAME|FILE", multiple=True,
    help="Network for LPIPS, FID and the like (see 'benchmark features'), or NAME=FILE.  Repeatable.",
)  # fmt: skip
@click.option(
    "--lines", type=click.Choice(["keep", "model", "none"]), default="keep", show_default=True,
    help="What systems give: the artist's lines on their colors, what the network drew, or bare colors.",
)  # fmt: skip
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1), help="Processes that score.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Added to the seed of each case.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
@click.option("--offline", is_flag=True, help="Never ask the network for weights.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of lines of text.")
def command(
    systems: tuple[str, ...],
    benchmark_folder: Path,
    output: Path,
    baselines: bool,
    tracks: tuple[str, ...],
    limit: int,
    features: tuple[str, ...],
    lines: LineMode,
    workers: int,
    seed: int,
    device: str,
    offline: bool,
    as_json: bool,
) -> int:
    """Let systems and baselines color every case, score the pictures, and write the report.

    A run that was stopped goes on where it was when it is started again.
    """
    import json

    from irodori.benchmark.cases import read_benchmark
    from irodori.benchmark.deep import find_feature_file
    from irodori.benchmark.run import ALL_TRACKS, RunOptions, run

    unknown = [track for track in tracks if track not in ALL_TRACKS]
    if unknown:
        raise click.UsageError(f"unknown track '{unknown[0]}': choose among {', '.join(ALL_TRACKS)}")
    if not systems and not baselines:
        raise click.UsageError("there is nothing to run: give --system, or --baselines")
    options = RunOptions(
        baselines=baselines,
        tracks=tracks,
        limit=limit,
        workers=workers,
        seed=seed,
        device=device,
        offline=offline,
        lines=lines,
        features=tuple(map(find_feature_file, features)),
        progress=not as_json,
    )
    report = run(read_benchmark(benchmark_folder), output, systems, options)
    failed = {one.method.name: one.about["failed"] for one in report.scored}
    if as_json:
        files = {"json": str(report.files.json), "markdown": str(report.files.markdown), "html": str(report.files.html)}
        click.echo(json.dumps({"report": files, "failed": failed, "notices": report.notices}))
    else:
        for notice in report.notices:
            click.echo(f"notice: {notice}", err=True)
        for name, count in failed.items():
            if count:
                click.echo(f"failed: {count} cases of {name}, listed in {report.files.html}", err=True)
        click.echo(str(report.files.html))
    return 1 if any(failed.values()) else 0
