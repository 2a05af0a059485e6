"""Opening files that strangers' folders and tables name."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import IO


class NotPlainError(OSError):
    """A pipe or a device where a file was named."""


def open_plain(path: Path) -> IO[bytes]:
    """Open a file for reading; OSError where it is a pipe, a device or a folder.

    Opening a pipe would wait for its writer for ever, and a device may have no end.
    """
    number = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    mode = os.fstat(number).st_mode
    if not stat.S_ISREG(mode):
        os.close(number)
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        raise NotPlainError(errno.EINVAL, "a pipe or device, not a plain file")
    return os.fdopen(number, "rb")
