"""``--processes N``: the same command in N processes on this machine, through torchrun."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import click

from beak.cli.door import PLACE, Door
from beak.errors import BeakError, MissingExtraError, UsageError

RESTARTS = 3
"""How often a lost process brings all back to the last checkpoint."""
LONGEST = 60
"""Characters that the folder for temporary files may have: a socket's path is short."""


def start_processes(count: int, arguments: Sequence[str]) -> int:
    """Run ``beak`` with these arguments in so many processes; the exit code of the first.

    Ctrl-C asks all of them once to stop, the second one ends them at once.
    """
    from beak.cli.launcher import Launcher
    from beak.engine.choice import has_torch
    from beak.train.together import KEPT, processes

    if processes() > 1:
        raise UsageError("--processes: torchrun has started several already; leave it out")
    if not has_torch():
        raise MissingExtraError("--processes", "torch")
    room = tempfile.gettempdir()
    with tempfile.TemporaryDirectory(
        prefix="beak-", dir=room if len(room) <= LONGEST else "/tmp"
    ) as place:
        typed = [
            sys.executable, "-m", "beak.cli.launched", "--standalone", "--nproc-per-node",
            str(count), "--max-restarts", str(RESTARTS), "--log-dir", str(Path(place, "logs")),
            "-m", "beak", *arguments,
        ]  # fmt: skip
        environment = {
            "OMP_NUM_THREADS": "1", **os.environ, PLACE: place, KEPT: str(Path(place, "run")),
        }  # fmt: skip
        return Launcher(Path(place)).run(typed, environment)


class OneOfSeveral:
    """Of several processes the first alone says what went wrong, and that is the end.

    A process that lost another one ends at once and says nothing: torchrun starts all again. What
    all would meet again ends the command.
    """

    def __enter__(self) -> OneOfSeveral:
        from beak.train.together import is_first, processes

        self._first, self._several = is_first(), processes() > 1
        self._door = Door(int(os.environ["RANK"])) if os.environ.get(PLACE) else None
        if self._door is not None and self._door.asked:
            raise click.exceptions.Exit(1)  # stopped before it came: the command says so
        return self

    def listen(self) -> None:
        """From here on Ctrl-C of the command is one here."""
        if self._door is not None:
            self._door.listen()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        if self._door is not None:
            self._door.leave()
        from beak.engine.group import LostProcessError
        from beak.train.fit import StoppedError
        from beak.train.together import restarted

        code = 0 if error is None else int(getattr(error, "exit_code", 1))
        if self._door is None:
            lost = isinstance(error, LostProcessError)
            told = isinstance(error, (BeakError, KeyboardInterrupt))
            if (lost and restarted()) or (told and not lost and self._several and not self._first):
                raise click.exceptions.Exit(1)
            return
        ended_by_torchrun = isinstance(error, StoppedError) and not self._door.asked
        if isinstance(error, LostProcessError) or ended_by_torchrun:
            raise click.exceptions.Exit(1)
        if self._first:
            self._door.ended(code)
        elif error is not None:
            if not self._door.asked:
                self._door.failed(_in_words(error), code)
            self._door.wait()


def _in_words(error: BaseException) -> str:
    from beak.cli.failures import one_line

    line, _ = one_line(error, ["train"])
    return f"process {os.environ.get('RANK')}: {line.partition(': ')[2]}"
