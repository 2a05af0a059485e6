"""One process of the service: connections, their time limits, a clean end."""

from __future__ import annotations

import array
import asyncio
import contextlib
import logging
import os
import signal
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from beak.web.guard import Scope
from beak.web.service_app import Service
from beak.web.service_counts import Counts
from beak.web.service_door import Door
from beak.web.service_limits import KEPT_OPEN, MOST_HEAD, Bounds
from beak.web.service_models import Source
from beak.web.service_state import Runs

LOG = logging.getLogger("beak.serve")
NEWS = struct.Struct("=cI")
"""What a worker tells its supervisor: what happened, to which connection."""
READY, OPENED, CLOSED = b"r", b"o", b"c"
LINGER = 1.0
"""Seconds for which the rest of a request that was refused is still read."""
SWEPT = 1.0
"""Seconds between two looks for connections that stall."""


def unavailable(line: str) -> bytes:
    """A whole answer for a connection that reaches no application."""
    body = b'{"error": "%s"}' % line.encode()
    return (
        b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nretry-after: 1\r\n"
        b"connection: close\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)
    )


FULL = unavailable("too many connections are open; try again in 1 s")
LONG_HEAD = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"content-length: 0\r\nconnection: close\r\n\r\n"
)


@dataclass(frozen=True, eq=False)
class Setting:
    """What all workers have in common."""

    listening: socket.socket
    sources: list[Source]
    door: Door
    bounds: Bounds
    counts: Counts
    threads: int
    exact: bool


class Connections:
    """A worker's connections by number, as its supervisor knows them.

    A supervisor holds each one too, and sees in shared memory which has a request in progress: if
    the worker is killed, these get a clean 503.
    """

    def __init__(self, most: int, news: socket.socket | None, busy: Any) -> None:
        """``news``: to the supervisor; ``busy``: a byte for each number, in shared memory."""
        self.free = list(range(most - 1, -1, -1))
        self.there: dict[Any, Corked] = {}
        self.news, self.busy = news, busy

    def open(self, transport: Corked) -> bool:
        """Take a connection in; False where there are too many."""
        if not self.free:
            return False
        transport.number = number = self.free.pop()
        self.there[transport.get_extra_info("peername")] = transport
        self.busy[number] = 0
        if self.news is not None:
            handle = array.array("i", [transport.get_extra_info("socket").fileno()])
            ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, handle)]
            with contextlib.suppress(OSError):
                self.news.sendmsg([NEWS.pack(OPENED, number)], ancillary)
        return True

    def close(self, peer: Any) -> None:
        """It has ended."""
        transport = self.there.pop(peer, None)
        if transport is None:
            return
        self.busy[transport.number] = 0
        self.free.append(transport.number)
        self.tell(CLOSED, transport.number)

    def tell(self, what: bytes, number: int = 0) -> None:
        """Let the supervisor know."""
        if self.news is not None:
            with contextlib.suppress(OSError):
                self.news.sendall(NEWS.pack(what, number))

    def begun(self, scope: Scope) -> None:
        """A request is in progress."""
        if (transport := self.there.get(scope["client"])) is not None:
            self.busy[transport.number] = 1

    def written(self, scope: Scope) -> None:
        """Its answer is about to be written: in one piece, or a killed worker would leave half."""
        if (transport := self.there.get(scope["client"])) is not None:
            transport.held = []

    def ended(self, scope: Scope) -> None:
        """All of its answer is there, to be written now."""
        if (transport := self.there.get(scope["client"])) is not None:
            self.busy[transport.number] = 0
            transport.uncork()


class Corked:
    """A transport that can hold back what is written to it."""

    def __init__(self, transport: Any) -> None:
        self.transport = transport
        self.number = -1
        self.held: list[bytes] | None = None

    def write(self, data: bytes) -> None:
        """Write, now or when the cork is out."""
        if self.held is None:
            self.transport.write(data)
        else:
            self.held.append(data)

    def uncork(self) -> None:
        """Write what was held back, all at once."""
        if self.held:
            self.transport.write(b"".join(self.held))
        self.held = None

    def close(self) -> None:
        """End the connection once all is written."""
        self.uncork()
        self.transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.transport, name)


def guarded(base: Any, connections: Connections) -> Any:
    """Uvicorn's protocol, with our bounds on connections, headers and time."""

    class Guarded(base):  # type: ignore[misc]
        def connection_made(self, transport: Any) -> None:
            self.peer = transport.get_extra_info("peername")
            self.waited_for: Any = None
            self.quiet_since = 0.0
            self.head = 0
            corked = Corked(transport)
            self.taken = connections.open(corked)
            super().connection_made(corked)
            if not self.taken:
                transport.write(FULL)
                transport.close()

        def connection_lost(self, exc: Exception | None) -> None:
            if self.taken:
                connections.close(self.peer)
            super().connection_lost(exc)

        def data_received(self, data: bytes) -> None:
            if not self.taken:
                return
            super().data_received(data)
            if not self.quiet:
                self.head = 0
                return
            self.head += len(data)
            if self.head > MOST_HEAD and not self.transport.is_closing():
                self.taken = False  # what still comes is read and forgotten
                connections.close(self.peer)
                self.transport.write(LONG_HEAD)
                self.transport.write_eof()
                asyncio.get_running_loop().call_later(LINGER, self.transport.abort)

        @property
        def quiet(self) -> bool:
            """No request is in progress; perhaps its headers are coming in."""
            return self.cycle is None or self.cycle.response_complete

        def swept(self, now: float) -> None:
            """End it where nothing whole came or went for too long."""
            if not self.quiet:
                self.waited_for = None
            elif self.waited_for is not (self.cycle or self):
                self.waited_for, self.quiet_since = self.cycle or self, now
            elif now - self.quiet_since > KEPT_OPEN:
                self.transport.abort()

    return Guarded


def make_server(config: Any) -> Any:
    """Uvicorn's server, whose signals are ours."""
    import uvicorn

    class Server(uvicorn.Server):
        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield

    return Server(config)


class Worker:
    """One process's whole work."""

    def __init__(self, setting: Setting, connections: Connections) -> None:
        self.setting, self.connections = setting, connections
        self.runs = Runs(
            setting.sources, setting.bounds, setting.counts, setting.threads, setting.exact
        )

    def run(self) -> None:
        """Answer until SIGTERM, or until the supervisor is gone; then finish what was taken."""
        config = self._config()
        config.load()
        config.http_protocol_class = guarded(config.http_protocol_class, self.connections)
        server = make_server(config)
        factory = config.get_loop_factory()
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(self._serve(server))

    def _config(self) -> Any:
        import uvicorn

        there = self.connections
        service = Service(self.runs, self.setting.door, there.begun, there.written, there.ended)
        return uvicorn.Config(
            service,
            log_config=None,
            log_level="error",
            access_log=False,
            server_header=False,
            date_header=False,
            proxy_headers=False,
            lifespan="off",
            ws="none",
            timeout_graceful_shutdown=int(self.setting.bounds.timeout) + 1,
            timeout_keep_alive=int(KEPT_OPEN),
        )

    async def _serve(self, server: Any) -> None:
        loop = asyncio.get_running_loop()

        def stop() -> None:
            self.runs.stopping = True
            server.should_exit = True

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop)
        if self.connections.news is not None:
            loop.add_reader(self.connections.news.fileno(), stop)  # only its end can come
        await self.runs.start()
        self.connections.tell(READY)
        beside = [
            loop.create_task(self.runs.watch()),
            loop.create_task(self._sweep(server)),
        ]
        try:
            await server.serve(sockets=[self.setting.listening])
        finally:
            for task in beside:
                task.cancel()
            self.runs.close()

    async def _sweep(self, server: Any) -> None:
        counts = self.setting.counts
        while True:
            await asyncio.sleep(SWEPT)
            now = asyncio.get_running_loop().time()
            there: set[Any] = server.server_state.connections
            for connection in list(there):
                connection.swept(now)
            counts.put("", "connections", len(there))
            counts.put("", "requests_in_progress", len(server.server_state.tasks))
            counts.put("", "resident_bytes", resident_bytes())


def resident_bytes() -> int:
    """The memory of this process, where the system tells it."""
    try:
        pages = int(Path("/proc/self/statm").read_bytes().split()[1])
    except (OSError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")
