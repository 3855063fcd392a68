"""`irodori tags`: what a model sees in a picture, in words."""

from __future__ import annotations

import json
from pathlib import Path

import click

from irodori.weights import DEFAULT


@click.command("tags")
@click.argument("picture", metavar="[REF]", required=False, type=click.Path(path_type=Path))
@click.option("--model", default=DEFAULT, show_default=True, help="Shipped name, file, folder or hub repository.")
@click.option("--least", default=0.1, show_default=True, type=click.FloatRange(0, 1), help="Least value to print.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
@click.option("--offline", is_flag=True, help="Never ask the network for weights.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object with all tags.")
def command(picture: Path | None, model: str, least: float, device: str, offline: bool, as_json: bool) -> None:
    """List the tags that a model sees in REF, the surest first; without REF, all that it knows.

    These names are what --tag of 'irodori colorize' and 'irodori edit' takes.
    """
    from irodori.data.vocabulary import group_of
    from irodori.errors import InputError
    from irodori.inference.colorizer import Colorizer

    colorizer = Colorizer.from_pretrained(model, device=device, offline=offline)
    if picture is not None:
        values = colorizer.read_tags(picture)
        found = {tag: value for tag, value in sorted(values.items(), key=lambda one: -one[1]) if value >= least}
    elif colorizer.tags:
        values = found = dict.fromkeys(colorizer.tags, 0.0)
    else:
        raise InputError(f"the model {colorizer.name} knows no tags: use the model irodori-base")
    if as_json:
        click.echo(json.dumps({"model": colorizer.name, "tags": {tag: round(v, 4) for tag, v in values.items()}}))
        return
    groups: dict[str, list[str]] = {}
    for tag, value in found.items():
        groups.setdefault(group_of(tag) or "other", []).append(tag if picture is None else f"{tag} {value:.2f}")
    for group, entries in groups.items():
        click.echo(f"{group:14}{'  '.join(entries)}")
    if not found:
        click.echo(f"nothing is surer than {least:g}: try a lower --least", err=True)
