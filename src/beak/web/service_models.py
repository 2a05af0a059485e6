"""The runs that the service answers with, and their files: a changed one is taken when it is ready.

The old network answers until the new one can. A file that cannot be read changes nothing but what
is said about it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from beak.data.kinds import kind_of
from beak.errors import BeakError, UsageError
from beak.runs.model import Model, find_model, load_model
from beak.runs.safe import one_line

Mark = tuple[int, int, int] | None
"""What tells one state of a file from another; None: it is not there."""
AGAIN = 3
"""Times that a file is read which changes meanwhile."""


@dataclass(frozen=True, eq=False)
class Kept:
    """A network in one state of its file."""

    model: Model
    version: str
    """Of the file's content: the same for the same bytes."""


class Source:
    """One run by name, and the last good state of its file."""

    def __init__(self, name: str, path: Path) -> None:
        """Read it. Raises UsageError or RunError."""
        self.name, self.path = name, path
        self.seen: Mark = None
        self.kept = self.read()
        self.trouble: str | None = None

    def mark(self) -> Mark:
        """The file's state."""
        try:
            there = find_model(self.path).stat()
        except (BeakError, OSError):
            return None
        return (there.st_ino, there.st_mtime_ns, there.st_size)

    def changed(self) -> bool:
        """Whether the file is another than when it was last read, well or in vain."""
        return self.mark() != self.seen

    def read(self) -> Kept:
        """What the file holds now."""
        for _ in range(AGAIN):
            before = self.mark()
            try:
                model = load_model(self.path)
                version = digest(find_model(self.path))
            except OSError as error:
                raise BeakError(f"{self.name}: {error.strerror or error}") from None
            finally:
                self.seen = before
            if self.mark() == before:
                break
        return Kept(model, version)

    def refresh(self) -> bool:
        """Take a changed file; False where it is as before, or cannot be read (see ``trouble``)."""
        if not self.changed():
            return False
        try:
            found = self.read()
        except BeakError as error:
            self.trouble = one_line(error, 300)
            return False
        if found.version == self.kept.version:
            self.trouble = None
            return False
        self.kept, self.trouble = found, None
        return True


def digest(path: Path) -> str:
    """Twelve letters that stand for a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=6)).hexdigest()


def sources(words: Sequence[str]) -> list[Source]:
    """Runs as they are typed: a path, or NAME=path. UsageError where two have one name."""
    found: dict[str, Source] = {}
    for word in words:
        name, given, path = word.partition("=")
        if not given or Path(word).exists():
            name, path = "", word
        source = Source(name, Path(path))
        source.name = name or source.kept.model.name
        if quote(source.name, safe="") != source.name:
            raise UsageError(
                f"'{one_line(source.name, 80)}' cannot stand in an address; name it: NAME={path}"
            )
        if source.name in found:
            raise UsageError(f"two runs are called '{source.name}'; name one: NAME={path}")
        found[source.name] = source
    return list(found.values())


def described(source: Source, kept: Kept) -> dict[str, Any]:
    """A run as ``/v1/runs`` lists it."""
    model, spec = kept.model, kept.model.spec
    return {
        "name": source.name,
        "kind": spec.kind,
        "takes": kind_of(spec.kind).one,
        "input": spec.describe(),
        "labels": list(model.labels),
        "parameters": model.network.parameter_count,
        "version": kept.version,
        "trouble": source.trouble,
    }
