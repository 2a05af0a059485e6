"""Examples that come as arrays: idx files, .npz archives, CIFAR's binary batches. Read in pieces,
every length checked against the file before memory is taken.
"""

from __future__ import annotations

import gzip
import os
import re
import struct
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from beak.data.damage import DAMAGED
from beak.data.split import TEST, TRAIN, UNKNOWN, VALIDATION
from beak.errors import DataError

Array = np.ndarray[Any, Any]

IDX_TYPES = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
PIECE = 1 << 22
"""Bytes that are read at a time."""


@dataclass(frozen=True)
class Member:
    """One array inside a file, known but not read."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    open: Callable[[], Any]
    """A context manager giving a stream that stands at the first value."""
    fortran: bool = False

    def pieces(self) -> Iterator[Array]:
        """The rows, some at a time; raises DataError where the file is shorter than it says."""
        row = int(np.prod(self.shape[1:], dtype=object)) * self.dtype.itemsize
        step = max(1, PIECE // max(1, row))
        with telling(self.name), self.open() as stream:
            if self.fortran:
                whole = _values(stream, self.shape[::-1], self.dtype, self.name).T
                yield np.ascontiguousarray(whole)
                return
            for first in range(0, self.shape[0], step):
                count = min(step, self.shape[0] - first)
                yield _values(stream, (count, *self.shape[1:]), self.dtype, self.name)

    def read(self) -> Array:
        """All of it."""
        pieces = list(self.pieces())
        return np.concatenate(pieces) if pieces else np.empty(self.shape, self.dtype)


@dataclass(frozen=True)
class ArrayPart:
    """Pictures and labels of one part of an array source."""

    part: int
    inputs: Member
    labels: Array


def _values(stream: IO[bytes], shape: tuple[int, ...], dtype: np.dtype[Any], name: str) -> Array:
    wanted = int(np.prod(shape, dtype=object)) * dtype.itemsize
    data = bytearray()
    while len(data) < wanted:
        piece = stream.read(min(PIECE, wanted - len(data)))
        if not piece:
            raise DataError(
                f"{name}: cut short ({len(data)} of {wanted} bytes of a piece are there)"
            )
        data += piece
    return np.frombuffer(data, dtype).reshape(shape).astype(dtype.newbyteorder("="), copy=False)


@contextmanager
def telling(name: str) -> Iterator[None]:
    """Any failure of reading inside becomes one DataError line with the file's name."""
    try:
        yield
    except DataError:
        raise
    except MemoryError:
        raise DataError(f"{name}: says it is larger than the memory") from None
    except DAMAGED as error:
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise DataError(f"{name}: damaged or cut short ({reason})") from None


def idx_member(path: Path) -> Member:
    """An idx file (http://yann.lecun.com/exdb/mnist), plain or .gz."""
    name = path.name

    def opened() -> Any:
        return gzip.open(path, "rb") if name.lower().endswith(".gz") else open(path, "rb")

    with telling(name), opened() as stream:
        head = stream.read(4)
        if (
            len(head) < 4
            or head[:2] != b"\0\0"
            or head[2] not in IDX_TYPES
            or not 1 <= head[3] <= 4
        ):
            raise DataError(f"{name}: not an idx file (it starts with {head.hex() or 'nothing'})")
        sizes = stream.read(4 * head[3])
        if len(sizes) < 4 * head[3]:
            raise DataError(f"{name}: cut short within its header")
        shape = struct.unpack(f">{head[3]}I", sizes)
    dtype, start = np.dtype(IDX_TYPES[head[2]]), 4 + 4 * head[3]
    if not name.lower().endswith(".gz"):
        wanted = start + int(np.prod(shape, dtype=object)) * dtype.itemsize
        found = path.stat().st_size
        if found != wanted:
            raise DataError(
                f"{name}: {found} bytes, but its header speaks of {wanted}; get it again"
            )

    @contextmanager
    def at_values() -> Iterator[IO[bytes]]:
        with opened() as stream:
            stream.read(start)
            yield stream

    return Member(name, tuple(shape), dtype, at_values)


def is_idx(name: str) -> bool:
    """Whether a file's name is that of an idx file."""
    return re.search(r"(idx\d|[-.]idx|-ubyte)", name.lower()) is not None


def idx_files(folder: Path) -> list[Path]:
    """The idx files of a folder; where one lies there plain and as .gz, the plain one."""
    names = sorted(n for n in os.listdir(folder) if is_idx(n) and not n.startswith("."))
    return [folder / n for n in names if n.removesuffix(".gz") == n or n[:-3] not in names]


def idx_parts(files: Sequence[Path]) -> list[ArrayPart]:
    """Pictures and labels of idx files, paired by what stands before those words in their names."""
    folder, names = files[0].parent, [file.name for file in files]
    pairs: dict[str, dict[str, Path]] = {}
    for file in files:
        kind = re.search(r"(images|labels)", file.name.lower())
        if kind:
            prefix = file.name[: kind.start()].strip("-_. ").lower()
            pairs.setdefault(prefix, {})[kind.group()] = file
    parts: dict[int, ArrayPart] = {}
    for prefix, pair in sorted(pairs.items()):
        lacking = {"images", "labels"} - set(pair)
        if lacking:
            there = next(iter(pair.values())).name
            raise DataError(f"{folder}: {there} has no {lacking.pop()} file beside it")
        part = part_of(prefix)
        if part in parts:
            raise DataError(
                f"{folder}: more than one data set ({', '.join(sorted(pairs))}); keep one"
            )
        parts[part] = ArrayPart(part, idx_member(pair["images"]), idx_member(pair["labels"]).read())
    if not parts:
        raise DataError(
            f"{folder}: idx files need 'images' or 'labels' in their names; got {names[0]}"
        )
    if len(parts) > 1 and TRAIN not in parts:
        raise DataError(f"{folder}: idx files without a train part ({', '.join(sorted(pairs))})")
    if list(parts) in ([TRAIN], [UNKNOWN]):
        return [ArrayPart(UNKNOWN, p.inputs, p.labels) for p in parts.values()]
    return [parts[p] for p in sorted(parts)]


def part_of(word: str) -> int:
    """train, validation or test, from a file's or key's prefix; UNKNOWN where it says nothing."""
    if "train" in word:
        return TRAIN
    if "val" in word or "dev" in word:
        return VALIDATION
    return TEST if "test" in word or "t10k" in word else UNKNOWN


INPUT_KEYS = ("x", "images", "inputs", "data", "pictures")
LABEL_KEYS = ("y", "labels", "label", "targets", "target")


def npz_parts(path: Path) -> list[ArrayPart]:
    """The pairs of an .npz: x and y (or images, labels), or x_train, y_train, x_test, …"""
    members = npz_members(path)
    pairs: dict[int, dict[str, Member]] = {}
    for key, member in members.items():
        words = re.split(r"[_\-./]", key.lower())
        kind = "x" if set(words) & set(INPUT_KEYS) else "y" if set(words) & set(LABEL_KEYS) else ""
        if kind:
            slot = pairs.setdefault(part_of(key.lower()), {})
            if kind in slot:
                raise DataError(
                    f"{path}: both {slot[kind].name} and {key} could be {kind!r}; keep one"
                )
            slot[kind] = member
    known = ", ".join(members) or "nothing"
    if not any(pair.keys() == {"x", "y"} for pair in pairs.values()):
        raise DataError(f"{path}: no arrays x and y (or x_train, y_train, …) in it; found {known}")
    if len(pairs) > 1 and (TRAIN not in pairs or UNKNOWN in pairs):
        raise DataError(
            f"{path}: which arrays are for training? found {known}; name them x_train, y_train"
        )
    parts = []
    for part, pair in sorted(pairs.items()):
        if pair.keys() != {"x", "y"}:
            raise DataError(
                f"{path}: {next(iter(pair.values())).name} has no partner; found {known}"
            )
        alone = len(pairs) == 1
        parts.append(ArrayPart(UNKNOWN if alone else part, pair["x"], pair["y"].read()))
    return parts


def npz_members(path: Path) -> dict[str, Member]:
    """The arrays of an .npz by key; arrays of Python objects are refused (they would run code)."""
    members = {}
    with telling(path.name), zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            key = info.filename.removesuffix(".npy")
            with archive.open(info) as stream:
                version = np.lib.format.read_magic(stream)
                read = {(1, 0): np.lib.format.read_array_header_1_0}.get(
                    version, np.lib.format.read_array_header_2_0
                )
                shape, fortran, dtype = read(stream)
                start = stream.tell()
            if dtype.hasobject:
                raise DataError(f"{path}: {key} holds Python objects; save plain numbers or text")
            if not shape or int(np.prod(shape, dtype=object)) * dtype.itemsize > info.file_size:
                raise DataError(f"{path}: {key} is shorter than its shape {shape} says")
            members[key] = Member(
                f"{path.name}:{key}", shape, dtype, _npz_opener(path, info.filename, start), fortran
            )
    return members


def _npz_opener(path: Path, filename: str, start: int) -> Callable[[], Any]:
    @contextmanager
    def opened() -> Iterator[IO[bytes]]:
        with zipfile.ZipFile(path) as archive, archive.open(filename) as stream:
            stream.read(start)
            yield stream

    return opened
