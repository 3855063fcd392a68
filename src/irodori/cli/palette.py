"""`irodori palette`: the colors of pictures, for painting programs and for --snap-palette."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command("palette")
@click.argument("sources", metavar="PICTURE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="Palette file: .gpl, .ase, .aco or .json.  [default: the colors are printed]",
)
@click.option("--most", type=click.IntRange(1), help="Only so many colors of each, the most frequent.")
@click.option("--overwrite", is_flag=True, help="Replace a file that is there already.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of lines of text.")
def command(sources: tuple[Path, ...], output: Path | None, most: int | None, overwrite: bool, as_json: bool) -> int:
    """List the dominant colors of pictures, or write them as a palette file.

    Each color is exactly one that the picture has.  A PICTURE may be a palette file, too, so that this also converts.
    """
    from irodori.color import to_hex
    from irodori.inference.palette_files import collect_colors, write_new_palette

    colors = collect_colors(sources, most)
    if output is not None:
        write_new_palette(output, colors, sources[0].stem, overwrite=overwrite)
    texts = [to_hex(color) for color in colors]
    if as_json:
        click.echo(json.dumps({"colors": texts, "output": str(output) if output else None}))
    else:
        click.echo(f"{output}  {len(colors)} colors" if output else "\n".join(texts))
    return 0
