"""`irodori convert`: weights that others have published, as a weight file of ours."""

from __future__ import annotations

from pathlib import Path

import click

IMPORTERS: dict[str, str] = {
    "colorizediffusion": "irodori.systems.colorizediffusion.convert",
}
"""Name → module with `convert(file, output, more, changes, dtype)`, which writes the file and returns a line about it.

more: further files by role, from --with.  changes: nested values, from --set.  dtype: of the tensors written.
"""

PATH = click.Path(path_type=Path)


@click.command("convert")
@click.argument("file", type=PATH)
@click.option("--from", "importer", required=True, type=click.Choice(list(IMPORTERS)), help="Whose weights they are.")
@click.option("-o", "--output", required=True, type=PATH, help="Weight file to write.")
@click.option(
    "--with", "others", multiple=True, metavar="ROLE=FILE", help="A further file, e.g. clip=FILE; repeatable."
)
@click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help="What files cannot tell: prediction=v.")
@click.option("--full", is_flag=True, help="Write 32-bit instead of 16-bit numbers.")
def command(
    file: Path, importer: str, output: Path, others: tuple[str, ...], assignments: tuple[str, ...], full: bool
) -> None:
    """Convert published weights; every tensor must be known and of the right shape.

    Mind the license of what you convert: it stays that of its authors.
    """
    from importlib import import_module

    import torch

    from irodori.config import parse_assignments

    dtype = torch.float32 if full else torch.float16
    convert = import_module(IMPORTERS[importer]).convert
    click.echo(convert(file, output, _files(others), parse_assignments(assignments), dtype))


def _files(pairs: tuple[str, ...]) -> dict[str, Path]:
    files = {}
    for pair in pairs:
        role, equals, path = pair.partition("=")
        if not equals or not role or not path:
            raise click.UsageError(f"--with {pair}: expected ROLE=FILE, for example clip=open_clip_model.safetensors")
        files[role] = Path(path)
    return files
