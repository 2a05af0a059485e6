"""One file of named arrays: memory-mapped when read, checked, written beside and renamed.

Layout: 64 bytes of head (magic, version, where the index is, checksums), then the arrays, each at
a multiple of 64 bytes, then the index as JSON: each array's type, shape, place and a CRC-32 for
every 4 MiB. Nothing in it is ever executed.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import struct
import time
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from beak.errors import DataError

Array = np.ndarray[Any, Any]

MAGIC = b"BEAKDATA"
VERSION = 1
HEAD = struct.Struct("<8sIIQQ")
BLOCK = 1 << 22
TYPES = ("|u1", "|i1", "<i2", "<u2", "<i4", "<i8", "<f4", "<f8")
INDEX_LIMIT = 1 << 26
CHECKED = 1 << 28
"""Bytes of an array whose checksums are tested on opening: all blocks up to 256 MiB, beyond that
blocks spread evenly over it, so that opening stays quick."""


class DamagedStoreError(Exception):
    """The file is not what was written; the text says how."""


class UnwritableError(DataError):
    """Nothing can be written at this place, full disks aside; another place may do."""


@dataclass(frozen=True)
class Store:
    """An opened file: what was said about it, and its arrays (memory-mapped, read-only)."""

    info: dict[str, Any]
    arrays: dict[str, Array]


def open_store(path: Path) -> Store:
    """Open and check. Raises DamagedStoreError, or FileNotFoundError where there is none."""
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            index = _index(file, size)
            info, sections = index["info"], index["sections"]
            if not isinstance(info, dict) or not isinstance(sections, dict):
                raise DamagedStoreError("its index is not as written")
            arrays = {name: _section(file, size, told) for name, told in sections.items()}
        return Store(info, arrays)
    except (OSError, DamagedStoreError) as error:
        if isinstance(error, OSError) and not isinstance(error, FileNotFoundError):
            raise DamagedStoreError(error.strerror or "cannot be read") from None
        raise
    except (KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise DamagedStoreError(f"its index is not as written ({type(error).__name__})") from None


def _index(file: IO[bytes], size: int) -> Any:
    head = file.read(64)
    if len(head) < 64:
        raise DamagedStoreError("it is cut short")
    magic, version, check, place, length = HEAD.unpack(head[: HEAD.size])
    if magic != MAGIC:
        raise DamagedStoreError("it is no cache of beak")
    if version != VERSION:
        raise DamagedStoreError(f"it has format {version}, this beak reads {VERSION}")
    if struct.pack("<I", zlib.crc32(head[: HEAD.size])) != head[HEAD.size : HEAD.size + 4]:
        raise DamagedStoreError("its head is damaged")
    if place + length != size or length > INDEX_LIMIT:
        raise DamagedStoreError("it is cut short")
    file.seek(place)
    text = file.read(length)
    if zlib.crc32(text) != check:
        raise DamagedStoreError("its index is damaged")
    return json.loads(text)


def _section(file: IO[bytes], size: int, told: Any) -> Array:
    shape = tuple(told["shape"])
    if told["type"] not in TYPES or any(type(n) is not int or n < 0 for n in shape):
        raise DamagedStoreError("its index is not as written")
    dtype = np.dtype(told["type"])
    count = int(np.prod(shape, dtype=object)) * dtype.itemsize
    place, sums = told["place"], told["sums"]
    if type(place) is not int or place < 64 or place + count > size:
        raise DamagedStoreError("it is cut short")
    if len(sums) != -(-count // BLOCK):
        raise DamagedStoreError("its index is not as written")
    for block in range(0, len(sums), max(1, -(-count // CHECKED))):
        file.seek(place + block * BLOCK)
        if zlib.crc32(file.read(min(BLOCK, count - block * BLOCK))) != sums[block]:
            raise DamagedStoreError("its content is damaged")
    if not count:
        return np.empty(shape, dtype)
    # of the open file, not of its path: another process may put a new one there meanwhile
    return np.memmap(file, dtype, "r", place, shape)


class StoreWriter:
    """Writes a store piece by piece; what is not finished leaves nothing behind.

    Use as a context manager. Raises DataError, one line, when the disk is full, UnwritableError
    when nothing can be written there at all.
    """

    def __init__(self, path: Path, expected: int = 0) -> None:
        self.path = path
        self.sections: dict[str, dict[str, Any]] = {}
        self._current: dict[str, Any] = {}
        self._running = 0
        self._in_block = 0
        self._finished = False
        self._expected = expected

    def __enter__(self) -> StoreWriter:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            _clear_old(self.path.parent)
            self._beside = self.path.with_name(f".{self.path.name}.{os.getpid()}.tmp")
            self._file = open(self._beside, "wb")
            self._file.write(bytes(64))
            if self._expected and hasattr(os, "posix_fallocate"):
                self._reserve()
            if self.path.is_dir():
                raise IsADirectoryError(errno.EISDIR, f"{self.path.name} is a folder")
        except OSError as error:
            self._drop()
            raise self._told(error) from None
        return self

    def _reserve(self) -> None:
        """Ask for the room before the work: a full disk is told at once, not at the end."""
        try:
            os.posix_fallocate(self._file.fileno(), 0, self._expected)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                raise

    def __exit__(self, *_: object) -> None:
        if not self._finished:
            self._drop()

    def _drop(self) -> None:
        with contextlib.suppress(OSError, AttributeError):
            self._file.close()
        with contextlib.suppress(OSError, AttributeError):
            self._beside.unlink()

    def _told(self, error: OSError) -> DataError:
        place = f"cannot write the cache in {self.path.parent}"
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            return UnwritableError(
                f"{place}: {error.strerror}; choose another folder with BEAK_CACHE"
            )
        need = f" (about {self._expected >> 20} MiB are needed)" if self._expected >> 20 else ""
        return DataError(
            f"{place}: the disk is full{need}; make room, or choose another folder with BEAK_CACHE"
        )

    def start(self, name: str, dtype: str, row_shape: tuple[int, ...]) -> None:
        """Begin an array whose number of rows is not known yet."""
        place = -(-self._file.tell() // 64) * 64
        self._file.seek(place)
        told = {"type": dtype, "shape": [0, *row_shape], "place": place, "sums": []}
        self.sections[name] = self._current = told
        self._running = self._in_block = 0

    def append(self, rows: Array) -> None:
        """More rows of the array that was begun."""
        values = np.ascontiguousarray(rows, np.dtype(self._current["type"]))
        self._current["shape"][0] += len(values)
        data = values.reshape(-1).view(np.uint8).data
        try:
            self._file.write(data)
        except OSError as error:
            self._drop()
            raise self._told(error) from None
        while len(data):
            piece = data[: BLOCK - self._in_block]
            self._running = zlib.crc32(piece, self._running)
            self._in_block += len(piece)
            data = data[len(piece) :]
            if self._in_block == BLOCK:
                self.end()

    def end(self) -> None:
        """Close the running checksum."""
        if self._in_block:
            self._current["sums"].append(self._running)
        self._running = self._in_block = 0

    def add(self, name: str, values: Array) -> None:
        """A whole array."""
        dtype = values.dtype.newbyteorder("<").str
        self.start(name, dtype, values.shape[1:])
        self.append(values)
        self.end()

    def finish(self, info: dict[str, Any]) -> None:
        """Write the index and the head, put it safely on the disk and in its place."""
        text = json.dumps({"info": info, "sections": self.sections}).encode()
        try:
            place = self._file.tell()
            self._file.write(text)
            self._file.truncate()
            self._file.seek(0)
            head = HEAD.pack(MAGIC, VERSION, zlib.crc32(text), place, len(text))
            self._file.write(head + struct.pack("<I", zlib.crc32(head)))
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            os.replace(self._beside, self.path)
        except OSError as error:
            self._drop()
            raise self._told(error) from None
        self._finished = True


def write_store(path: Path, info: dict[str, Any], arrays: dict[str, Array]) -> None:
    """A store of arrays that are in memory."""
    with StoreWriter(path) as writer:
        for name, values in arrays.items():
            writer.add(name, values)
        writer.finish(info)


def _clear_old(folder: Path) -> None:
    """Remove what writers that were killed left behind more than a day ago."""
    for old in folder.glob(".*.tmp"):
        with contextlib.suppress(OSError):
            if time.time() - old.stat().st_mtime > 86400:
                old.unlink()


def pack_names(names: Iterable[str]) -> Array:
    """Names as one row of bytes."""
    return np.frombuffer("\0".join(names).encode("utf-8", "surrogateescape"), np.uint8)


def unpack_names(data: Array) -> list[str]:
    """The names again."""
    text = data.tobytes().decode("utf-8", "surrogateescape")
    return text.split("\0") if text else []
