"""The addresses of the API.  What they do is in `irodori.web.service`."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import APIRouter, File, Form, Request, Response, UploadFile

from irodori.web.errors import MissingError
from irodori.web.metrics import CONTENT_TYPE, Metrics
from irodori.web.schemas import (
    ColorizeWish,
    HealthAnswer,
    HintWish,
    ModelAnswer,
    ModelWish,
    OriginAnswer,
    PartWish,
    PictureAnswer,
    ReplaceWish,
    ResultAnswer,
    SessionAnswer,
    SwatchAnswer,
    TextsWish,
)
from irodori.web.service import KINDS, Service
from irodori.web.store import Entry, Picture, Session

MIME = {
    "png": "image/png", "webp": "image/webp", "jpeg": "image/jpeg", "json": "application/json",
    "ora": "image/openraster", "psd": "image/vnd.adobe.photoshop",
}  # fmt: skip
KEEP = {"Cache-Control": "private, max-age=86400, immutable"}
"""Of what never changes under its address."""
PICTURE: dict[int | str, dict[str, Any]] = {200: {"content": {"image/png": {}}, "description": "A picture."}}
ERRORS: dict[int | str, dict[str, Any]] = {
    code: {"description": text, "content": {"application/json": {"example": {"error": "one sentence"}}}}
    for code, text in {
        400: "Something that cannot be used.", 401: "No token, or a wrong one.", 404: "No such thing, or not any more.",
        413: "Too many bytes or pixels.", 415: "No picture.", 429: "Busy: see Retry-After.", 504: "Not ready in time.",
        507: "Disk full.",
    }.items()
}  # fmt: skip

Upload = Annotated[UploadFile, File()]
Uploads = Annotated[list[UploadFile], File()]


def make_router(service: Service, metrics: Metrics) -> APIRouter:
    """All addresses below ``/api``, and ``/metrics``."""
    router = APIRouter(responses=ERRORS)
    _add_server(router, service, metrics)
    _add_sessions(router, service)
    _add_inputs(router, service)
    _add_results(router, service)
    return router


def _add_server(router: APIRouter, service: Service, metrics: Metrics) -> None:
    @router.get("/api/health")
    async def health(response: Response) -> HealthAnswer:
        """Whether the server lives and takes work; needs no token."""
        response.status_code = 503 if service.worker.closed else 200
        return HealthAnswer(status="closing" if service.worker.closed else "ok")

    @router.get("/metrics", response_class=Response)
    async def metrics_text() -> Response:
        """Figures for Prometheus."""
        metrics.waiting.set(service.worker.waiting)
        return Response(metrics.text(), media_type=CONTENT_TYPE)

    @router.get("/api/models")
    async def models() -> list[ModelAnswer]:
        """The models to choose from, the usual one first."""
        return list(service.models.known.values())

    @router.post("/api/colorize", response_class=Response, responses=PICTURE)
    async def colorize(
        request: Request,
        sketch: Upload,
        references: Uploads = [],  # noqa: B006 - a declaration, never changed
        parts: Annotated[list[str], Form()] = [],  # noqa: B006
        options: Annotated[str, Form(description="ColorizeWish as JSON")] = "{}",
        model: Annotated[str, Form()] = "",
        format: Annotated[str, Form(description=", ".join(KINDS))] = "png",
    ) -> Response:
        """Colors one sketch, and keeps nothing."""
        wish = ColorizeWish.model_validate_json(options)
        session = service.create(model)
        try:
            await _fill(service, session, sketch, references, parts)
            entry = await service.colorize(session, wish, request.is_disconnected)
            content = await service.file(session, entry.number, format, request.is_disconnected)
        finally:
            service.store.remove(session.id)
        return Response(content, media_type=MIME[format], headers=_notices(entry))


def _add_sessions(router: APIRouter, service: Service) -> None:
    @router.post("/api/sessions", status_code=201)
    async def create(
        sketch: Annotated[UploadFile | None, File()] = None,
        references: Uploads = [],  # noqa: B006
        parts: Annotated[list[str], Form()] = [],  # noqa: B006
        model: Annotated[str, Form()] = "",
    ) -> SessionAnswer:
        """Starts a session: what is encoded once serves all its colorings."""
        session = service.create(model)
        try:
            await _fill(service, session, sketch, references, parts)
        except BaseException:
            service.store.remove(session.id)
            raise
        return describe(session)

    @router.get("/api/sessions/{session}")
    async def show(session: str) -> SessionAnswer:
        """A session as it is."""
        return describe(service.store.get(session))

    @router.delete("/api/sessions/{session}", status_code=204)
    async def remove(session: str) -> None:
        """Ends a session and deletes everything of it."""
        service.store.get(session)
        service.store.remove(session)

    @router.put("/api/sessions/{session}/model")
    async def set_model(session: str, wish: ModelWish) -> SessionAnswer:
        """Another model for what follows."""
        found = service.store.get(session)
        service.set_model(found, wish.model)
        return describe(found)


def _add_inputs(router: APIRouter, service: Service) -> None:
    @router.put("/api/sessions/{session}/sketch")
    async def set_sketch(session: str, sketch: Upload) -> SessionAnswer:
        """Another sketch; hints and masks go with the one before."""
        found = service.store.get(session)
        await service.set_sketch(found, sketch.read)
        return describe(found)

    @router.get("/api/sessions/{session}/sketch.png", response_class=Response, responses=PICTURE)
    async def get_sketch(session: str) -> Response:
        """The sketch, without any metadata."""
        return _picture(service.store.get(session).inputs.sketch)

    @router.post("/api/sessions/{session}/references", status_code=201)
    async def add_reference(session: str, reference: Upload, part: Annotated[str, Form()] = "") -> SessionAnswer:
        """One more reference."""
        found = service.store.get(session)
        await service.add_reference(found, reference.read, part)
        return describe(found)

    @router.get("/api/sessions/{session}/references/{index}.png", response_class=Response, responses=PICTURE)
    async def get_reference(session: str, index: int) -> Response:
        """A reference, without any metadata; they count from 0."""
        return _picture(service.store.get(session).picture(index))

    @router.patch("/api/sessions/{session}/references/{index}")
    async def name_reference(session: str, index: int, wish: PartWish) -> SessionAnswer:
        """The part that a reference is for."""
        found = service.store.get(session)
        service.name_reference(found, index, wish.part)
        return describe(found)

    @router.delete("/api/sessions/{session}/references/{index}")
    async def remove_reference(session: str, index: int) -> SessionAnswer:
        """A reference less."""
        found = service.store.get(session)
        service.remove_reference(found, index)
        return describe(found)

    @router.get("/api/sessions/{session}/references/{index}/tags")
    async def tags(session: str, index: int) -> dict[str, float]:
        """How sure the model is of each of its tags in a reference; none if it knows no tags."""
        return await service.tags(service.store.get(session), index)

    @router.put("/api/sessions/{session}/masks/{of}")
    async def set_mask(session: str, of: str, mask: Upload) -> SessionAnswer:
        """A painted foreground mask of the sketch or of the (first) reference: white, or opaque, is foreground."""
        found = service.store.get(session)
        await service.set_mask(found, of, mask.read)
        return describe(found)

    @router.get("/api/sessions/{session}/masks/{of}.png", response_class=Response, responses=PICTURE)
    async def get_mask(session: str, of: str) -> Response:
        """A mask as it was painted."""
        path = service.mask(service.store.get(session), of)
        return Response(path.read_bytes(), media_type="image/png")

    @router.post("/api/sessions/{session}/heatmap", response_class=Response, responses=PICTURE)
    async def heatmap(session: str, wish: TextsWish) -> Response:
        """Where edits in words would take effect in the first reference."""
        return Response(await service.heatmap(service.store.get(session), wish.text), media_type="image/png")


def _add_results(router: APIRouter, service: Service) -> None:
    @router.post("/api/sessions/{session}/colorize", status_code=201)
    async def colorize(session: str, wish: ColorizeWish, request: Request) -> ResultAnswer:
        """Colors the session's sketch."""
        found = service.store.get(session)
        return describe_result(found, await service.colorize(found, wish, request.is_disconnected))

    @router.get("/api/sessions/{session}/results/{number}.{kind}", response_class=Response, responses=PICTURE)
    async def get_result(session: str, number: int, kind: str, request: Request) -> Response:
        """A result as a file: a picture, layers, or its recipe as JSON."""
        content = await service.file(service.store.get(session), number, kind, request.is_disconnected)
        return Response(content, media_type=MIME[kind], headers=KEEP)

    @router.get("/api/sessions/{session}/results/{number}/thumbnail.png", response_class=Response, responses=PICTURE)
    async def get_thumbnail(session: str, number: int) -> Response:
        """A result in small."""
        path = service.store.get(session).entry(number).thumbnail
        return Response(path.read_bytes(), media_type="image/png", headers=KEEP)

    @router.get("/api/sessions/{session}/results/{number}/origin")
    async def origin(session: str, number: int, x: float, y: float) -> OriginAnswer:
        """Where in the references the color of a place came from."""
        return await service.origin(service.store.get(session), number, x, y)

    @router.get("/api/sessions/{session}/results/{number}/palette")
    async def palette(session: str, number: int) -> list[SwatchAnswer]:
        """The colors of a result, those of most area first."""
        return await service.palette(service.store.get(session), number)

    @router.post("/api/sessions/{session}/results/{number}/replace")
    async def replace(session: str, number: int, wish: ReplaceWish) -> list[HintWish]:
        """The hints that give all regions of one color another one: to be sent with the next coloring."""
        return await service.replace(service.store.get(session), number, wish.color, wish.by)


async def _fill(
    service: Service, session: Session, sketch: UploadFile | None, references: list[UploadFile], parts: list[str]
) -> None:
    """Gives a session its pictures."""
    if sketch is not None:
        await service.set_sketch(session, sketch.read)
    for number, reference in enumerate(references):
        await service.add_reference(session, reference.read, parts[number] if number < len(parts) else "")


def _picture(picture: Picture | None) -> Response:
    if picture is None:
        raise MissingError("there is no sketch yet: send one first")
    return Response(picture.path.read_bytes(), media_type="image/png")


def _notices(entry: Entry) -> dict[str, str]:
    """Sentences about what was done to the sketch, for programs that want a picture alone."""
    return {"X-Irodori-Notices": json.dumps(entry.notices)} if entry.notices else {}


# --- descriptions ----------------------------------------------------------------------------------------------------


def describe(session: Session) -> SessionAnswer:
    """A session for clients."""
    base = f"/api/sessions/{session.id}"
    inputs = session.inputs
    return SessionAnswer(
        id=session.id,
        model=inputs.model,
        sketch=_describe_picture(inputs.sketch, f"{base}/sketch.png") if inputs.sketch else None,
        references=[
            _describe_picture(one, f"{base}/references/{index}.png") for index, one in enumerate(inputs.references)
        ],
        masks=[name for name, _ in inputs.masks],
        results=[describe_result(session, entry) for entry in session.entries.values()],
    )


def _describe_picture(picture: Picture, url: str) -> PictureAnswer:
    height, width = picture.size
    return PictureAnswer(width=width, height=height, sha256=picture.sha256, part=picture.part, url=url)


def describe_result(session: Session, entry: Entry) -> ResultAnswer:
    """A result for clients."""
    base = f"/api/sessions/{session.id}/results/{entry.number}"
    return ResultAnswer(
        number=entry.number,
        url=f"{base}.png",
        files={kind: f"{base}.{kind}" for kind in KINDS},
        seconds=round(entry.seconds, 3),
        notices=list(entry.notices),
        options=entry.wish,
    )
