"""The service as an ASGI application: each request to its answer, all of it bounded."""

from __future__ import annotations

import asyncio
import logging
import struct
import time
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from beak.data.limits import within
from beak.errors import BeakError, RunError, TooLargeError
from beak.runs.answers import Opened, Told, Wanted, open_raw
from beak.runs.safe import one_line
from beak.web.guard import COOKIE, HEADERS, Receive, RefusedError, Scope, Send, whole_body
from beak.web.service_batch import BusyError
from beak.web.service_bodies import Body, as_json, read_body
from beak.web.service_door import OPEN, Door, headers_of
from beak.web.service_models import described
from beak.web.service_openapi import description
from beak.web.service_state import Live, Runs

LOG = logging.getLogger("beak.serve")
PAGE = Path(__file__).parent / "service_page"
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
JSON = (b"content-type", b"application/json")
COMMON = (
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
)
CLOSE = (b"connection", b"close")
EASY_BYTES = 8 << 10
"""So small an input is opened at once: handing it to a thread would take longer."""
EASY_PIXELS = 1 << 16
DRAINED = 2.0
"""Seconds for which a refused body is still read, so that its sender hears the answer."""
Header = tuple[bytes, bytes]


@dataclass(frozen=True)
class Answer:
    """A whole answer."""

    status: int
    body: bytes
    headers: tuple[Header, ...] = (JSON,)
    run: str = ""
    """Which run's; for counting."""


@dataclass(eq=False)
class Service:
    """Around the runs of one worker."""

    runs: Runs
    door: Door
    written: Callable[[Scope], None] = field(default=lambda scope: None)
    """Told when its answer is about to be written, and may be held back to be written whole."""
    ended: Callable[[Scope], None] = field(default=lambda scope: None)
    """Told when all of it is written, or nothing will be."""
    _requests: int = 0
    _held: int = 0
    """Bytes of bodies in progress."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI has it."""
        if scope["type"] != "http":
            return
        begun = time.perf_counter()
        self._requests += 1
        reading = Reading(receive)
        try:
            answer = await self._answer(scope, reading)
            if not reading.done and answer.status != 408:
                await reading.drain()
            self.runs.counts.answered(answer.run, answer.status, time.perf_counter() - begun)
            headers = [*answer.headers, (b"content-length", b"%d" % len(answer.body)), *COMMON]
            if not reading.done or self.runs.stopping:
                headers.append(CLOSE)
            body = b"" if scope["method"] == "HEAD" else answer.body
            self.written(scope)
            await send({"type": "http.response.start", "status": answer.status, "headers": headers})
            await send({"type": "http.response.body", "body": body})
        finally:
            self._requests -= 1
            self.ended(scope)

    async def _answer(self, scope: Scope, reading: Reading) -> Answer:
        name = ""
        cors: tuple[Header, ...] = ()
        try:
            path = scope["path"].removeprefix(self.door.prefix)
            headers = headers_of(scope)
            if scope["method"] == "OPTIONS" and b"access-control-request-method" in headers:
                return self._preflight(headers)
            if path not in OPEN:
                self.door.check(scope, headers)
                cors = self._cors(headers)
            if path.endswith("/predict"):
                name = self._run_of(path)
                found = await self._predict(name, scope, headers, reading)
            else:
                found = self._other(path, scope)
        except RefusedError as refused:
            found = _refused(refused)
        except TooLargeError as error:
            found = _said(413, error)
        except RunError as error:
            LOG.error("%s", error)
            found = _said(500, error)
        except BeakError as error:
            found = _said(422, error)
        except TimeoutError:
            found = _refused(BusyError(1))
        except Exception as error:  # the border to strangers: they see no stack trace, the log does
            LOG.exception("a request failed")
            found = _said(500, f"the service failed: {type(error).__name__}; its log tells more")
        return Answer(found.status, found.body, found.headers + cors, name)

    # Answers of the networks.

    def _run_of(self, path: str) -> str:
        names = self.runs.live
        if path == "/predict":
            if len(names) == 1:
                return next(iter(names))
            known = ", ".join(f"/v1/{name}/predict" for name in names)
            raise RefusedError(404, f"several runs answer here: {known}")
        first, _, name = path.removesuffix("/predict").rpartition("/")
        if first != "/v1" or name not in names:
            raise RefusedError(404, "there is no such run; /v1/runs lists them")
        return name

    async def _predict(
        self, name: str, scope: Scope, headers: dict[bytes, str], reading: Reading
    ) -> Answer:
        if scope["method"] != "POST":
            raise MethodError("POST")
        bounds, live = self.runs.bounds, self.runs.live[name]
        if self._requests > bounds.requests:
            raise BusyError(1)
        if headers.get(b"content-encoding", "identity") != "identity":
            raise RefusedError(415, "content-encoding: send the body as it is, not packed")
        length = headers.get(b"content-length", "")
        held = int(length) if length.isdecimal() and len(length) < 12 else bounds.most_bytes
        if held <= bounds.most_bytes and self._held and self._held + held > bounds.held_bytes:
            raise BusyError(1)
        self._held += held
        live.users += 1
        try:
            body = await whole_body(length, reading, bounds.most_bytes, bounds.timeout)
            kind = live.model.spec.kind
            asked = read_body(
                kind, headers.get(b"content-type", ""), body, scope["query_string"],
                bounds.most_inputs,
            )  # fmt: skip
            async with asyncio.timeout(bounds.timeout):
                told = await self._told(live, asked)
        finally:
            self._held -= held
            live.users -= 1
        version = (b"beak-version", live.kept.version.encode())
        return Answer(200, as_json(told), (JSON, version))

    async def _told(self, live: Live, asked: Body) -> dict[str, Any]:
        if not asked.many:
            ((name, raw),) = asked.inputs
            records = await self._one(live, name, raw, asked.wanted)
            stretches = "begin" in records[0]  # of a recording: a list, though it may be of one
            return {"predictions": records} if stretches else records[0]
        tasks = [self._one(live, name, raw, asked.wanted) for name, raw in asked.inputs]
        found = await asyncio.gather(*tasks, return_exceptions=True)
        failed = [each for each in found if isinstance(each, BaseException)]
        for each in failed:
            if not isinstance(each, BeakError) or isinstance(each, RunError):
                raise each
        if len(failed) == len(found):
            raise failed[0]
        return {"predictions": [_each(*pair) for pair in zip(asked.inputs, found, strict=True)]}

    async def _one(self, live: Live, name: str, raw: Any, wanted: Wanted) -> Told:
        if isinstance(raw, BeakError):
            raise raw

        def opened() -> Opened:
            with within(self.runs.bounds.unpacked):
                return open_raw(live.model, raw, name, wanted)

        if easy(live.model.spec.kind, raw):
            return await live.batcher.put(name, opened())
        loop = asyncio.get_running_loop()
        return await live.batcher.put(name, await loop.run_in_executor(self.runs.decoders, opened))

    # Everything else.

    def _other(self, path: str, scope: Scope) -> Answer:
        if path in self.GET:
            if scope["method"] not in ("GET", "HEAD"):
                raise MethodError("GET, HEAD")
            return self.GET[path](self, scope)
        name = path.removeprefix("/page/")
        if scope["method"] in ("GET", "HEAD") and name in page_files():
            return self._file(name)
        raise RefusedError(404, "there is no such page; /openapi.json tells what there is")

    def _page(self, scope: Scope) -> Answer:
        answer = self._file("index.html")
        given = self.door.asked_token(scope)
        if self.door.token is None or self.door.token not in given:
            return answer
        path = self.door.prefix + "/"
        cookie = f"{COOKIE}={self.door.token}; HttpOnly; SameSite=Strict; Path={path}"
        return Answer(200, answer.body, (*answer.headers, (b"set-cookie", cookie.encode())))

    def _file(self, name: str) -> Answer:
        path = page_files()[name]
        kept = [
            (key.encode(), value.encode())
            for key, value in HEADERS.items()
            if (key.encode(), value.encode()) not in COMMON
        ]
        return Answer(
            200, path.read_bytes(), ((b"content-type", TYPES[path.suffix].encode()), *kept)
        )

    def _runs(self, _: Scope) -> Answer:
        runs = self.runs
        listed = [described(runs.sources[name], live.kept) for name, live in runs.live.items()]
        return Answer(200, as_json({"runs": listed}))

    def _healthy(self, _: Scope) -> Answer:
        return Answer(200, as_json({"status": "ok"}))

    def _ready(self, _: Scope) -> Answer:
        stale = sorted(name for name, each in self.runs.sources.items() if each.trouble)
        status = "stopping" if self.runs.stopping else "ready"
        return Answer(
            503 if self.runs.stopping else 200, as_json({"status": status, "stale": stale})
        )

    def _metrics(self, _: Scope) -> Answer:
        kind = b"text/plain; version=0.0.4; charset=utf-8"
        return Answer(200, self.runs.counts.text().encode(), ((b"content-type", kind),))

    def _openapi(self, _: Scope) -> Answer:
        models = {name: live.model for name, live in self.runs.live.items()}
        return Answer(
            200, as_json(description(models, self.door.prefix, self.door.token is not None))
        )

    GET = {  # noqa: RUF012 (a table of methods, never changed)
        "/": _page,
        "/v1/runs": _runs,
        "/healthz": _healthy,
        "/readyz": _ready,
        "/metrics": _metrics,
        "/openapi.json": _openapi,
    }

    # Pages of other sites.

    def _cors(self, headers: dict[bytes, str]) -> tuple[Header, ...]:
        origin = headers.get(b"origin", "").lower()
        if origin not in self.door.origins:
            return ()
        return ((b"access-control-allow-origin", origin.encode()), (b"vary", b"origin"))

    def _preflight(self, headers: dict[bytes, str]) -> Answer:
        cors = self._cors(headers)
        if not cors:
            raise RefusedError(403, "another site asked; to allow it: --allow-origin")
        more = (
            (b"access-control-allow-methods", b"GET, POST"),
            (b"access-control-allow-headers", b"authorization, content-type"),
            (b"access-control-max-age", b"600"),
        )
        return Answer(200, b"", cors + more)


class MethodError(RefusedError):
    """Another method is wanted there."""

    def __init__(self, allowed: str) -> None:
        super().__init__(405, f"{allowed} is wanted here")
        self.allowed = allowed


class Reading:
    """A request's messages, and whether its body has ended."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self.done = False

    async def __call__(self) -> MutableMapping[str, Any]:
        """The next message."""
        message = await self._receive()
        self.done = not message.get("more_body")
        return message

    async def drain(self) -> None:
        """Read on for a moment what is not wanted: who is refused while sending may not hear it."""
        with suppress(TimeoutError):
            async with asyncio.timeout(DRAINED):
                while not self.done:
                    await self()


def easy(kind: str, raw: Any) -> bool:
    """Whether it is opened sooner than it is handed to another thread."""
    if not isinstance(raw, bytes):
        return not isinstance(raw, str) or len(raw) <= EASY_BYTES
    if len(raw) > EASY_BYTES or kind == "sounds":
        return False
    if kind != "pictures":
        return True
    if raw[:8] != b"\x89PNG\r\n\x1a\n" or len(raw) < 24:
        return False
    width, height = struct.unpack_from(">II", raw, 16)
    return bool(width * height <= EASY_PIXELS)


@cache
def page_files() -> dict[str, Path]:
    """The page's files by address: nothing else is ever opened for one."""
    return {path.name: path for path in sorted(PAGE.iterdir()) if path.suffix in TYPES}


def _each(given: tuple[str, Any], found: Any) -> dict[str, Any]:
    if isinstance(found, BeakError):
        return {"input": given[0], "error": one_line(found, 500)}
    record: dict[str, Any] = found[0]
    return record


def _said(status: int, line: Any) -> Answer:
    return Answer(status, as_json({"error": one_line(line, 500)}))


def _refused(refused: RefusedError) -> Answer:
    answer = _said(refused.status, refused.line)
    if isinstance(refused, BusyError):
        return Answer(503, answer.body, (JSON, (b"retry-after", b"%d" % refused.after)))
    if isinstance(refused, MethodError):
        return Answer(405, answer.body, (JSON, (b"allow", refused.allowed.encode())))
    if refused.status == 401:
        return Answer(401, answer.body, (JSON, (b"www-authenticate", b"Bearer")))
    return answer


Application = Callable[[Scope, Receive, Send], Awaitable[None]]
