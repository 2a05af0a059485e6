"""One training at a time in one run directory; a lock that a killed process cannot leave behind."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from beak.errors import RunError
from beak.runs.files import could_not_write
from beak.runs.safe import one_line

BUSY = {errno.EACCES, errno.EAGAIN, errno.EWOULDBLOCK, errno.EDEADLK}


@contextlib.contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Hold the directory's lock; the system frees it when the process ends in whatever way.

    Raises RunError at once when another process, or another training of this one, holds it.
    """
    path = directory / ".lock"
    descriptor = _take(path)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            path.unlink()  # while we still hold it: whoever waits sees another file and tries again
        os.close(descriptor)
        if os.name != "posix":
            with contextlib.suppress(OSError):
                path.unlink()


def _take(path: Path) -> int:
    """An open descriptor of the lock file, locked; the file is the one that lies there now."""
    while True:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise could_not_write(path, error) from None
        try:
            if not _lock(descriptor):
                raise RunError(
                    f"another training runs in {one_line(path.parent, 300)}; wait for it, stop it, "
                    "or give another --out"
                )
            if _still_there(descriptor, path):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _lock(descriptor: int) -> bool:
    """Whether the lock was free; a file system without locks counts as free."""
    try:
        if os.name == "posix":
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
    except OSError as error:
        return error.errno not in BUSY
    return True


def _still_there(descriptor: int, path: Path) -> bool:
    """Whether the path still leads to the file we locked, not to one made since."""
    if os.name != "posix":
        return True
    try:
        there = os.stat(path)
    except OSError:
        return False
    return os.path.samestat(there, os.fstat(descriptor))
