"""What a search for examples gives: files with labels, before any of them is opened."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from beak.data.far import note_of
from beak.data.manifest import file_key
from beak.data.plain import Stretch
from beak.data.report import Finding

Array = np.ndarray[Any, Any]

JUNK_FOLDERS = frozenset({"__MACOSX", "__pycache__", "lost+found", "$RECYCLE.BIN", "@eaDir"})
JUNK_FILES = frozenset({"thumbs.db", "desktop.ini", "ehthumbs.db"})


@dataclass(frozen=True)
class Stretches:
    """Where files lie that are stretches of larger ones."""

    files: tuple[Path, ...]
    which: Array
    """int64 (N,): places in ``files``."""
    begins: Array
    """int64 (N,): first bytes."""


@dataclass
class Found:
    """Picture files with their labels; rows of one table kept as columns."""

    root: Path
    labels: tuple[str, ...]
    names: list[str]
    """Paths relative to ``root``, with forward slashes; absolute where the source says so."""
    classes: Array
    """int32 (N,): places in ``labels``."""
    given: Array
    """int8 (N,): the part that the source gives, or ``split.UNKNOWN``."""
    sizes: Array
    """int64 (N,): bytes; -1 where the file could not be asked."""
    times: Array
    """int64 (N,): when it was changed, in ns."""
    findings: list[Finding] = field(default_factory=list)
    groups: list[str] | None = None
    """What each example belongs to (a speaker), where the source says so."""
    places: list[str] | None = None
    """Where the source names each example: "train.csv:17"."""
    stretches: Stretches | None = None
    """Where the examples lie, if they have no files of their own."""
    keys: Array | None = None
    """uint8 (N, 16): ``file_key`` of each, where the search has read them."""

    def path(self, i: int) -> Path | Stretch:
        """Where example ``i`` is; see ``open_plain``."""
        if self.stretches is None:
            return self.root / self.names[i]
        held = self.stretches
        return Stretch(held.files[held.which[i]], int(held.begins[i]), int(self.sizes[i]))

    def key(self, i: int) -> bytes:
        """16 bytes that stand for example ``i``'s content; see ``file_key``."""
        return file_key(self.path(i)) if self.keys is None else bytes(self.keys[i])

    def there(self, i: int) -> bool:
        """Whether example ``i``'s file can be read at all."""
        place = self.path(i)
        if isinstance(place, Stretch):
            return os.access(place.path, os.R_OK) or note_of(place.path) is not None
        return os.access(place, os.R_OK)


def is_junk(name: str) -> bool:
    """Whether a name is an operating system's litter, or hidden.

    >>> [is_junk(n) for n in (".DS_Store", "__MACOSX", "Thumbs.db", "cat.jpg")]
    [True, True, True, False]
    """
    return name.startswith(".") or name in JUNK_FOLDERS or name.lower() in JUNK_FILES


def in_order(labels: Iterable[str]) -> tuple[str, ...]:
    """Different labels, sorted: by value where all are whole numbers, else by their letters.

    >>> in_order(["10", "9", "9"]), in_order(["dog", "Cat"])
    (('9', '10'), ('Cat', 'dog'))
    """
    known = set(labels)
    if all(label.isascii() and label.isdigit() for label in known):
        return tuple(sorted(known, key=lambda label: (int(label), label)))
    return tuple(sorted(known))


def numbered(words: Sequence[str], labels: Sequence[str]) -> Array:
    """The place of each word in ``labels``, int32."""
    place = {label: i for i, label in enumerate(labels)}
    return np.array([place[word] for word in words], np.int32)
