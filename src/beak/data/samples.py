"""The samples of one shard: the files of a tar whose names share all before their first dot."""

from __future__ import annotations

import posixpath
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from beak.data.found import is_junk
from beak.data.manifest import NOTHING, stream_key
from beak.data.plain import open_plain
from beak.data.report import printable
from beak.errors import DataError

LABEL = ".cls"
LONGEST = 200
"""Letters of a class's name."""


@dataclass
class Sample:
    """One sample of a shard, and where its first file of the wanted kind lies."""

    key: str = ""
    label: str = ""
    name: str = ""
    begin: int = 0
    size: int = 0
    content: bytes = b""
    """``file_key`` of its file, where it is made."""


def samples_of(shard: Path, suffixes: frozenset[str], hashed: bool = False) -> Iterator[Sample]:
    """The samples of a shard; the files of one follow one another. ``hashed``: with contents."""
    sample = Sample()
    with open_plain(shard) as file, tarfile.open(fileobj=file, mode="r:") as archive:
        for entry in archive:
            # No pathlib here: it interns each part, and Python's table of those would grow.
            path = posixpath.normpath(entry.name)
            folder, name = posixpath.split(path)
            first, dot, kind = name.partition(".")
            if not entry.isfile() or is_junk(name):
                continue
            key = posixpath.join(folder, first)
            if key != sample.key:
                if sample.key:
                    yield sample
                sample = Sample(key)
            ending = f"{dot}{kind}".lower()
            if ending == LABEL:
                held = archive.extractfile(entry)
                sample.label = _label(held.read(LONGEST + 1) if held else b"", shard, key)
            elif ending in suffixes and not sample.name:
                sample.name, sample.begin, sample.size = path, entry.offset_data, entry.size
                if hashed:
                    held = archive.extractfile(entry)
                    sample.content = stream_key(held) if held else NOTHING
            archive.members = []  # type: ignore[attr-defined]  # else it keeps every header that it has seen
    if sample.key:
        yield sample


def _label(content: bytes, shard: Path, key: str) -> str:
    label = content.decode("utf-8", "replace").strip()
    if not label or not label.isprintable() or len(label) > LONGEST:
        raise DataError(
            f"{shard}: the class of {printable(key)} is '{printable(label)[:50]}'; a name or a "
            f"number of at most {LONGEST} letters is wanted"
        )
    return label
