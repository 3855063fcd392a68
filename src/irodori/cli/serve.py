"""`irodori serve`: the studio and the API."""

from __future__ import annotations

from typing import Any

import click

from irodori.errors import MissingPackageError
from irodori.weights import DEFAULT


@click.command("serve")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; others need a --token.")
@click.option("--port", default=8642, show_default=True, type=click.IntRange(0, 65535), help="0: any that is free.")
@click.option(
    "--model", "models", multiple=True, default=(DEFAULT,), show_default=True,
    help="Shipped name, file, folder or hub repository; again for more.  The first is the usual one.",
)  # fmt: skip
@click.option(
    "--token", default="", envvar="IRODORI_TOKEN", show_envvar=True, help="What every request must carry; 16 and more."
)
@click.option("--name", "names", multiple=True, help="A host name that the server is called by, beside addresses.")
@click.option("--queue", default=16, show_default=True, type=click.IntRange(0, 10000), help="Colorings that may wait.")
@click.option("--timeout", default=60.0, show_default=True, type=click.FloatRange(0.1), help="Seconds for one of them.")
@click.option(
    "--max-pixels", default=24.0, show_default=True, type=click.FloatRange(0.001, 64), help="Millions, of a picture."
)
@click.option(
    "--max-upload", default=64.0, show_default=True, type=click.FloatRange(0.001), help="Megabytes of a request."
)
@click.option(
    "--max-disk", default=4000.0, show_default=True, type=click.FloatRange(1), help="Megabytes of all sessions."
)
@click.option("--sessions", default=200, show_default=True, type=click.IntRange(1), help="Most sessions at a time.")
@click.option("--expire", default=24.0, show_default=True, type=click.FloatRange(0.001), help="Hours a session idles.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
@click.option("--half", is_flag=True, help="Large systems: 16-bit numbers, half the memory.")
@click.option("--offload", is_flag=True, help="Large systems: on the GPU only what works.")
@click.option("--api-only", is_flag=True, help="Without the studio page.")
def command(
    max_pixels: float, max_upload: float, max_disk: float, expire: float, api_only: bool, **settings: Any
) -> None:
    """Open the studio, a page for artists, and an API for programs.

    Works without a network. Nothing is written outside a private temporary folder, which is removed at the end.
    """
    try:
        from irodori.web.serve import serve
        from irodori.web.settings import MEGABYTE, Settings
    except ImportError as error:
        raise MissingPackageError(
            f"the server needs one more package ({error.name}): pip install 'irodori[studio]'"
        ) from error
    settings |= {"max_pixels": int(max_pixels * MEGABYTE), "max_upload": int(max_upload * MEGABYTE)}
    chosen = Settings(**settings, max_disk=int(max_disk * MEGABYTE), idle=expire * 3600)
    serve(chosen, lambda address: click.echo(f"irodori is at {address}  (Ctrl+C ends it)"), studio=not api_only)
