"""Who may ask the server, how much and for how long; what every answer carries.

The server shows one's own data: pages of other sites in the same browser must not read it (Host
and Origin are checked, so that a foreign name that points here does not help them), nor may other
machines without the token.
"""

from __future__ import annotations

import asyncio
import hmac
import json
from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

MOST_BYTES = 32 << 20
"""Of an upload."""
MOST_SECONDS = 30.0
"""That an upload may take."""
COOKIE = "beak"
CONTENT = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "media-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": CONTENT,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(self), microphone=(self), geolocation=()",
    "cache-control": "no-store",
}


class RefusedError(Exception):
    """A request that is not answered."""

    def __init__(self, status: int, line: str) -> None:
        super().__init__(line)
        self.status, self.line = status, line


class Guard:
    """Around the application: refuses what must not come in, and adds the headers."""

    def __init__(self, app: Any, hosts: frozenset[str], token: str | None = None) -> None:
        """``hosts``: what may stand in Host, with the port; ``token``: asked for where given."""
        self.app, self.hosts, self.token = app, hosts, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI has it."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            return
        begun = False

        async def sending(message: MutableMapping[str, Any]) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                message["headers"] = _with(message.get("headers", []), self._cookie(scope))
            await send(message)

        try:
            headers = _headers(scope)
            self._check(scope, headers)
            told = headers.get("content-length", ["0"])[0]
            body = await whole_body(told, receive, MOST_BYTES, MOST_SECONDS)
            await self.app(scope, _replay(body, receive), sending)
        except RefusedError as refused:
            if not begun:
                await _refuse(sending, refused)

    def _check(self, scope: Scope, headers: dict[str, list[str]]) -> None:
        host = headers.get("host", [])
        if len(host) != 1 or host[0].lower() not in self.hosts:
            raise RefusedError(
                421, "this name does not lead here; use the address that beak printed"
            )
        for origin in headers.get("origin", []):
            if origin.lower() not in {f"http://{name}" for name in self.hosts}:
                raise RefusedError(403, "another site asked; only the page itself may")
        for site in headers.get("sec-fetch-site", []):
            navigated = headers.get("sec-fetch-mode") == ["navigate"] and scope["path"] == "/"
            if site == "cross-site" and not navigated:
                raise RefusedError(403, "another site asked; only the page itself may")
        if self.token is not None and not self._known(scope, headers):
            raise RefusedError(
                401, "the token is missing; open the whole address that beak printed"
            )

    def _known(self, scope: Scope, headers: dict[str, list[str]]) -> bool:
        given = _asked_token(scope)
        for line in headers.get("cookie", []):
            try:
                found = SimpleCookie(line).get(COOKIE)
            except CookieError:
                continue
            given += [found.value] if found else []
        wanted = (self.token or "").encode()
        return any(hmac.compare_digest(one.encode(), wanted) for one in given)

    def _cookie(self, scope: Scope) -> list[tuple[bytes, bytes]]:
        if self.token is None or self.token not in _asked_token(scope):
            return []
        value = f"{COOKIE}={self.token}; HttpOnly; SameSite=Strict; Path=/"
        return [(b"set-cookie", value.encode())]


def _asked_token(scope: Scope) -> list[str]:
    query = scope.get("query_string", b"").decode("latin-1")
    return parse_qs(query, max_num_fields=50).get("token", []) if query.count("&") < 50 else []


def _headers(scope: Scope) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in scope["headers"]:
        found.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
    return found


async def whole_body(told: str, receive: Receive, most: int, seconds: float) -> bytes:
    """The whole body, or RefusedError where it is too large or too slow.

    ``told``: what content-length says, "0" where it is not there; ``most``: bytes.
    """
    large = RefusedError(413, f"too large; at most {most / (1 << 20):.4g} MB are taken")
    if told.isdecimal() and (len(told) > 12 or int(told) > most):
        raise large
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(seconds):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise RefusedError(400, "the upload broke off")
                parts.append(message.get("body", b""))
                size += len(parts[-1])
                if size > most:
                    raise large
                if not message.get("more_body"):
                    return b"".join(parts)
    except TimeoutError:
        raise RefusedError(408, f"the upload took more than {seconds:g} seconds") from None


def _replay(body: bytes, receive: Receive) -> Receive:
    given = False

    async def again() -> MutableMapping[str, Any]:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def _with(headers: Any, more: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    own = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
    return [*headers, *own, *more]


async def _refuse(send: Send, refused: RefusedError) -> None:
    body = json.dumps({"error": refused.line}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": refused.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
