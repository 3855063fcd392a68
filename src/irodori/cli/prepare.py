"""`irodori prepare`: sources of drawings to a data set."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command()
@click.argument("sources", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="New folder for the data set.")
@click.option(
    "--size", default=256, show_default=True, type=click.IntRange(32, 2048), help="Side of the stored squares."
)
@click.option(
    "--kind", default="auto", show_default=True, help="What the sources are.",
    type=click.Choice(["auto", "pack", "folder", "paired", "side-by-side", "celebamask"]),
)  # fmt: skip
@click.option(
    "--sketch-side", default="right", show_default=True, type=click.Choice(["left", "right"]),
    help="Where the sketch is in side-by-side files.",
)  # fmt: skip
@click.option("--remove-background", is_flag=True, help="Paper where a source's masks show background.")
@click.option("--permissive", is_flag=True, help="Only items whose license allows commercially usable weights.")
@click.option("--limit", default=0, type=click.IntRange(0), help="Most items of each source; 0 = all.")
@click.option(
    "--split", "splits", multiple=True, type=click.Choice(["train", "val", "test"]),
    help="Keep only this split; may be given again.  [default: all]",
)  # fmt: skip
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1), help="Processes.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    sources: tuple[Path, ...],
    output: Path,
    size: int,
    kind: str,
    sketch_side: str,
    remove_background: bool,
    permissive: bool,
    limit: int,
    splits: tuple[str, ...],
    workers: int,
    as_json: bool,
) -> None:
    """Build a checked data set with sketches, colors, palettes, parts and splits from SOURCES."""
    from irodori.data.index import SPLITS
    from irodori.data.prepare import PrepareOptions, prepare

    options = PrepareOptions(
        image_size=size, kind=kind, sketch_side=sketch_side, remove_background=remove_background,  # type: ignore[arg-type]
        permissive_only=permissive, limit=limit, splits=splits or SPLITS,  # type: ignore[arg-type]
    )  # fmt: skip
    report = prepare(sources, output, options, workers, progress=not as_json)
    if as_json:
        about = {"items": report.items, "rejected": report.rejected, "notices": report.notices}
        click.echo(json.dumps({"output": str(output), **about}))
        return
    rejected = f"{len(report.rejected)} rejected (listed in dataset.json)"
    click.echo(f"{click.format_filename(output)}: {report.items} drawings, {rejected}")
    for notice in report.notices:
        click.echo(f"notice: {notice}", err=True)
