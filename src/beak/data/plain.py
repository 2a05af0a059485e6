"""Opening files that strangers' folders and tables name."""

from __future__ import annotations

import errno
import io
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import IO

LONGEST = 1 << 30
"""Bytes of a stretch: it is read at once."""


@dataclass(frozen=True)
class Stretch:
    """A file that is a stretch of a larger one, such as an archive."""

    path: Path
    begin: int
    """First byte."""
    size: int


class NotPlainError(OSError):
    """A pipe or a device where a file was named."""


def open_plain(path: Path | Stretch) -> IO[bytes]:
    """Open a file for reading; OSError where it is a pipe, a device or a folder.

    A stretch is read whole; OSError for more than 1 GiB.
    Opening a pipe would wait for its writer for ever, and a device may have no end.
    """
    if isinstance(path, Stretch):
        return _stretch(path)
    number = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    mode = os.fstat(number).st_mode
    if not stat.S_ISREG(mode):
        os.close(number)
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        raise NotPlainError(errno.EINVAL, "a pipe or device, not a plain file")
    return os.fdopen(number, "rb")


def _stretch(place: Stretch) -> IO[bytes]:
    if place.size > LONGEST:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
    from beak.data.far import far_stretch, read_here

    try:
        return io.BytesIO(read_here(place))
    except FileNotFoundError:
        return io.BytesIO(far_stretch(place))
