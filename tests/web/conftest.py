"""A server in this process, with two tiny models and small pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from browsing import launched
from irodori.inference.colorizer import Colorizer
from irodori.systems import build_system, preset
from irodori.web.app import Server, create_server
from irodori.web.settings import Settings
from servers import colors, drawing


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """Folders of two models: one that takes all kinds of guidance of GANs, and one that takes none."""
    folders = []
    for name in ("irodori", "scft"):
        folder = tmp_path_factory.mktemp("models") / f"tiny-{name}"
        Colorizer(build_system(name, preset(f"{name}/tiny").system), device="cpu").save_pretrained(folder)
        folders.append(str(folder))
    return tuple(folders)


@pytest.fixture(scope="package")
def browser() -> Iterator[Any]:
    """A browser for all pages."""
    with launched() as browser:
        yield browser


@pytest.fixture(scope="package")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Art of ours, and a file that is none."""
    folder = tmp_path_factory.mktemp("art")
    drawing(160, 120).save(folder / "sketch.png")
    colors(1, 96, 96).save(folder / "first.png")
    colors(2, 96, 96).save(folder / "second.png")
    (folder / "broken.png").write_bytes(b"no picture")
    return folder


Start = Callable[..., tuple[TestClient, Server]]


@pytest.fixture
def start(models: tuple[str, ...], tmp_path: Path) -> Iterator[Start]:
    """Starts servers with other settings: a client, and the server to look into."""
    started: list[Any] = []

    def run(base: str = "http://127.0.0.1:8642", **changes: Any) -> tuple[TestClient, Server]:
        folder = tmp_path / f"server-{len(started)}"
        folder.mkdir()
        server = create_server(Settings(**{"models": models, "device": "cpu", **changes}), folder)
        client = TestClient(server.app, base_url=base, raise_server_exceptions=False)
        client.__enter__()
        started.append(client)
        return client, server

    yield run
    for client in started:
        client.__exit__(None, None, None)


@pytest.fixture
def client(start: Start) -> TestClient:
    """A client of a server with the usual settings."""
    return start()[0]
