"""One training at a time in one run directory; a lock that a killed process cannot leave behind."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from beak.data import lock
from beak.errors import RunError
from beak.runs.files import could_not_write
from beak.runs.safe import one_line


@contextlib.contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Hold the directory's lock; the system frees it when the process ends in whatever way.

    Raises RunError at once when another process, or another training of this one, holds it.
    """
    path = directory / ".lock"
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(lock.locked(path, wait=False))
        except BlockingIOError:
            raise RunError(
                f"another training runs in {one_line(path.parent, 300)}; wait for it, stop it, "
                "or give another place"
            ) from None
        except OSError as error:
            raise could_not_write(path, error) from None
        yield
