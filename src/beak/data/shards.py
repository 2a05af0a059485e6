"""WebDataset's shards: tar files in which the files of a sample share a name up to its first dot.

Sources: https://github.com/webdataset/webdataset (the format), its names ``.cls`` for a class and
``.json`` for what else is known.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from itertools import islice
from pathlib import Path

from beak.data.found import is_junk
from beak.data.report import printable
from beak.data.unpack import Unpacking, names_in, stem
from beak.errors import DataError

LABEL, BESIDES = "cls", "json"
PART = re.compile(r"(?i)(train|training|val|valid|validation|dev|test|testing)(?![a-z])")
RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")
SAMPLE = 64
"""So many files of an archive tell whether it is a shard."""
LONGEST = 1000
"""Bytes of a class's name."""


def in_range(name: str) -> list[Path]:
    """The files that a name with a range in braces stands for; none where it has no range.

    >>> [str(path) for path in in_range("train-{08..10}.tar")]
    ['train-08.tar', 'train-09.tar', 'train-10.tar']
    """
    found = RANGE.search(name)
    if found is None:
        return []
    first, last = found.groups()
    return [
        Path(f"{name[: found.start()]}{number:0{len(first)}d}{name[found.end() :]}")
        for number in range(int(first), int(last) + 1)
    ]


def is_shard(archive: Path) -> bool:
    """Whether its samples have their class in a file of their own."""
    if archive.suffix.lower() == ".zip":
        return False
    return any(name.lower().endswith(f".{LABEL}") for name in islice(names_in(archive), SAMPLE))


def unpack_samples(work: Unpacking) -> None:
    """A shard's samples as files in class folders, below train/, val/ or test/ if its name says so.

    ``train-07.tar`` with ``12.jpg`` and ``12.cls`` (a cat) gives ``train/cat/train-07/12.jpg``. A
    sample without a class is left out. Raises DataError for a class that is no name.
    """
    found = PART.match(work.archive.name)
    part = work.place / found[1].lower() if found else work.place
    held = Path(tempfile.mkdtemp(dir=work.place.parent))
    key = label = ""
    try:
        for path, size, file in work.entries():
            first, _, kind = path.name.partition(".")
            this = "-".join([*path.parts[:-1], first])
            if this != key:
                _settle(work, held, part, key, label)
                key, label = this, ""
            if kind.lower() == LABEL:
                label = _label(file.read(LONGEST), work.archive, key)
            elif kind.lower() != BESIDES:
                work.write(held / f"{this}.{kind}", size, file)
        _settle(work, held, part, key, label)
    finally:
        shutil.rmtree(held, ignore_errors=True)


def _settle(work: Unpacking, held: Path, part: Path, key: str, label: str) -> None:
    """Move a sample's files to where its class belongs."""
    files = list(held.iterdir())
    if label and files:
        target = part / label / stem(work.archive.name)
        target.mkdir(parents=True, exist_ok=True)
        for path in files:
            os.replace(path, target / path.name)
    elif files:
        work.left_out.append(printable(f"{work.archive.name}/{key} (no .{LABEL})"))
        for path in files:
            path.unlink()


def _label(content: bytes, archive: Path, key: str) -> str:
    label = content.decode("utf-8", "replace").strip()
    if not label.isprintable() or not label or is_junk(label) or set(label) & set("/\\"):
        raise DataError(
            f"{archive}: the class of {printable(key)} is '{printable(label)[:50]}'; "
            "a name or a number is wanted"
        )
    return label
