"""Word vectors that others have trained, read from their files without loading all of it.

word2vec's text and binary forms, GloVe, fastText's .vec, and .safetensors with one table of
numbers, whose words stand in its metadata ("words", a JSON list) or beside it in vocab.txt.
"""

from __future__ import annotations

import json
import mmap
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from beak.errors import DataError, UsageError

Array = np.ndarray[Any, Any]

MOST_DIMENSIONS = 8192
LONGEST_LINE = 1 << 20
TYPES = {"F32": np.float32, "F16": np.float16, "F64": np.float64}


@dataclass(frozen=True)
class Vectors:
    """The vectors of some words."""

    dimensions: int
    found: Array
    """bool (words,): which words the file has."""
    values: Array
    """float32 (words, dimensions): zeros where it has none."""
    skipped: int
    """Lines of the file that are no vector."""


def dimensions_of(path: Path) -> int:
    """How many numbers a vector of this file has. Raises UsageError, DataError."""
    return _opened(path)[0]


def read_vectors(path: Path, wanted: Mapping[str, int]) -> Vectors:
    """The vectors of ``wanted`` words (word to row). The first of a word that stands twice counts.

    Raises UsageError where there is no such file, DataError where it is none of the known forms.
    """
    dimensions, entries = _opened(path)
    values = np.zeros((len(wanted), dimensions), np.float32)
    found, skipped = np.zeros(len(wanted), bool), 0
    for word, numbers in entries:
        row = wanted.get(word)
        if row is None or found[row]:
            continue
        vector = numbers()
        if vector is None or len(vector) != dimensions or not np.isfinite(vector).all():
            skipped += 1
            continue
        values[row], found[row] = vector, True
    return Vectors(dimensions, found, values, skipped)


Entries = Iterator[tuple[str, Any]]
"""Each word with a function that gives its numbers, or None where they are none."""


def _opened(path: Path) -> tuple[int, Entries]:
    if not path.is_file():
        raise UsageError(f"--vectors {path}: there is no such file")
    if path.suffix.lower() == ".safetensors":
        return _table(path)
    with path.open("rb") as file:
        head = file.readline(LONGEST_LINE)
        rest = file.read(4096)
    if head.startswith((b"\x1f\x8b", b"PK")):
        raise DataError(f"{path}: packed; unpack it first")
    cells = head.split()
    counted = len(cells) == 2 and all(cell.isdigit() and len(cell) < 16 for cell in cells)
    if counted:
        _check_dimensions(path, int(cells[1]))
    if counted and _is_binary(rest, int(cells[1])):
        return int(cells[1]), _binary(path, len(head), int(cells[0]), int(cells[1]))
    if counted:
        dimensions, begin = int(cells[1]), len(head)
    else:
        dimensions, begin = len(head.rstrip().split(b" ")) - 1, 0
        if dimensions < 1 or _numbers(head.rstrip().split(b" ")[1:]) is None:
            raise DataError(
                f"{path}: no word vectors: word2vec (text or binary), GloVe, fastText's .vec or "
                ".safetensors are read"
            )
    _check_dimensions(path, dimensions)
    return dimensions, _lines(path, begin, dimensions)


def _check_dimensions(path: Path, dimensions: int) -> None:
    if not 1 <= dimensions <= MOST_DIMENSIONS:
        raise DataError(f"{path}: vectors of {dimensions} numbers; 1 to {MOST_DIMENSIONS} are read")


def _is_binary(rest: bytes, dimensions: int) -> bool:
    """Whether raw numbers follow a word: text has numbers in digits behind each space."""
    line = rest.split(b"\n", 1)[0].split(b" ")
    return not (len(line) > dimensions and _numbers(line[-dimensions:]) is not None) and (
        any(byte < 9 for byte in rest) or any(byte > 126 for byte in rest)
    )


def _numbers(cells: list[bytes]) -> Array | None:
    try:
        return np.array([float(cell) for cell in cells], np.float32)
    except ValueError:
        return None


def _lines(path: Path, begin: int, dimensions: int) -> Entries:
    with path.open("rb") as file:
        file.seek(begin)
        while line := file.readline(LONGEST_LINE):
            cells = line.rstrip().rsplit(b" ", dimensions)  # GloVe has words with spaces in them
            if len(cells) == dimensions + 1:
                word = cells[0].decode("utf-8", "replace")
                yield word, lambda cells=cells: _numbers(cells[1:])


def _binary(path: Path, begin: int, words: int, dimensions: int) -> Entries:
    size = 4 * dimensions
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as held:
        place = begin
        for number in range(words):
            space = held.find(b" ", place, place + 4096)
            if space < 0 or space + 1 + size > len(held):
                raise DataError(f"{path}: cut short: {number:,} of {words:,} vectors are there")
            word = held[place:space].lstrip(b"\n").decode("utf-8", "replace")
            at = space + 1
            yield word, lambda at=at: np.frombuffer(held[at : at + size], "<f4")
            place = at + size


def _table(path: Path) -> tuple[int, Entries]:
    """The one table of numbers of a .safetensors file, memory-mapped."""
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            if length > 1 << 27:
                raise ValueError("its header is too long")
            header = json.loads(file.read(length))
        told = header.pop("__metadata__", {})
        tables = {k: v for k, v in header.items() if len(v["shape"]) == 2 and v["dtype"] in TYPES}
        if len(tables) != 1:
            raise ValueError(f"{len(tables)} tables of numbers in it, one was wanted")
        entry = next(iter(tables.values()))
        begin, (count, dimensions) = int(entry["data_offsets"][0]), entry["shape"]
        shape = int(count), int(dimensions)
        table = np.memmap(path, TYPES[entry["dtype"]], "r", 8 + length + begin, shape)
    except (struct.error, ValueError, KeyError, TypeError, OSError) as error:
        raise DataError(f"{path}: no table of vectors ({error})") from None
    words = _words_beside(path, told)
    if len(words) != count:
        raise DataError(
            f"{path}: {count:,} vectors for {len(words):,} words; a list of words is wanted in its "
            f"metadata ('words') or in {path.parent / 'vocab.txt'}"
        )
    return shape[1], (
        (word, lambda i=i: table[i].astype(np.float32)) for i, word in enumerate(words)
    )


def _words_beside(path: Path, told: Mapping[str, str]) -> list[str]:
    try:
        if "words" in told:
            return [str(word) for word in json.loads(told["words"])]
        return (path.parent / "vocab.txt").read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return []
