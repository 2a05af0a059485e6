"""Ask a service as fast as it answers, over a fixed number of connections: rate and waiting times.

A client of its own, on bare sockets: a common one would take longer to ask than beak to answer.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
CLOSING = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)
PATIENCE = 20.0
"""Seconds for an answer; later it counts as lost."""


@dataclass
class Driven:
    """What came of it."""

    seconds: float
    answers: Counter[int] = field(default_factory=Counter)
    """How many by status."""
    waits: list[float] = field(default_factory=list)
    """Seconds from a request to its whole answer."""
    lost: int = 0
    """Requests whose connection ended without an answer."""

    @property
    def rate(self) -> float:
        """Good answers a second."""
        return self.answers[200] / self.seconds

    def wait(self, share: float) -> float:
        """The waiting time that this share of the requests does not pass; NaN without any."""
        return float(np.quantile(self.waits, share)) if self.waits else float("nan")

    def to_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "requests_per_second": self.rate,
            "p50": self.wait(0.5),
            "p99": self.wait(0.99),
            "answers": {str(status): count for status, count in sorted(self.answers.items())},
            "lost": self.lost,
            "seconds": self.seconds,
        }


def request(
    host: str, path: str, body: bytes, content_type: str, token: str | None = None
) -> bytes:
    """A whole POST, as bytes."""
    known = f"authorization: Bearer {token}\r\n" if token else ""
    head = (
        f"POST {path} HTTP/1.1\r\nhost: {host}\r\n{known}content-type: {content_type}\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def form(content: bytes, filename: str) -> tuple[bytes, str]:
    """A form with one file, and its content type."""
    mark = "----beak-7d83f1"
    head = f'--{mark}\r\nContent-Disposition: form-data; name="file"; filename="{filename}"\r\n\r\n'
    body = head.encode() + content + f"\r\n--{mark}--\r\n".encode()
    return body, f"multipart/form-data; boundary={mark}"


def drive(
    host: str, port: int, requests: Sequence[bytes], connections: int, seconds: float
) -> Driven:
    """Ask for so long over so many connections, each again as soon as it has its answer."""
    return asyncio.run(driven(host, port, requests, connections, seconds))


async def driven(
    host: str, port: int, requests: Sequence[bytes], connections: int, seconds: float
) -> Driven:
    """As ``drive``, in a loop that runs already."""
    loop = asyncio.get_running_loop()
    found = Driven(seconds)
    begun = time.perf_counter()
    tasks = [
        loop.create_task(_ask(host, port, requests, number, begun + seconds, found))
        for number in range(connections)
    ]
    await asyncio.gather(*tasks)
    found.seconds = time.perf_counter() - begun
    return found


async def _ask(
    host: str, port: int, requests: Sequence[bytes], number: int, until: float, found: Driven
) -> None:
    """One connection after another, until it is time."""
    loop = asyncio.get_running_loop()
    while time.perf_counter() < until:
        over: asyncio.Future[None] = loop.create_future()
        asking = partial(Asking, requests, number, until, found, over)
        try:
            await loop.create_connection(asking, host, port)
        except OSError:
            found.lost += 1
            await asyncio.sleep(0.05)
            continue
        await over


class Asking(asyncio.Protocol):
    """One connection: a request, its answer, the next request."""

    def __init__(
        self,
        requests: Sequence[bytes],
        number: int,
        until: float,
        found: Driven,
        over: asyncio.Future[None],
    ) -> None:
        self.requests, self.number, self.until = requests, number, until
        self.found, self.over = found, over
        self.waiting = False
        self.begun = 0.0
        self.received = b""
        self.wanted = 0

    def connection_made(self, transport: Any) -> None:
        """Ask first."""
        self.transport = transport
        self.patience = asyncio.get_running_loop().call_later(PATIENCE, transport.abort)
        self._next()

    def _next(self) -> None:
        self.received, self.wanted = b"", 0
        self.begun = time.perf_counter()
        if self.begun >= self.until:
            self.transport.close()
            return
        self.waiting = True
        self.transport.write(self.requests[self.number % len(self.requests)])
        self.number += 1

    def data_received(self, data: bytes) -> None:
        """An answer, or a piece of one."""
        self.received += data
        if not self.wanted:
            end = self.received.find(b"\r\n\r\n")
            if end < 0:
                return
            length = LENGTH.search(self.received, 0, end)
            self.wanted = end + 4 + (int(length[1]) if length else 0)
        if len(self.received) < self.wanted:
            return
        self.waiting = False
        closing = CLOSING.search(self.received, 0, self.received.find(b"\r\n\r\n"))
        self.found.waits.append(time.perf_counter() - self.begun)
        self.found.answers[int(self.received[9:12])] += 1
        if time.monotonic() > self.patience.when() - PATIENCE / 2:
            self.patience.cancel()
            loop = asyncio.get_running_loop()
            self.patience = loop.call_later(PATIENCE, self.transport.abort)
        if closing:
            self.transport.close()
        else:
            self._next()

    def connection_lost(self, _: Exception | None) -> None:
        """The end, wanted or not."""
        self.patience.cancel()
        self.found.lost += self.waiting
        if not self.over.done():
            self.over.set_result(None)
