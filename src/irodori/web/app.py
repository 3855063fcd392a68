"""The application: models, sessions, worker and addresses, put together."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio.to_thread
from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

import irodori
from irodori.web.api import make_router
from irodori.web.errors import add_handlers
from irodori.web.guard import Guard
from irodori.web.metrics import CountRequests, Metrics
from irodori.web.models import Models
from irodori.web.service import Service
from irodori.web.settings import Settings
from irodori.web.store import Store
from irodori.web.worker import Worker


@dataclass(frozen=True)
class Server:
    """app: what uvicorn runs, guarded.  inner: its addresses.  service: what they do."""

    app: ASGIApp
    inner: FastAPI
    service: Service


def create_server(settings: Settings, folder: Path, *, studio: bool = False) -> Server:
    """Everything but the network.  folder: private and empty.  studio: also the page, once in a process.

    Raises WeightsError for models that are not there.
    """
    metrics = Metrics()
    service = Service(settings, Models(settings), Store(folder, settings, metrics), Worker(settings.queue, metrics))
    app = FastAPI(
        title="irodori", version=irodori.__version__, docs_url=None, redoc_url=None, lifespan=_lifespan(service),
        description="Color line art from reference pictures.",
    )  # fmt: skip
    add_handlers(app)
    app.include_router(make_router(service, metrics))
    app.add_api_route("/api/{path:path}", _nothing, methods=["GET", "POST", "PUT", "DELETE"], include_in_schema=False)
    if studio:
        from irodori.web.studio.page import add_studio

        add_studio(app, service)
    return Server(CountRequests(Guard(app, settings), metrics), app, service)


async def _nothing(path: str) -> None:
    raise HTTPException(404)


def _lifespan(service: Service):  # type: ignore[no-untyped-def]
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        await anyio.to_thread.run_sync(service.worker.close)

    return lifespan
