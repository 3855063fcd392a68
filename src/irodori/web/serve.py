"""Runs a server until it is told to stop."""

from __future__ import annotations

import os
import signal
import socket
import tempfile
from collections.abc import Callable
from types import FrameType
from urllib.parse import quote

import uvicorn

from irodori.errors import InputError
from irodori.web.app import Server, create_server
from irodori.web.folder import PrivateFolder
from irodori.web.settings import Settings

GRACE = 30
"""Seconds that running requests get at the end."""


class _Uvicorn(uvicorn.Server):
    """Refuses new work from the moment on that it is told to stop."""

    def __init__(self, config: uvicorn.Config, server: Server) -> None:
        super().__init__(config)
        self.irodori = server

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.irodori.service.worker.refuse()
        # Not uvicorn's own handler, which raises the signal again at the end, before the folder is removed.
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True


def serve(settings: Settings, announce: Callable[[str], None], *, studio: bool = True) -> None:
    """Serves until SIGINT or SIGTERM; announce: is told the address when the server listens.

    Raises InputError for an address that cannot be had, WeightsError for models that are not there.
    """
    listening = _listen(settings)
    folder = PrivateFolder()
    before, tempfile.tempdir = tempfile.tempdir, str(folder.path)  # uploads in transit are spooled there, too
    os.environ["NICEGUI_STORAGE_PATH"] = str(folder.path / "nicegui")
    try:
        server = create_server(settings, folder.path, studio=studio)
        announce(address(settings, listening.getsockname()[1]))
        config = uvicorn.Config(
            server.app, log_level="warning", access_log=False, server_header=False, lifespan="on",
            timeout_graceful_shutdown=GRACE, timeout_keep_alive=15, proxy_headers=False,
        )  # fmt: skip
        _Uvicorn(config, server).run(sockets=[listening])
    finally:
        listening.close()
        tempfile.tempdir = before
        folder.remove()


def address(settings: Settings, port: int) -> str:
    """What to open in a browser."""
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(settings.host, settings.host)
    host = f"[{host}]" if ":" in host and not host.startswith("[") else host
    return f"http://{host}:{port}/" + (f"?token={quote(settings.token, safe='')}" if settings.token else "")


def _listen(settings: Settings) -> socket.socket:
    """A socket on the address; port 0: one that is free."""
    host = settings.host.strip("[]")
    try:
        family, kind, protocol, _, target = socket.getaddrinfo(host, settings.port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind, protocol)
        if os.name == "posix":
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(target)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(
            f"the server cannot listen on {settings.host}:{settings.port} ({reason}): choose another --port or --host"
        ) from error
    listening.listen(128)  # from now on connections wait instead of being refused
    return listening
