"""The command's side of ``--processes``: starts torchrun, lets its processes in, ends them."""

from __future__ import annotations

import contextlib
import json
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from beak.cli.door import DOOR, TORCHRUN
from beak.errors import BeakError, RunError, UsageError

TICK = 0.1
"""Seconds between two looks at what was asked meanwhile."""
FIRST_SAYS = 5.0
"""Seconds for the first process to say itself what another one has met."""
LEAVING = 20.0
"""Seconds for the others to end after the first has ended well."""
LAST_LINES = 30
"""How many of torchrun's own lines are shown when it fails."""


@dataclass
class Launcher:
    """What is known of the processes, from what they tell at the door."""

    place: Path
    code: int | None = None
    """The exit code, once the first process has told it."""
    asked: list[int] = field(default_factory=list)
    """Signals that came, in order."""
    inside: dict[socket.socket, int] = field(default_factory=dict)
    """Open connections -> rank."""
    starts: int = 0
    """How often the first process has come."""

    def __post_init__(self) -> None:
        self._door = socket.socket(socket.AF_UNIX)
        self._door.bind(str(self.place / DOOR))
        self._door.listen(1024)
        self._eyes = selectors.DefaultSelector()
        self._eyes.register(self._door, selectors.EVENT_READ)
        self._passed_on = 0
        self._wrong: BeakError | None = None
        self._since: float | None = None

    def run(self, typed: list[str], environment: dict[str, str]) -> int:
        """Start torchrun and stay until all is over; the exit code.

        Raises what no process could say: that it was stopped, or that torchrun failed.
        """
        words = self.place / "torchrun.txt"
        with words.open("wb") as file, self._hearing_signals():
            child = subprocess.Popen(typed, env=environment, stderr=file, start_new_session=True)
            try:
                while child.poll() is None and not self._over():
                    self._look()
                    self._pass_on()
            finally:
                self._end(child)
        if self.code is not None:
            return self.code
        if self.asked:
            raise stopped(self._run())
        if self._wrong is not None:
            raise self._wrong
        if child.returncode == 0:
            return 0
        raise self._lost(words)

    @contextlib.contextmanager
    def _hearing_signals(self) -> Iterator[None]:
        def hear(number: int, frame: FrameType | None) -> None:
            self.asked.append(number)

        before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        for number, handler in before.items():
            if handler is not signal.SIG_IGN:  # ignored: whoever started us wants no stopping
                signal.signal(number, hear)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _look(self) -> None:
        """Let in who comes, hear who tells something."""
        for key, _ in self._eyes.select(TICK):
            if key.fileobj is self._door:
                self._let_in(self._door.accept()[0])
            else:
                assert isinstance(key.fileobj, socket.socket)
                self._hear(key.fileobj)

    def _let_in(self, who: socket.socket) -> None:
        who.settimeout(1)
        try:
            rank = int(read(who)["rank"])
            number = self.asked[0] if self.asked and self._passed_on else 0
            socket.send_fds(who, [bytes([number])], [sys.stderr.fileno()])
        except (OSError, ValueError, KeyError):
            who.close()
            return
        self.inside[who] = rank
        self.starts += rank == 0
        self._eyes.register(who, selectors.EVENT_READ)

    def _hear(self, who: socket.socket) -> None:
        try:
            told = read(who)
        except (OSError, ValueError):  # it has ended
            self._eyes.unregister(who)
            del self.inside[who]
            who.close()
            return
        if "wrong" not in told:
            self.code = told["code"]
        elif self._wrong is None:
            kind = UsageError if told["code"] == UsageError.exit_code else RunError
            self._wrong, self._since = kind(told["wrong"]), time.monotonic()
        if self._since is None:
            self._since = time.monotonic()

    def _pass_on(self) -> None:
        """Tell those inside, once, that they are to stop; who comes later is told at the door."""
        if self.asked and not self._passed_on:
            self._passed_on = self.asked[0]
            for who, rank in self.inside.items():
                if rank != TORCHRUN:
                    with contextlib.suppress(OSError):
                        who.sendall(bytes([self._passed_on]))

    def _over(self) -> bool:
        """Whether the end need not be waited for any more."""
        first_is_here = 0 in self.inside.values()
        waited = 0.0 if self._since is None else time.monotonic() - self._since
        if len(self.asked) > 1:
            return True
        if self.code == 0:
            return waited > LEAVING and not first_is_here
        if self.code is not None or self._passed_on:
            return not first_is_here
        return self._wrong is not None and waited > FIRST_SAYS

    def _end(self, child: subprocess.Popen[bytes]) -> None:
        """End what still runs: all that are inside end when their connection does."""
        self._eyes.close()
        for each in (self._door, *self.inside):
            each.close()
        try:
            child.wait(5)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()

    def _run(self) -> str | None:
        """Where the run lies, once it is begun."""
        kept = self.place / "run"
        return kept.read_text() if kept.exists() else None

    def _lost(self, words: Path) -> RunError:
        lines = words.read_text(errors="replace").splitlines()[-LAST_LINES:]
        print(*lines, sep="\n", end="\n" * bool(lines), file=sys.stderr, flush=True)
        if not self.starts:
            return RunError("torchrun could not start the processes; its own words stand above")
        how = f"a process was lost in each of {self.starts} starts; torchrun's words stand above"
        return RunError("; ".join([how, *go_on_with(self._run())]))


def read(who: socket.socket) -> dict[str, Any]:
    """What one process tells: a line. Raises ValueError when there is none."""
    line = b""
    while not line.endswith(b"\n"):
        part = who.recv(65536)
        if not part:
            raise ValueError("it has ended")
        line += part
    told: dict[str, Any] = json.loads(line)
    return told


def stopped(run: str | None) -> RunError:
    """What Ctrl-C answers where the training itself does not."""
    if run is None:
        return RunError("stopped before the training began")
    return RunError("; ".join(["stopped", *go_on_with(run)]))


def go_on_with(run: str | None) -> list[str]:
    """What to type to go on with a run, if there is one."""
    import shlex

    return [] if run is None else [f"go on with: beak train --resume {shlex.quote(run)}"]
