"""`irodori benchmark features`: the networks behind LPIPS, FID and CLIP similarity."""

from __future__ import annotations

from pathlib import Path

import click

FOLDER = click.option(
    "--folder",
    type=click.Path(path_type=Path),
    help="Where weights are kept.  [default: $IRODORI_FEATURES, or the user's cache]",
)


@click.group()
def command() -> None:
    """Get the frozen networks that some figures need; without them these figures are left out.

    Example: irodori benchmark features fetch vgg16 lpips_vgg16
    """


@command.command("list")
@FOLDER
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
def list_command(folder: Path | None, as_json: bool) -> None:
    """List the networks: what each is for, and whether its weights are here."""
    import json

    from irodori.nn.feature_files import SOURCES, find_features

    found = {name: find_features(name, folder) for name in (*SOURCES, "mobilenet_v2")}
    uses = {name: source.used_for for name, source in SOURCES.items()}
    rows = [
        {"name": name, "file": str(path) if path else None, "used_for": uses.get(name, "in place of the others")}
        for name, path in found.items()
    ]
    if as_json:
        click.echo(json.dumps(rows))
        return
    for row in rows:
        click.echo(f"{row['name']:18} {row['file'] or 'missing'}  ({row['used_for']})")


@command.command("fetch")
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@FOLDER
def fetch_command(names: tuple[str, ...], folder: Path | None) -> None:
    """Download weights, check their SHA-256 and keep them as safetensors."""
    from irodori.nn.feature_files import fetch_features

    for name in names:
        click.echo(str(fetch_features(name, folder)))


@command.command("convert")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@FOLDER
def convert_command(files: tuple[Path, ...], folder: Path | None) -> None:
    """Convert published files at hand (vgg16-397923af.pth …), known by their SHA-256, without a connection."""
    from irodori.nn.feature_files import convert_features

    for file in files:
        click.echo(str(convert_features(file, folder)))
