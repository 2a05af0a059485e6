"""``beak serve``: workers that share one listening socket, and the supervisor that keeps them.

The supervisor answers no requests. It holds a handle of every open connection, so that when a
worker is killed whoever waited for it hears a clean 503, and starts another in its place at once.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import mmap
import os
import selectors
import signal
import socket
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from beak.errors import UsageError
from beak.web.service_connections import (
    CLOSED,
    NEWS,
    OPENED,
    READY,
    Connections,
    unavailable,
)
from beak.web.service_limits import Bounds
from beak.web.service_worker import Setting, Worker

LOG = logging.getLogger("beak.serve")
DIED = unavailable("the process that computed this was killed; try again in 1 s")
TICK = 0.5
LINGER = 2.0
"""Seconds that a connection stays open after its 503, so that it is read."""
YOUNG = 5.0
"""A worker that dies sooner is started again only after a moment."""
SLOWEST = 1.5
MANY_FILES = 65_536


@dataclass(eq=False)
class Child:
    """One worker, as the supervisor sees it."""

    number: int
    """1, 2, …"""
    process: int
    news: socket.socket
    busy: Any
    """A byte for each of its connections, in shared memory."""
    started: float
    ready: bool = False
    open: dict[int, int] = field(default_factory=dict)
    """Handles of its connections by number."""
    unread: bytes = b""


class Supervisor:
    """Starts workers, replaces those that die, ends them all."""

    def __init__(self, setting: Setting, workers: int) -> None:
        self.setting, self.workers = setting, workers
        self.busy = [mmap.mmap(-1, setting.bounds.connections) for _ in range(workers)]
        self.children: dict[int, Child] = {}
        self.lingering: list[tuple[float, socket.socket]] = []
        self.due: list[tuple[float, int]] = []
        """When to start which worker again."""
        self.failures = 0
        self.stopping = 0.0
        self.selector = selectors.DefaultSelector()

    def run(self, ready: Callable[[], None]) -> int:
        """Keep the workers until SIGTERM or Ctrl-C; ``ready`` is called once all of them answer.

        Returns 0, or 1 where they could not be started.
        """
        many_files()
        wake, waker = socket.socketpair()
        wake.setblocking(False)
        waker.setblocking(False)
        before = signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
        handlers = {
            number: signal.signal(number, lambda *_: self.stop())
            for number in (signal.SIGTERM, signal.SIGINT)
        }
        self.selector.register(wake, selectors.EVENT_READ)
        try:
            for number in range(1, self.workers + 1):
                self.start(number)
            return self._loop(wake, ready)
        finally:
            signal.set_wakeup_fd(before)
            for number, handler in handlers.items():
                signal.signal(number, handler)
            for child in self.children.values():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child.process, signal.SIGKILL)
                os.waitpid(child.process, 0)
            self.selector.close()
            wake.close()
            waker.close()

    def _loop(self, wake: socket.socket, ready: Callable[[], None]) -> int:
        told = False
        while self.children or (self.due and not self.stopping):
            for key, _ in self.selector.select(TICK if not self.due else 0.05):
                if key.fileobj is wake:
                    with contextlib.suppress(BlockingIOError):
                        wake.recv(4096)
                else:
                    self._hear(key.data)
            if not told and not self.stopping and self._all_ready():
                told = True
                ready()
            if not told and self.failures >= self.workers:
                LOG.error("the workers end before they are ready; see above")
                self.stop()
                self.failures = 0
                self.due.clear()
                continue
            self._tick(time.monotonic())
        return 0 if told else 1

    def _all_ready(self) -> bool:
        ready = [child.ready for child in self.children.values()]
        return len(ready) == self.workers and all(ready)

    def stop(self) -> None:
        """Ask all to finish; those that take too long are ended."""
        if not self.stopping:
            self.stopping = time.monotonic()
            self.setting.listening.close()  # with the workers' ends nobody is let in any more
        for child in self.children.values():
            with contextlib.suppress(ProcessLookupError):
                os.kill(child.process, signal.SIGTERM)

    def start(self, number: int) -> None:
        """Start a worker in that place."""
        ours, theirs = socket.socketpair()
        busy = self.busy[number - 1]
        busy[:] = bytes(len(busy))
        with warnings.catch_warnings():
            # NumPy's threads are idle here, and its library is made to be forked.
            warnings.simplefilter("ignore", DeprecationWarning)
            process = os.fork()
        if not process:
            os._exit(self._work(number, theirs, busy, ours))
        theirs.close()
        ours.setblocking(False)
        child = Child(number, process, ours, busy, time.monotonic())
        self.children[number] = child
        self.selector.register(ours, selectors.EVENT_READ, child)

    def _work(self, number: int, news: socket.socket, busy: Any, ours: socket.socket) -> int:
        """What a new process does; its exit status."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the supervisor's to tell
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        try:
            ours.close()
            for child in self.children.values():
                child.news.close()
                for handle in child.open.values():
                    os.close(handle)
            for _, lingering in self.lingering:
                lingering.close()
            self.selector.close()
            self.setting.counts.take_row(number)
            connections = Connections(self.setting.bounds.connections, news, busy)
            Worker(self.setting, connections).run()
        except BaseException as error:  # nothing of the supervisor's may go on in a worker
            LOG.error("worker %d ends: %s: %s", number, type(error).__name__, error)
            return 1
        return 0

    # What workers tell.

    def _hear(self, child: Child) -> None:
        while True:
            try:
                data, handles, _, _ = socket.recv_fds(child.news, 4096, 64)
            except BlockingIOError:
                return
            except OSError:
                data, handles = b"", []
            if not data:
                self._ended(child)
                return
            child.unread += data
            while len(child.unread) >= NEWS.size:
                what, number = NEWS.unpack(child.unread[: NEWS.size])
                child.unread = child.unread[NEWS.size :]
                if what == READY:
                    child.ready = True
                elif what == OPENED and handles:
                    child.open[number] = handles.pop(0)
                elif what == CLOSED and number in child.open:
                    os.close(child.open.pop(number))

    def _ended(self, child: Child) -> None:
        """A worker is gone: answer who waited for it, start another."""
        self.selector.unregister(child.news)
        child.news.close()
        del self.children[child.number]
        with contextlib.suppress(ProcessLookupError):
            os.kill(child.process, signal.SIGKILL)  # it may have closed its end and live on
        _, status = os.waitpid(child.process, 0)
        for number, handle in child.open.items():
            self._excuse(socket.socket(fileno=handle), bool(child.busy[number]))
        self.setting.counts.clear_gauges(child.number)
        if self.stopping:
            return
        self.failures += not child.ready
        self.setting.counts.add("", "restarts")
        how = f"signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else "its own end"
        LOG.warning("worker %d died (%s); another is started", child.number, how)
        now = time.monotonic()
        wait = min(SLOWEST, 0.25 * self.failures) if now - child.started < YOUNG else 0.0
        self.due.append((now + wait, child.number))

    def _excuse(self, connection: socket.socket, busy: bool) -> None:
        """A 503 where a request was in progress or came in unread; then an end that is heard."""
        connection.setblocking(False)
        try:
            while connection.recv(65_536):
                busy = True
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EWOULDBLOCK):
                busy = False
        if not busy:
            connection.close()
            return
        with contextlib.suppress(OSError):
            connection.send(DIED)
            connection.shutdown(socket.SHUT_WR)
        self.lingering.append((time.monotonic() + LINGER, connection))

    def _tick(self, now: float) -> None:
        for _, connection in [each for each in self.lingering if each[0] <= now]:
            connection.close()
        self.lingering = [each for each in self.lingering if each[0] > now]
        ripe = [number for when, number in self.due if when <= now]
        self.due = [each for each in self.due if each[0] > now]
        if self.stopping:
            late = now - self.stopping > self.setting.bounds.timeout + LINGER
            for child in self.children.values() if late else ():
                os.kill(child.process, signal.SIGKILL)
            return
        for source in self.setting.sources:
            source.refresh()  # a worker that is started later begins with the last good file
        for number in ripe:
            self.start(number)


def many_files() -> None:
    """Let this process and its workers hold as many connections as the system allows."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MANY_FILES if hard == resource.RLIM_INFINITY else min(MANY_FILES, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def serve_until_stopped(setting: Setting, workers: int, ready: Callable[[], None]) -> int:
    """Answer until SIGTERM or Ctrl-C. Returns 0, or 1 where no worker could be started."""
    log_to_stderr()
    if hasattr(os, "fork") and sys.platform != "darwin":
        try:
            return Supervisor(setting, workers).run(ready)
        finally:
            setting.listening.close()
    if workers > 1:
        raise UsageError("--workers: this system has one worker only")
    setting.counts.take_row(1)
    ready()
    Worker(setting, Connections(setting.bounds.connections, None, bytearray(1 << 16))).run()
    return 0


def log_to_stderr() -> None:
    """A line for what an operator wants to know."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    for name in ("beak.serve", "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.propagate = False
    LOG.setLevel(logging.INFO)


def bounds_of(changed: dict[str, Any]) -> Bounds:
    """The bounds, with those that were given."""
    return Bounds(**{name: value for name, value in changed.items() if value is not None})


Words = Sequence[str]
