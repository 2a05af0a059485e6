"""One process of the service: connections, their time limits, a clean end."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import itertools
import logging
import os
import signal
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from beak.web.service_app import Service
from beak.web.service_connections import READY, Accepting, Connections, guarded
from beak.web.service_counts import Counts
from beak.web.service_door import Door
from beak.web.service_limits import KEPT_OPEN, Bounds
from beak.web.service_models import Source
from beak.web.service_state import Runs

LOG = logging.getLogger("beak.serve")
MALLOC = ((-3, 256 << 10), (-1, 1 << 20), (-8, 2))
"""M_MMAP_THRESHOLD, M_TRIM_THRESHOLD, M_ARENA_MAX, as glibc's malloc.h numbers them."""
GIVEN_BACK = 10
"""Sweeps between two givings back of unused memory."""
FAREWELL = 0.2
"""Seconds at the end in which connections that are in use hear that theirs ends."""
SWEPT = 1.0
"""Seconds between two looks for connections that stall."""


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


def make_server(config: Any, connections: Connections) -> Any:
    """Uvicorn's server, whose signals and connections are ours."""
    import uvicorn

    class Server(uvicorn.Server):
        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await self.lifespan.startup()
            self.servers: list[Any] = [
                Accepting(listening, self._protocol, connections) for listening in sockets or ()
            ]
            self.started = True

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            for accepting in self.servers:
                accepting.close()
                await accepting.wait_closed()
            await asyncio.sleep(FAREWELL)
            await super().shutdown(sockets)

        def _protocol(self) -> Any:
            there: Any = self.config.http_protocol_class
            return there(
                config=self.config, server_state=self.server_state, app_state=self.lifespan.state
            )

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
        tame_malloc()
        config = self._config()
        config.load()
        config.http_protocol_class = guarded(config.http_protocol_class, self.connections)
        server = make_server(config, self.connections)
        factory = config.get_loop_factory()
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(self._serve(server))

    def _config(self) -> Any:
        import uvicorn

        there = self.connections
        service = Service(self.runs, self.setting.door, there.written, there.ended)
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
        for sweep in itertools.count(1):
            await asyncio.sleep(SWEPT)
            if sweep % GIVEN_BACK == 0:
                give_back()
            now = asyncio.get_running_loop().time()
            there: set[Any] = server.server_state.connections
            for connection in list(there):
                connection.swept(now)
            counts.put("", "connections", len(there))
            counts.put("", "requests_in_progress", len(server.server_state.tasks))
            counts.put("", "resident_bytes", resident_bytes())


def tame_malloc() -> None:
    """Have glibc give memory back: what a large request took is not kept for ever.

    Blocks of 256 kB and more are mapped one by one (it would come to keep up to 32 MB of them), and
    threads share two pools. Elsewhere nothing is done.
    """
    libc = ctypes.CDLL(None)
    if sys.platform == "linux" and hasattr(libc, "mallopt") and hasattr(libc, "malloc_trim"):
        for setting, value in MALLOC:
            libc.mallopt(setting, value)


def give_back() -> None:
    """Let glibc return what it holds and nobody uses."""
    libc = ctypes.CDLL(None)
    if sys.platform == "linux" and hasattr(libc, "malloc_trim"):
        libc.malloc_trim(0)


def resident_bytes() -> int:
    """The memory of this process, where the system tells it."""
    try:
        pages = int(Path("/proc/self/statm").read_bytes().split()[1])
    except (OSError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")
