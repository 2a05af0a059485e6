"""A lock between processes on one file's work; the system frees it however its holder ends."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

BUSY = {errno.EACCES, errno.EAGAIN, errno.EWOULDBLOCK, errno.EDEADLK}


@contextlib.contextmanager
def locked(path: Path, *, wait: bool) -> Iterator[None]:
    """Hold the lock file ``path``, which is there only while somebody holds it.

    Where another process (or another thread) holds it: ``wait`` for it, or raise BlockingIOError.
    Raises OSError where the file cannot be made; a file system without locks counts as free.
    """
    descriptor = _take(path, wait)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            path.unlink()  # while we still hold it: whoever waits sees another file and tries again
        os.close(descriptor)
        if os.name != "posix":
            with contextlib.suppress(OSError):
                path.unlink()


def _take(path: Path, wait: bool) -> int:
    """An open descriptor of the lock file, locked; the file is the one that lies there now."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            _lock(descriptor, wait)
            if _still_there(descriptor, path):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _lock(descriptor: int, wait: bool) -> None:
    try:
        if os.name == "posix":
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        else:
            import msvcrt

            how = msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK  # type: ignore[attr-defined]
            msvcrt.locking(descriptor, how, 1)  # type: ignore[attr-defined]
    except OSError as error:
        if error.errno in BUSY:
            raise BlockingIOError(error.errno, "held by another") from None


def _still_there(descriptor: int, path: Path) -> bool:
    """Whether the path still leads to the file we locked, not to one made since."""
    if os.name != "posix":
        return True
    try:
        there = os.stat(path)
    except OSError:
        return False
    return os.path.samestat(there, os.fstat(descriptor))
