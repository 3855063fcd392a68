"""Whatever goes wrong becomes one sentence in JSON, ``{"error": …}``, under the right code."""

from __future__ import annotations

import errno
import logging
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import ValidationError
from starlette.exceptions import HTTPException

from irodori.errors import FormatError, InputError, IrodoriError, SizeError

logger = logging.getLogger(__name__)

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
DISK_FULL = "the server's disk is full: try again later, or ask whoever runs it to make space"
NO_MEMORY = "the picture needs more memory than the server has: send a smaller one, or a smaller image_size"
BROKEN = "something went wrong in the server; its log says what"


class MissingError(InputError):
    """A session, result or reference that is not there, or not any more."""


class BusyError(IrodoriError):
    """More waits than may wait.  seconds: after which another try makes sense."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"the server is busy: try again in {seconds} s")
        self.seconds = seconds


class LateError(IrodoriError):
    """A request that took longer than it may."""


class ClosingError(IrodoriError):
    """The server is being shut down."""


class GoneError(IrodoriError):
    """Whoever asked does not wait for the answer any more."""


CODES: dict[type[Exception], int] = {
    MissingError: 404, SizeError: 413, FormatError: 415, BusyError: 429, GoneError: 499, ClosingError: 503,
    LateError: 504,
}  # fmt: skip


def code_of(error: Exception) -> int:
    """The status code that an error is answered with."""
    if is_full(error):
        return 507
    if is_memory(error):
        return 413
    known = next((code for kind, code in CODES.items() if isinstance(error, kind)), None)
    return known or (400 if isinstance(error, IrodoriError) else 500)


def sentence_of(error: Exception) -> str:
    """What the user is told: nothing of the server's folders."""
    if is_full(error):
        return DISK_FULL
    if is_memory(error):
        return NO_MEMORY
    return str(error) if isinstance(error, IrodoriError) else BROKEN


def is_full(error: BaseException | None) -> bool:
    """Whether a full disk is behind an error."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in FULL:
            return True
        error = error.__cause__ or error.__context__
    return False


def is_memory(error: Exception) -> bool:
    """Whether memory ran out; the libraries share no type for it."""
    text = str(error).lower() if not isinstance(error, IrodoriError) else ""
    return isinstance(error, MemoryError) or "out of memory" in text or "can't allocate" in text


def answer(code: int, sentence: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """The one form of every refusal."""
    return JSONResponse({"error": sentence}, code, headers)


def add_handlers(app: FastAPI) -> None:
    """Lets an application answer every error in this form."""
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(ValidationError, _invalid)
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(IrodoriError, _failed)
    app.add_exception_handler(Exception, _failed)


async def _invalid(request: Request, error: Any) -> JSONResponse:
    return answer(400, first_fault(error.errors()))


async def _refused(request: Request, error: Any) -> JSONResponse:
    detail = str(error.detail)
    known = {
        400: f"the request cannot be used ({detail[:1].lower()}{detail[1:].rstrip('.')}): see /openapi.json",
        404: f"there is nothing at {request.url.path}: see /openapi.json",
        405: f"{request.method} cannot be used at {request.url.path}: see /openapi.json",
    }
    return answer(error.status_code, known.get(error.status_code, detail), error.headers)


async def _failed(request: Request, error: Exception) -> JSONResponse:
    code = code_of(error)
    if code == 500:
        logger.error("%s %s failed", request.method, request.url.path, exc_info=error)
    headers = {"Retry-After": str(error.seconds)} if isinstance(error, BusyError) else None
    return answer(code, sentence_of(error), headers)


def first_fault(faults: Any) -> str:
    """One sentence about the first thing that pydantic found wrong."""
    fault = faults[0]
    place = ".".join(str(part) for part in fault["loc"] if part not in ("body", "query", "path"))
    text = str(fault["msg"]).removeprefix("Value error, ")
    return f"{place or 'the request'} cannot be used ({text[:1].lower()}{text[1:]}): see /openapi.json"
