"""How a server is set up, and what it refuses to be set up as."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from irodori.errors import InputError
from irodori.weights import DEFAULT

PORT = 8642
MIN_TOKEN = 16
MEGABYTE = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What `irodori serve` is told.

    models: names, files or folders of models beside those at hand; the first is the one that is used if none is named.
    token: what every request must carry; may be empty on a loopback address alone.
    names: host names by which the server may be called, beside its addresses.
    queue: colorings that may wait; more are refused (429).  timeout: seconds that a request may take (504).
    max_pixels: of a picture.  max_upload: bytes of a request.  max_disk: bytes that all sessions may take together.
    sessions: at most so many.  warm: sessions whose encodings are kept in memory.  idle: seconds until one expires.
    """

    host: str = "127.0.0.1"
    port: int = PORT
    models: tuple[str, ...] = (DEFAULT,)
    token: str = ""
    names: tuple[str, ...] = ()
    device: str = "auto"
    half: bool = False
    offload: bool = False
    queue: int = 16
    timeout: float = 60.0
    max_pixels: int = 24 * MEGABYTE
    max_upload: int = 64 * MEGABYTE
    max_disk: int = 4000 * MEGABYTE
    sessions: int = 200
    warm: int = 8
    idle: float = 24 * 3600.0

    def __post_init__(self) -> None:
        if self.token and len(self.token) < MIN_TOKEN:
            raise InputError(f"the token is too short to be safe: take at least {MIN_TOKEN} characters")
        if not (self.token.isascii() and self.token.isprintable()) or " " in self.token:
            raise InputError("the token cannot be sent in a header: take letters, digits and signs without spaces")
        if not self.token and not is_loopback(self.host):
            raise InputError(
                f"on {self.host} others could use this server: give a --token of at least {MIN_TOKEN} characters, or "
                "leave --host out to be reached from this machine alone"
            )
        if not self.models:
            raise InputError("a server needs a model: give one with --model")


def is_loopback(host: str) -> bool:
    """Whether only programs on the same machine reach an address."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
