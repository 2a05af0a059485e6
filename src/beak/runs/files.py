"""Files that are whole or not there: written beside, synced and renamed; read with every check.

Arrays are kept as safetensors (an 8-byte length, a JSON header, the numbers), which any tool of
the field reads. The same arrays and metadata always give the same bytes.
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
import math
import os
import secrets
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from beak.errors import RunError
from beak.runs.safe import AGAIN, DTYPES, HEADER_LIMIT, Header, one_line, parse_header

Array = np.ndarray[Any, Any]

TEXT_LIMIT = 16 << 20
"""Bytes that a text file of ours may have."""
FILE_LIMIT = 16 << 30
"""Bytes that a weights file or checkpoint may have."""
NAMES = {dtype.newbyteorder("="): name for name, dtype in DTYPES.items()}
FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC), errno.EFBIG}


class FullDiskError(RunError):
    """Nothing more can be written there."""

    def __init__(self, begin: str, then: str = "do it again") -> None:
        super().__init__(f"{begin} {then}")
        self.begin = begin


def write_whole(path: Path, pieces: Iterable[bytes | memoryview]) -> None:
    """Write a file so that after a kill or power cut the old or the new one stands, never a part.

    Raises RunError when the disk is full, the directory is gone or may not be written; the old
    file is then untouched.
    """
    if path.exists() and not path.is_file() and not path.is_dir():
        raise RunError(f"{path}: a device or a pipe, which is not replaced; give another path")
    beside = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.part")
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        try:
            with open(os.open(beside, flags, 0o666), "wb", buffering=0) as file:
                for piece in pieces:
                    _write_all(file.fileno(), memoryview(piece))
                os.fsync(file.fileno())
            os.replace(beside, path)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise
        sync_directory(path.parent)
    except OSError as error:
        raise could_not_write(path, error) from None


def _write_all(descriptor: int, rest: memoryview) -> None:
    """Every byte, though one call may take only some of them."""
    rest = rest.cast("B")
    while rest:
        rest = rest[os.write(descriptor, rest[: 64 << 20]) :]


def sync_directory(path: Path) -> None:
    """Make a rename in this directory last through a power cut, where the system can."""
    if os.name != "posix":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network file systems
            raise
    finally:
        os.close(descriptor)


def could_not_write(path: Path, error: OSError) -> RunError:
    """The one line for a write that failed; what stood there before still stands."""
    name = one_line(path, 300)
    if error.errno in FULL:
        return FullDiskError(f"{name} could not be written: the disk is full; make room and")
    if error.errno == errno.ENOENT and not _folder_of(error, path).is_dir():
        why = "its directory is gone; put it back or give another place"
    elif error.errno == errno.ENOENT:
        why = "nothing can be made there; give another place"
    elif error.errno == errno.ENOTDIR:
        why = "a part of its path is a file; give another place"
    elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        why = "no permission to write there; give another place or change the rights"
    else:
        why = f"{one_line(error.strerror or error)}; what was there before is kept"
    return RunError(f"{name} could not be written: {why}")


def _folder_of(error: OSError, path: Path) -> Path:
    """Where what failed should have been made: on the way to the path, or beside it."""
    return Path(os.fsdecode(error.filename) if error.filename else path).parent


def write_arrays(path: Path, arrays: Mapping[str, Array], metadata: Mapping[str, str]) -> None:
    """Write arrays and metadata as safetensors, with a sha256 of the data in the metadata.

    Raises RunError as ``write_whole`` does.
    """
    data = {name: _little_endian(name, array) for name, array in arrays.items()}
    order = sorted(data, key=lambda name: (-data[name].itemsize, name))  # keeps all aligned
    digest, entries, at = hashlib.sha256(), {}, 0
    for name in order:
        array = data[name]
        digest.update(array.reshape(-1).view(np.uint8).data)
        entries[name] = {
            "dtype": NAMES[array.dtype.newbyteorder("=")],
            "shape": list(array.shape),
            "data_offsets": [at, at + array.nbytes],
        }
        at += array.nbytes
    kept = {**dict(sorted(metadata.items())), "sha256": digest.hexdigest()}
    text = json.dumps({"__metadata__": kept, **entries}, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    if len(text) > HEADER_LIMIT:
        raise RunError(
            f"{one_line(path, 300)}: names, labels and settings take {len(text):,} bytes, at most "
            f"{HEADER_LIMIT:,} fit; give shorter names"
        )
    numbers = (data[name].reshape(-1).view(np.uint8).data for name in order)
    write_whole(path, (len(text).to_bytes(8, "little") + text, *numbers))


def _little_endian(name: str, array: Array) -> Array:
    """The array as the file keeps it: C order, little endian, of a known kind."""
    if array.dtype.newbyteorder("=") not in NAMES:
        raise TypeError(f"array '{name}' is {array.dtype}; files of ours hold {list(DTYPES)}")
    kept: Array = np.asarray(array, dtype=array.dtype.newbyteorder("<"), order="C")
    return kept


def read_header(path: Path) -> Header:
    """The checked header alone: names, shapes and metadata, without reading the numbers.

    Raises RunError as ``read_arrays`` does.
    """
    try:
        with _opened(path) as file:
            return _header(file, path)[0]
    except OSError as error:
        raise could_not_read(path, error) from None


def read_arrays(
    path: Path,
    wanted: Mapping[str, tuple[int, ...]] | None = None,
    *,
    checksum: bool = False,
) -> tuple[dict[str, Array], dict[str, str]]:
    """Arrays and metadata of a safetensors file from anywhere, fully checked.

    ``wanted``: the shapes by name that the file must hold, no more and no fewer, all float32.
    ``checksum``: a file without our sha256 is refused; one with a wrong one always is.

    Raises RunError: no such file, no regular file, cut short, damaged, too large.
    """
    name = one_line(path, 300)
    try:
        with _opened(path) as file:
            header, begin = _header(file, path)
            if wanted is not None:
                check_wanted(header, wanted, name)
            told = header.metadata.get("sha256")
            if checksum and told is None:
                raise RunError(f"{name} has no checksum; {AGAIN}")
            arrays, digest = _numbers(file, header, begin, name)
    except OSError as error:
        raise could_not_read(path, error) from None
    except MemoryError:
        raise RunError(
            f"{name} does not fit into memory; close programs or use a bigger machine"
        ) from None
    if told is not None and told != digest:
        raise RunError(
            f"{name}: the numbers do not match their checksum (sha256), so some changed since they "
            "were written; take another copy or train again"
        )
    return arrays, header.metadata


def could_not_read(path: Path, error: OSError) -> RunError:
    """The one line for a file that cannot be opened or read."""
    name = one_line(path, 300)
    if isinstance(error, FileNotFoundError):
        return RunError(f"{name} is not there; give a run directory or a model.safetensors")
    return RunError(f"{name} could not be read: {one_line(error.strerror or error)}")


def read_text(path: Path) -> str:
    """A text file of ours; RunError where it is missing, no UTF-8 or far too large."""
    try:
        if path.stat().st_size > TEXT_LIMIT:
            raise RunError(f"{one_line(path, 300)} is larger than {TEXT_LIMIT >> 20} MB; {AGAIN}")
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise RunError(f"{one_line(path, 300)} is not UTF-8 text; {AGAIN}") from None
    except OSError as error:
        raise could_not_read(path, error) from None


def _opened(path: Path) -> io.BufferedReader:
    """The file opened for reading; pipes, devices and directories are refused before that."""
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise RunError(f"{one_line(path, 300)} is no ordinary file; give a model.safetensors")
    return open(path, "rb")


def _header(file: io.BufferedReader, path: Path) -> tuple[Header, int]:
    """The header and where the data begins."""
    name, size = one_line(path, 300), os.fstat(file.fileno()).st_size
    first = file.read(8)
    if len(first) < 8:
        raise RunError(f"{name} has only {size} bytes: empty or cut short; copy it again")
    length = int.from_bytes(first, "little")
    if length > HEADER_LIMIT or length < 2:
        raise RunError(f"{name} is no safetensors file; give a run directory or model.safetensors")
    if 8 + length > size:
        raise RunError(f"{name} is cut short within its header; copy it again or train again")
    if size > FILE_LIMIT:
        raise RunError(f"{name} has {size:,} bytes; at most {FILE_LIMIT:,} are read")
    return parse_header(file.read(length), size - 8 - length, name), 8 + length


def check_wanted(header: Header, wanted: Mapping[str, tuple[int, ...]], name: str) -> None:
    """The file holds exactly the wanted names, float32, in the wanted shapes; else RunError."""
    for missing in wanted.keys() - header.entries.keys():
        raise RunError(f"{name}: the weights '{one_line(missing)}' are missing; {AGAIN}")
    for more in header.entries.keys() - wanted.keys():
        raise RunError(f"{name}: '{one_line(more)}' belongs to no layer of its network; {AGAIN}")
    for key, entry in header.entries.items():
        if entry.shape != tuple(wanted[key]) or entry.dtype != "F32":
            raise RunError(
                f"{name}: '{one_line(key)}' is {entry.dtype} {one_line(list(entry.shape))}, the "
                f"network needs F32 {one_line(list(wanted[key]))}; {AGAIN}"
            )


def _numbers(
    file: io.BufferedReader, header: Header, begin: int, name: str
) -> tuple[dict[str, Array], str]:
    """The arrays in the header's order, read one after the other, and the sha256 of all."""
    digest, arrays = hashlib.sha256(), {}
    for key, entry in sorted(header.entries.items(), key=lambda item: (item[1].start, item[1].end)):
        array = np.empty(math.prod(entry.shape), dtype=DTYPES[entry.dtype])
        file.seek(begin + entry.start)
        if file.readinto(array.view(np.uint8).data) != array.nbytes:
            raise RunError(f"{name} was cut short while it was read; try again")
        digest.update(array.view(np.uint8).data)
        native = array.astype(array.dtype.newbyteorder("="), copy=False)
        arrays[key] = native.reshape(entry.shape)
    return {key: arrays[key] for key in header.entries}, digest.hexdigest()
