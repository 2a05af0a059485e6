"""A worker's connections: how they are accepted, what its supervisor knows of each, their bounds.

The supervisor holds a handle of every connection too, and sees in shared memory which has a request
in progress: if the worker is killed, these get a clean 503. So it is told of a connection before
anything else is done with it, and of a request with its first bytes.
"""

from __future__ import annotations

import array
import asyncio
import contextlib
import logging
import socket
import struct
from collections.abc import Callable
from typing import Any

from beak.web.guard import Scope
from beak.web.service_limits import KEPT_OPEN, MOST_HEAD

LOG = logging.getLogger("beak.serve")
NEWS = struct.Struct("=cI")
"""What a worker tells its supervisor: what happened, to which connection."""
READY, OPENED, CLOSED = b"r", b"o", b"c"
LINGER = 1.0
"""Seconds for which the rest of a request that was refused is still read."""
PAUSE = 0.5
"""Seconds without accepting where the system has no more handles."""
AT_ONCE = 8
"""Connections taken in one turn of the loop: other workers wait for some too."""


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


class Connections:
    """A worker's connections by number, as its supervisor knows them."""

    def __init__(self, most: int, news: socket.socket | None, busy: Any) -> None:
        """``news``: to the supervisor; ``busy``: a byte for each number, in shared memory."""
        self.free = list(range(most - 1, -1, -1))
        self.there: dict[Any, Corked] = {}
        """By the client's address, as requests tell it."""
        self.news, self.busy = news, busy

    def take(self, connection: socket.socket) -> int | None:
        """A number for what was just accepted; None where there are too many."""
        if not self.free:
            return None
        number = self.free.pop()
        self.busy[number] = 0
        if self.news is not None:
            handle = array.array("i", [connection.fileno()])
            ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, handle)]
            with contextlib.suppress(OSError):
                self.news.sendmsg([NEWS.pack(OPENED, number)], ancillary)
        return number

    def give_back(self, number: int) -> None:
        """The connection of that number has ended."""
        self.busy[number] = 0
        self.free.append(number)
        self.tell(CLOSED, number)

    def tell(self, what: bytes, number: int = 0) -> None:
        """Let the supervisor know."""
        if self.news is not None:
            with contextlib.suppress(OSError):
                self.news.sendall(NEWS.pack(what, number))

    def written(self, scope: Scope) -> None:
        """Its answer is about to be written: in one piece, or a killed worker would leave half."""
        if (transport := self.there.get(scope["client"])) is not None:
            transport.held = []

    def ended(self, scope: Scope) -> None:
        """All of its answer is there, to be written now.

        Only then nothing is in progress: a worker killed between the two leaves an answer and a
        503, of which the client reads the first; the other way round it would leave nothing.
        """
        if (transport := self.there.get(scope["client"])) is not None:
            transport.uncork()
            self.busy[transport.number] = not transport.quiet()


class Corked:
    """A transport that can hold back what is written to it."""

    def __init__(self, transport: Any, number: int, quiet: Callable[[], bool]) -> None:
        """``quiet``: whether no further request is in progress on it."""
        self.transport = transport
        self.number, self.quiet = number, quiet
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


def client_of(transport: Any) -> tuple[str, int] | None:
    """The other end as uvicorn's requests call it: IPv6 has four parts, of which it takes two."""
    found = transport.get_extra_info("peername")
    return (str(found[0]), int(found[1])) if found else None


def guarded(base: Any, connections: Connections) -> Any:
    """Uvicorn's protocol, with our bounds on connections, headers and time."""

    class Guarded(base):  # type: ignore[misc]
        number: int | None = None
        """As its supervisor knows it; None: there are too many."""

        def connection_made(self, transport: Any) -> None:
            self.client = client_of(transport)
            self.waited_for: Any = None
            self.quiet_since = 0.0
            self.head = 0
            self.taken = self.number is not None
            if self.number is None:
                super().connection_made(transport)
                transport.write(FULL)
                transport.close()
                return
            corked = Corked(transport, self.number, lambda: self.quiet)
            connections.there[self.client] = corked
            super().connection_made(corked)

        def connection_lost(self, exc: Exception | None) -> None:
            self.give_back()
            super().connection_lost(exc)

        def give_back(self) -> None:
            self.taken = False  # what still comes is read and forgotten
            if self.number is None:
                return
            there = connections.there.get(self.client)
            if there is not None and there.number == self.number:
                del connections.there[self.client]
            connections.give_back(self.number)
            self.number = None

        def data_received(self, data: bytes) -> None:
            if not self.taken:
                return
            connections.busy[self.number] = 1
            super().data_received(data)
            if not self.quiet:
                self.head = 0
                return
            self.head += len(data)
            if self.head > MOST_HEAD and not self.transport.is_closing():
                self.give_back()
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


class Accepting:
    """Takes connections from a listening socket that several processes share.

    asyncio's own server hears of a connection only some turns of its loop after the system gave it
    away: a worker that is killed in between would lose it.
    """

    def __init__(
        self, listening: socket.socket, make: Callable[[], Any], connections: Connections
    ) -> None:
        """``make``: a protocol, whose ``number`` is set before its connection is made."""
        self.listening, self.make, self.connections = listening, make, connections
        self.loop = asyncio.get_running_loop()
        self.beginning: set[asyncio.Task[None]] = set()
        self.closed = False
        listening.setblocking(False)
        self._listen()

    def _listen(self) -> None:
        if not self.closed:
            self.loop.add_reader(self.listening.fileno(), self._accept)

    def _accept(self, most: int = AT_ONCE) -> None:
        for _ in range(most):
            try:
                connection, _ = self.listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return  # another worker was quicker, or the client changed its mind
            except OSError as error:
                LOG.error("no connection can be taken for a moment: %s", error)
                self.loop.remove_reader(self.listening.fileno())
                self.loop.call_later(PAUSE, self._listen)
                return
            number = self.connections.take(connection)
            connection.setblocking(False)
            task = self.loop.create_task(self._begin(connection, number))
            self.beginning.add(task)
            task.add_done_callback(self.beginning.discard)

    async def _begin(self, connection: socket.socket, number: int | None) -> None:
        protocol = self.make()
        protocol.number = number
        try:
            await self.loop.connect_accepted_socket(lambda: protocol, connection)
        except OSError:  # the client has gone already
            connection.close()
            protocol.give_back()

    def close(self) -> None:
        """Take those that wait already, and then no more."""
        if not self.closed:
            self.closed = True
            self.loop.remove_reader(self.listening.fileno())
            self._accept(len(self.connections.free))
            self.listening.close()  # now, or the system would let more in

    async def wait_closed(self) -> None:
        """Until all that were taken have their protocols."""
        if self.beginning:
            await asyncio.wait(self.beginning)
