"""`irodori convert`: published weights to weights of irodori."""

from __future__ import annotations

from pathlib import Path

import click

PATH = click.Path(path_type=Path)


@click.command("convert")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=PATH)
@click.option(
    "--from", "layout", required=True, type=click.Choice(["two-step-gan", "resnet34"]),
    help="two-step-gan: TagGAN as its authors publish it (colorization, mapping, tagger).  resnet34: torchvision's.",
)  # fmt: skip
@click.option("-o", "--output", required=True, type=PATH, help="New weight file (.safetensors).")
@click.option("--names", type=PATH, help="Names of the tags, one a line, in the order of the tagger's outputs.")
@click.option("--preset", default="taggan/paper-384-tagger", show_default=True, help="Of resnet34: what to start.")
def command(files: tuple[Path, ...], layout: str, output: Path, names: Path | None, preset: str) -> None:
    """Turn published weights into a weight file that --model takes.

    Pickled files are opened here and nowhere else, and only for the tensors in them.
    """
    from irodori.systems.convert import Wish, convert

    done = convert(layout, Wish(files=files, names=names, preset=preset), output)
    click.echo(f"{click.format_filename(output)}: {done.system}, license: {done.license}")
    click.echo(f"notice: {done.notice}", err=True)
