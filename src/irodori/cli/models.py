"""`irodori models`: which weights are at hand."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import click


@dataclass(frozen=True)
class Model:
    """One weight file: its name for ``--model``, where it comes from, its size and what its header says."""

    name: str
    origin: str
    system: str
    megabytes: float
    license: str


@click.group("models", invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
@click.pass_context
def command(context: click.Context, as_json: bool) -> None:
    """List shipped models, and those that were downloaded before."""
    if context.invoked_subcommand is None:
        _list(as_json)


@command.command("download")
@click.argument("name", metavar="NAME")
@click.option("--accept-license", is_flag=True, help="Accept the license without being asked.")
@click.option("--revision", default="main", show_default=True, help="Of the hub repository: a branch, tag or commit.")
def download_command(name: str, accept_license: bool, revision: str) -> None:
    """Download a published model, check and convert it: colorizediffusion-v1, -v1.5 or -v2.

    Its authors' license holds for it, and is shown before anything is downloaded.
    """
    from irodori.systems.downloads import Published, download

    def accept(model: Published) -> bool:
        click.echo(f"{model.about}: license {model.license}, {model.license_url}", err=True)
        return accept_license or click.confirm("Do you accept the license?", err=True)

    path = download(name, accept, revision)
    click.echo(f"{click.format_filename(path)}: use it as --model {name}")


def _list(as_json: bool) -> None:
    from irodori.weights import downloaded, shipped

    models = [_describe(name, "shipped", path) for name, path in shipped().items()]
    models += [_describe(name, "converted", path) for name, path in downloaded().items()]
    models += [_describe(name, "cached", path) for name, path in _cached().items()]
    if as_json:
        click.echo(json.dumps([asdict(model) for model in models]))
        return
    for model in models:
        columns = f"{model.name:24} {model.origin:8} {model.system:18} {model.megabytes:7.1f} MB"
        click.echo(f"{columns}  {model.license}")
    if not models:
        click.echo("no models: none shipped, none downloaded", err=True)


def _describe(name: str, origin: str, path: Path) -> Model:
    from irodori.checkpoint import read_header
    from irodori.errors import WeightsError

    size = path.stat().st_size / 1e6
    try:
        header = read_header(path)
    except WeightsError as error:
        return Model(name, origin, f"unusable: {error}", size, "")
    return Model(name, origin, header.system, round(size, 2), str(header.provenance.get("license", "not stated")))


def _cached() -> dict[str, Path]:
    """Weight files in the hub's local cache that have our header, by repository."""
    from huggingface_hub import CacheNotFound, scan_cache_dir

    from irodori.weights import WEIGHTS_FILE

    try:
        repositories = scan_cache_dir().repos
    except (CacheNotFound, OSError):
        return {}
    files = {
        repository.repo_id: file.file_path
        for repository in repositories
        for revision in repository.revisions
        for file in revision.files
        if file.file_name == WEIGHTS_FILE
    }
    return {name: path for name, path in sorted(files.items()) if _is_ours(path)}


def _is_ours(path: Path) -> bool:
    from irodori.checkpoint import FORMAT, read_metadata
    from irodori.errors import WeightsError

    try:
        return read_metadata(path).get("format") == FORMAT
    except WeightsError:
        return False
