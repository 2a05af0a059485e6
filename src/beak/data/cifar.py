"""CIFAR-10's binary version: records of one label byte and 3,072 bytes, red, green, blue planes."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from beak.data.arrays import ArrayPart, Member, telling
from beak.data.builtin import CIFAR_BATCHES
from beak.data.split import TEST, TRAIN
from beak.errors import DataError

Array = np.ndarray[Any, Any]

RECORD = 1 + 3 * 32 * 32
MOST_RECORDS = 10_000


def cifar_parts(files: Sequence[Path]) -> list[ArrayPart]:
    """Train and test of the archive ``cifar-10-binary.tar.gz``, or of its six unpacked files.

    The archive is read, never unpacked. Raises DataError for records that are not CIFAR's.
    """
    batches = dict(_batches(files))
    missing = [name for name in CIFAR_BATCHES if name not in batches]
    if missing:
        raise DataError(f"{files[0]}: {missing[0]} is missing in it")
    parts = []
    for part, names in ((TRAIN, CIFAR_BATCHES[:-1]), (TEST, CIFAR_BATCHES[-1:])):
        records = np.concatenate([batches[name] for name in names])
        parts.append(ArrayPart(part, _Records(records), records[:, 0]))
    return parts


class _Records(Member):
    """The pictures of records in memory."""

    def __init__(self, records: Array) -> None:
        super().__init__("cifar10", (len(records), 3, 32, 32), np.dtype(np.uint8), lambda: None)
        object.__setattr__(self, "records", records)

    def pieces(self) -> Iterator[Array]:
        records: Array = self.__dict__["records"]
        for first in range(0, len(records), 1024):
            yield records[first : first + 1024, 1:].reshape(-1, 3, 32, 32)


def _batches(files: Sequence[Path]) -> Iterator[tuple[str, Array]]:
    if len(files) > 1:
        for file in files:
            with telling(file.name):
                yield file.name, _records(file.read_bytes(), file.name)
        return
    with telling(files[0].name), tarfile.open(files[0], "r:gz") as archive:
        for member in archive:
            name = PurePosixPath(member.name).name
            if name in CIFAR_BATCHES and member.isfile() and member.size <= MOST_RECORDS * RECORD:
                stream = archive.extractfile(member)
                if stream is not None:
                    yield name, _records(stream.read(), name)


def _records(data: bytes, name: str) -> Array:
    if not data or len(data) % RECORD:
        raise DataError(f"{name}: {len(data)} bytes are no records of {RECORD}; get it again")
    records = np.frombuffer(data, np.uint8).reshape(-1, RECORD)
    if records[:, 0].max() > 9:
        raise DataError(f"{name}: it has labels beyond 9; get it again")
    return records
