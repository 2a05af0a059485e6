"""Which files a source had when it was last read, and what was in them.

A file whose size and time have not changed is not read again to know its content.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np

from beak.data.kept import not_kept
from beak.data.plain import Stretch, open_plain
from beak.data.report import Finding
from beak.data.store import (
    DamagedStoreError,
    open_store,
    pack_names,
    unpack_names,
    write_store,
)
from beak.errors import DataError

Array = np.ndarray[Any, Any]

HANDED = 64
"""Files that a thread hashes before it asks for more."""
NOTHING = bytes(16)
"""The key of a file that could not be read."""


@dataclass
class Manifest:
    """Files by name: bytes, time of change, hash of the content."""

    path: Path
    names: list[str] = field(default_factory=list)
    sizes: Array = field(default_factory=lambda: np.empty(0, np.int64))
    times: Array = field(default_factory=lambda: np.empty(0, np.int64))
    keys: Array = field(default_factory=lambda: np.empty((0, 16), np.uint8))
    info: dict[str, Any] = field(default_factory=dict)
    """What was worked out from these files: the survey, the store's name."""
    changed: bool = False
    """Whether it differs from what is on the disk."""

    @staticmethod
    def of(source: Path, cache: Path) -> Manifest:
        """The manifest of a source; an empty one where there is none or it is damaged."""
        word = hashlib.blake2b(
            str(source.resolve()).encode("utf-8", "surrogateescape"), digest_size=16
        )
        path = cache / "manifests" / f"{word.hexdigest()}.beak"
        try:
            store = open_store(path)
            a = store.arrays
            names = unpack_names(a["names"])
            if not len(names) == len(a["sizes"]) == len(a["times"]) == len(a["keys"]):
                return Manifest(path)
            return Manifest(path, names, a["sizes"], a["times"], a["keys"], store.info)
        except (FileNotFoundError, DamagedStoreError, KeyError):
            return Manifest(path)

    def brought_up_to_date(
        self,
        names: list[str],
        sizes: Array,
        times: Array,
        read: Callable[[int], bytes],
        threads: int,
    ) -> Manifest:
        """A manifest of these files; ``read(i)`` hashes those that are new or have changed."""
        if (
            names == self.names
            and np.array_equal(sizes, self.sizes)
            and np.array_equal(times, self.times)
            and self.keys.any(axis=1).all()
        ):
            return self
        place = {name: i for i, name in enumerate(self.names)}
        old = np.array([place.get(name, -1) for name in names], np.int64)
        keys = np.zeros((len(names), 16), np.uint8)
        if len(self.names):
            same = (old >= 0) & (sizes == self.sizes[old]) & (times == self.times[old])
            keys[same] = self.keys[old[same]]
        unknown = np.flatnonzero(~keys.any(axis=1)).tolist()
        with ThreadPoolExecutor(threads) as pool:
            chunks = [unknown[first : first + HANDED] for first in range(0, len(unknown), HANDED)]
            for chunk, made in zip(
                chunks, pool.map(lambda c: [*map(read, c)], chunks), strict=True
            ):
                keys[chunk] = np.frombuffer(b"".join(made), np.uint8).reshape(-1, 16)
        info = {k: v for k, v in self.info.items() if k == "store"}
        return Manifest(self.path, names, sizes, times, keys, info, changed=True)

    def note(self, **info: Any) -> None:
        """Remember what was worked out."""
        self.changed |= any(self.info.get(key) != value for key, value in info.items())
        self.info |= info

    def forget(self, keys: set[bytes]) -> None:
        """Take files as unread whose content turned out not to be there any more."""
        if keys:
            self.keys = np.array(self.keys)
            for i in range(len(self.keys)):
                if self.keys[i].tobytes() in keys:
                    self.keys[i] = 0
            self.changed = True

    def save(self) -> list[Finding]:
        """Write it where it changed; a note where it cannot be written, for nothing is lost."""
        if not self.changed:
            return []
        arrays = {"sizes": self.sizes, "times": self.times, "keys": self.keys}
        try:
            write_store(self.path, self.info, {"names": pack_names(self.names), **arrays})
        except DataError as error:
            return [not_kept(error)]
        self.changed = False
        return []

    def content(self) -> str:
        """32 hexadecimal digits that stand for the files' contents, in any order."""
        whole = np.ascontiguousarray(self.keys).view("V16")[:, 0]
        return hashlib.blake2b(np.unique(whole).tobytes(), digest_size=16).hexdigest()


def file_key(path: Path | Stretch) -> bytes:
    """16 bytes that stand for a file's content; NOTHING where it cannot be read."""
    try:
        with open_plain(path) as file:
            return stream_key(file)
    except (OSError, ValueError):
        return NOTHING


def stream_key(file: IO[bytes]) -> bytes:
    """16 bytes that stand for what a stream holds."""
    digest = hashlib.blake2b(digest_size=16)
    while piece := file.read(1 << 20):
        digest.update(piece)
    return digest.digest()
