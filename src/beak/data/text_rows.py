"""Labelled texts as columns of one table, end to end, so that a million of them stay small."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from beak.data.report import WARNING, Finding

Array = np.ndarray[Any, Any]

LONGEST = 1_000_000
"""Characters that a line or a text may have; a longer one is left out and said."""


@dataclass(frozen=True)
class Places:
    """Stable names of examples, made when asked for: "reviews.csv:17"."""

    files: tuple[str, ...]
    file: Array
    """int32 (N,): places in ``files``."""
    row: Array
    """int64 (N,): the line that an example begins in, from 1; 0: the whole file."""

    def __len__(self) -> int:
        return len(self.row)

    def __getitem__(self, i: int) -> str:
        name, row = self.files[self.file[i]], int(self.row[i])
        return f"{name}:{row}" if row else name

    def take(self, index: Array) -> Places:
        """The names of these examples."""
        return Places(self.files, self.file[index], self.row[index])


@dataclass(frozen=True)
class TextStore:
    """Texts as UTF-8, one behind the other: ``store[i]`` is text ``i``."""

    raw: Array
    """uint8 (all bytes,)."""
    starts: Array
    """int64 (N + 1,)."""

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __getitem__(self, i: int) -> str:
        return self.raw[self.starts[i] : self.starts[i + 1]].tobytes().decode("utf-8")

    def take(self, index: Array) -> TextStore:
        """A store of these texts only."""
        lengths = np.diff(self.starts)[index]
        starts = np.concatenate([[0], np.cumsum(lengths)])
        raw = np.empty(int(starts[-1]), np.uint8)
        for place, i in enumerate(index.tolist()):
            raw[starts[place] : starts[place + 1]] = self.raw[self.starts[i] : self.starts[i + 1]]
        return TextStore(raw, starts)


@dataclass
class TextRows:
    """Texts with labels while they are read, and what was wrong with the others."""

    raw: bytearray = field(default_factory=bytearray)
    ends: array[int] = field(default_factory=lambda: array("q", [0]))
    hashes: bytearray = field(default_factory=bytearray)
    classes: array[int] = field(default_factory=lambda: array("i"))
    parts: array[int] = field(default_factory=lambda: array("b"))
    file: array[int] = field(default_factory=lambda: array("i"))
    rows: array[int] = field(default_factory=lambda: array("q"))
    labels: dict[str, int] = field(default_factory=dict)
    """By label, its number in the order of first meeting."""
    files: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    wrong: dict[str, list[str]] = field(default_factory=dict)
    """What was wrong with rows that were left out: by reason, their names."""

    def __len__(self) -> int:
        return len(self.rows)

    def begin(self, name: str) -> None:
        """What follows comes from this file."""
        self.files.append(name)

    def add(self, row: int, text: str, label: str, part: int) -> None:
        """One example; a text or label that cannot be one becomes a finding."""
        label = " ".join(label.split())
        if "\0" in text or "\0" in label:
            return self.leave_out("rows with a NUL byte", row)
        if not text or text.isspace():
            return self.leave_out("rows without a text", row)
        if not label:
            return self.leave_out("rows without a label", row)
        if len(text) > LONGEST:
            return self.leave_out(f"texts of more than {LONGEST:,} characters", row)
        encoded = text.encode("utf-8", "replace")
        self.raw += encoded
        self.ends.append(len(self.raw))
        self.hashes += content_hash(text)
        self.classes.append(self.labels.setdefault(label, len(self.labels)))
        self.parts.append(part)
        self.file.append(len(self.files) - 1)
        self.rows.append(row)

    def leave_out(self, why: str, row: int) -> None:
        """Remember a row of the present file that is not used."""
        name = self.files[-1]
        self.wrong.setdefault(why, []).append(f"{name}:{row}" if row else name)

    def note(self, level: str, text: str, files: Sequence[str] = ()) -> None:
        """Remember something worth saying."""
        self.findings.append(Finding(level, text, tuple(files)))

    def told(self) -> list[Finding]:
        """Everything that is worth saying, each kind of bad row in one line."""
        bad = [
            Finding(WARNING, f"left out, {why} ({len(names):,})", tuple(names))
            for why, names in self.wrong.items()
        ]
        return [*self.findings, *bad]

    def store(self) -> TextStore:
        """The texts; nothing can be added afterwards."""
        return TextStore(np.frombuffer(self.raw, np.uint8), np.frombuffer(self.ends, np.int64))

    def places(self) -> Places:
        """The examples' names."""
        file, row = np.frombuffer(self.file, np.int32), np.frombuffer(self.rows, np.int64)
        return Places(tuple(self.files), file, row)


def content_hash(text: str) -> bytes:
    r"""16 bytes that stand for a text, whatever its spaces and capital letters.

    >>> content_hash("A  fine film\n") == content_hash("a fine film")
    True
    """
    same = " ".join(text.split()).casefold()
    return hashlib.blake2b(same.encode("utf-8", "replace"), digest_size=16).digest()
