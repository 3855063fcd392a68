"""`irodori convert`: published weights to weights of irodori."""

from __future__ import annotations

from pathlib import Path

import click

PATH = click.Path(path_type=Path)


@click.command("convert")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=PATH)
@click.option(
    "--from", "layout", required=True, metavar="LAYOUT",
    help="two-step-gan: TagGAN as its authors publish it (colorization, mapping, tagger).  resnet34: torchvision's.  "
    "colorizediffusion: v1, v1.5 or v2 of its authors.",
)  # fmt: skip
@click.option("-o", "--output", required=True, type=PATH, help="New weight file (.safetensors).")
@click.option(
    "--with", "others", multiple=True, metavar="ROLE=FILE",
    help="A further file; two-step-gan: names=FILE, the tags, one a line, in the order of the tagger's outputs; "
    "colorizediffusion: clip=FILE, OpenCLIP ViT-H/14.",
)  # fmt: skip
@click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE",
    help="What files cannot tell; resnet34: preset=NAME, what is to be trained from it; "
    "colorizediffusion: prediction=v.",
)  # fmt: skip
@click.option("--full", is_flag=True, help="Keep 32-bit numbers; colorizediffusion is stored in 16 bit otherwise.")
def command(
    files: tuple[Path, ...], layout: str, output: Path, others: tuple[str, ...], settings: tuple[str, ...], full: bool
) -> None:
    """Turn published weights into a weight file that --model takes.

    Pickled files are opened here and nowhere else, and only for the tensors in them.
    """
    from irodori.config import parse_assignments
    from irodori.systems.convert import Wish, convert

    wish = Wish(files=files, others=dict(map(_role, others)), settings=parse_assignments(settings), full=full)
    done = convert(layout, wish, output)
    click.echo(f"{click.format_filename(output)}: {done.system}, license: {done.license}")
    click.echo(f"notice: {done.notice}", err=True)


def _role(text: str) -> tuple[str, Path]:
    role, _, path = text.partition("=")
    if not role or not path:
        raise click.UsageError(f"--with {text}: write ROLE=FILE, such as names=tags.txt")
    return role, Path(path)
