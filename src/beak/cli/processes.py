"""``--processes N``: the same command in N processes on this machine, through torchrun."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType

import click

from beak.errors import BeakError, MissingExtraError, UsageError

RESTARTS = 3
"""How often a lost process brings all back to the last checkpoint."""
PLACE = "BEAK_PROCESSES"
"""Names the folder in which the first process leaves the exit code."""


def start_processes(count: int, arguments: Sequence[str]) -> int:
    """Run ``beak`` with these arguments in so many processes; the exit code of the first.

    Ctrl-C asks all of them once to stop; torchrun would not wait for their last checkpoint.
    """
    from beak.engine.choice import has_torch
    from beak.train.together import KEPT, processes

    if processes() > 1:
        raise UsageError("--processes: torchrun has started several already; leave it out")
    if not has_torch():
        raise MissingExtraError("--processes", "torch")
    with tempfile.TemporaryDirectory(prefix="beak-") as place:
        typed = [
            sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node",
            str(count), "--max-restarts", str(RESTARTS), "-m", "beak", *arguments,
        ]  # fmt: skip
        quiet = {"LOGLEVEL": "CRITICAL", "TORCH_CPP_LOG_LEVEL": "ERROR", "OMP_NUM_THREADS": "1"}
        environment = {**quiet, **os.environ, PLACE: place, KEPT: str(Path(place, "run"))}
        child = subprocess.Popen(typed, env=environment, start_new_session=True)
        _forward_signals(child)
        code = child.wait()
        left = Path(place, "code")
        return int(left.read_text()) if left.exists() else min(abs(code), 1)


def _forward_signals(child: subprocess.Popen[bytes]) -> None:
    def forward(number: int, frame: FrameType | None) -> None:
        for worker in _children(child.pid):
            os.kill(worker, number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, forward)


def _children(parent: int) -> list[int]:
    """The processes that torchrun has started; itself where they cannot be told."""
    listed = Path(f"/proc/{parent}/task/{parent}/children")
    try:
        found = [int(word) for word in listed.read_text().split()]
    except OSError:
        found = []
    return found or [parent]


@contextlib.contextmanager
def one_of_several() -> Iterator[None]:
    """Of several processes the first alone says what went wrong, and that is the end.

    A process that lost another one ends at once and says nothing: torchrun starts all again. What
    all would meet again ends the command: the processes that are started then leave at once.
    """
    from beak.engine.group import LostProcessError
    from beak.train.together import is_first, processes, restarted

    place = os.environ.get(PLACE)
    code = Path(place, "code") if place else None
    if code is not None and code.exists():
        click.get_current_context().exit(0)
    try:
        yield
    except LostProcessError:
        if restarted() or place:
            click.get_current_context().exit(1)
        raise
    except (BeakError, KeyboardInterrupt) as error:
        if processes() > 1 and not is_first():
            click.get_current_context().exit(1)
        if code is not None:
            code.write_text(str(getattr(error, "exit_code", 1)))
        raise
