"""What stands before the application: who may ask, from where, and how much may be sent."""

from __future__ import annotations

import hmac
import ipaddress
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from irodori.web.errors import answer
from irodori.web.settings import MEGABYTE, Settings

COOKIE = "irodori-token"
OPEN_PATHS = {"/api/health"}
"""What can be asked without a token: it tells nothing but that the server lives."""
SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
HEADERS = {
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"x-frame-options": b"DENY",
    b"cross-origin-resource-policy": b"same-origin",
    b"content-security-policy": (
        b"default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
        b"img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' ws: wss:; frame-ancestors 'none'; "
        b"base-uri 'self'; form-action 'self'; object-src 'none'"
    ),
}
"""Vue compiles templates in the browser, hence the two unsafe words; nothing is loaded from anywhere else."""


class Guard:
    """Checks every request and WebSocket before anything of it is read, and bounds what may be sent."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app, self.settings = app, settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if refusal := self._refusal(scope, headers):
            await self._refuse(refusal, scope, receive, send)
        elif scope["type"] == "websocket":
            await self.app(scope, receive, send)
        elif self.settings.token and _token_in(scope):
            await self._enter(scope, receive, send)
        else:
            await self.app(scope, _bounded(receive, self.settings.max_upload), _with_headers(send))

    def _refusal(self, scope: Scope, headers: Headers) -> tuple[int, str] | None:
        """Code and sentence, if the request is not to be answered."""
        host = headers.get("host", "")
        if not self._is_own_name(host):
            return 400, "this server is not known by that name: call it by its address, or start it with --name"
        if _is_foreign(scope, headers, host):
            return 403, "the request comes from a page of another site: open the studio itself"
        if not self._knows_token(scope, headers):
            return 401, "the server's token is missing: open the address that it printed, or send it as a bearer token"
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > self.settings.max_upload:
            return 413, too_much(self.settings.max_upload)
        return None

    def _is_own_name(self, host: str) -> bool:
        """An address, localhost or a given name; any other is a foreign name that was bent to point here."""
        name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
        try:
            ipaddress.ip_address(name.strip("[]"))
        except ValueError:
            known = {"localhost", self.settings.host, *self.settings.names}
            return name.lower().rstrip(".") in {one.lower() for one in known}
        return True

    def _knows_token(self, scope: Scope, headers: Headers) -> bool:
        token = self.settings.token
        if not token or scope["path"] in OPEN_PATHS:
            return True
        bearer = headers.get("authorization", "").partition(" ")
        given = [bearer[2].strip() if bearer[0].lower() == "bearer" else "", _cookie(headers), _token_in(scope)]
        known = [hmac.compare_digest(one.encode(), token.encode()) for one in given]  # all of them, in constant time
        return any(known)

    async def _enter(self, scope: Scope, receive: Receive, send: Send) -> None:
        """From the address with the token to one without it, and the token into a cookie that no script can read."""
        rest = [(name, value) for name, value in parse_qsl(scope["query_string"].decode("latin-1")) if name != "token"]
        response = RedirectResponse(f"/?{urlencode(rest)}" if rest else "/", 303)
        response.set_cookie(COOKIE, self.settings.token, httponly=True, samesite="strict", path="/")
        await response(scope, receive, _with_headers(send))

    async def _refuse(self, refusal: tuple[int, str], scope: Scope, receive: Receive, send: Send) -> None:
        code, sentence = refusal
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": sentence[:120]})
            return
        headers = {"connection": "close"} | ({"www-authenticate": "Bearer"} if code == 401 else {})
        await answer(code, sentence, headers)(scope, receive, _with_headers(send))


def too_much(limit: int) -> str:
    return f"the request is larger than the limit of {limit / MEGABYTE:g} MB: send less or smaller pictures"


def _is_foreign(scope: Scope, headers: Headers, host: str) -> bool:
    """Whether a browser says that a page of another site is behind the request."""
    origin = headers.get("origin")
    if origin is not None and origin.partition("://")[2].lower() != host.lower():
        return True
    acts = scope["type"] == "websocket" or scope["method"] not in SAFE_METHODS
    return acts and headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none")


def _cookie(headers: Headers) -> str:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return found.value if found else ""


def _token_in(scope: Scope) -> str:
    """The token in the address of the page, as the server prints it at its start."""
    if scope["path"] != "/" or scope["type"] != "http":
        return ""
    return dict(parse_qsl(scope["query_string"].decode("latin-1"))).get("token", "")


def _bounded(receive: Receive, limit: int) -> Receive:
    """The same body, refused (413) as soon as more has come than may."""
    total = 0

    async def counted() -> Message:
        nonlocal total
        message = await receive()
        total += len(message.get("body", b""))
        if total > limit:
            raise HTTPException(413, too_much(limit))
        return message

    return counted


def _with_headers(send: Send) -> Send:
    async def more(message: Message) -> None:
        if message["type"] == "http.response.start":
            given = {name.lower() for name, _ in message["headers"]}
            extra = [(name, value) for name, value in HEADERS.items() if name not in given]
            message = {**message, "headers": [*message["headers"], *extra]}
        await send(message)

    return more
