"""What readers of files raise when a file is damaged."""

from __future__ import annotations

import struct
import tarfile
import zipfile
import zlib

DAMAGED: tuple[type[Exception], ...] = (
    OSError,
    EOFError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    AssertionError,
    RuntimeError,
    SyntaxError,
    BufferError,
    struct.error,
    zlib.error,
    tarfile.TarError,
    zipfile.BadZipFile,
    Warning,  # where a program has made errors of them
)
"""Decoders of pictures, archives and arrays trust what a file says of itself: an impossible size
or a missing byte shows as any of these, wherever it is met first.
"""
