"""WebDataset's shards: tar files in which the files of a sample share a name up to its first dot.

They are read where they lie. Source: https://github.com/webdataset/webdataset (the format).
"""

from __future__ import annotations

import os
import posixpath
import re
import sys
import tarfile
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np

from beak.data.damage import DAMAGED
from beak.data.found import Found, Stretches, in_order, is_junk, numbered
from beak.data.plain import open_plain
from beak.data.report import WARNING, Finding, printable
from beak.data.split import PART_NAMES, UNKNOWN
from beak.data.unpack import names_in
from beak.data.wishes import Progress
from beak.errors import DataError, UsageError

LABEL = ".cls"
SUFFIX = ".tar"
PART = re.compile(rf"(?i)({'|'.join(PART_NAMES)})(?![a-z])")
RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")
SAMPLE = 64
"""So many files of an archive tell whether it is a shard."""
MOST = 1_000_000
"""Shards that a range in braces may name."""
LONGEST = 200
"""Letters of a class's name."""
TOLD_EVERY = 1000


def in_range(name: str) -> list[Path]:
    """The files that a name with a range in braces stands for; none where it has no range.

    Raises UsageError for more than a million.

    >>> [str(path) for path in in_range("train-{08..10}.tar")]
    ['train-08.tar', 'train-09.tar', 'train-10.tar']
    """
    found = RANGE.search(name)
    if found is None:
        return []
    first, last = found.groups()
    if int(last) - int(first) >= MOST:
        raise UsageError(f"{name[:200]}: a range of more than {MOST:,} shards; give a part of it")
    return [
        Path(f"{name[: found.start()]}{number:0{len(first)}d}{name[found.end() :]}")
        for number in range(int(first), int(last) + 1)
    ]


def files_at(source: Path) -> list[Path]:
    """The files of a range in braces, all that a folder holds, or the file itself.

    None where a folder holds folders too. Raises UsageError when one of a range is not there.
    """
    several = [] if source.exists() else in_range(str(source))
    missing = next((path for path in several if not path.is_file()), None)
    if missing is not None:
        raise UsageError(f"{source}: {missing.name} of the {len(several)} is not there")
    if several or source.is_file():
        return several or [source]
    if not source.is_dir():
        return []
    with os.scandir(source) as entries:
        found = sorted(Path(entry.path) for entry in entries if not is_junk(entry.name))
    return found if all(path.is_file() for path in found) else []


def shards_at(source: Path) -> list[Path]:
    """The shards that a source is made of; none where it is something else."""
    files = files_at(source)
    plain = bool(files) and all(path.suffix.lower() == SUFFIX for path in files)
    return files if plain and _has_labels(files[0]) else []


def _has_labels(archive: Path) -> bool:
    """Whether samples have their class in a file of their own."""
    return any(name.lower().endswith(LABEL) for name in islice(names_in(archive), SAMPLE))


@dataclass
class _Samples:
    """What was found so far."""

    names: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    given: array[int] = field(default_factory=lambda: array("b"))
    places: array[int] = field(default_factory=lambda: array("q"))
    """Three for each: its shard, its first byte, its bytes."""
    bare: list[str] = field(default_factory=list)
    """Without a class, or with nothing of the kind that is looked for."""


@dataclass
class _Sample:
    key: str = ""
    label: str = ""
    name: str = ""
    begin: int = 0
    size: int = 0


def find_samples(
    shards: list[Path], suffixes: frozenset[str], things: str, progress: Progress | None = None
) -> Found:
    """The samples of shards: ``0001.jpg`` with its class in ``0001.cls``, one beside the other.

    ``train-07.tar`` is a shard of the training part, as class folders' names tell parts. Samples
    without a class are named and left out, and of a shard that is damaged what stands before the
    damage is taken. Raises DataError for a class that is no name, and where nothing is found.
    """
    found, damaged = _Samples(), []
    for number, shard in enumerate(shards):
        named = PART.match(shard.name)
        part = PART_NAMES[named[1].lower()] if named else UNKNOWN
        try:
            for sample in _samples(shard, suffixes):
                name = f"{shard.name}/{sample.name or sample.key}"
                if not (sample.label and sample.name):
                    found.bare.append(printable(name))
                    continue
                found.names.append(name)
                found.labels.append(sys.intern(sample.label))
                found.given.append(part)
                found.places.extend((number, sample.begin, sample.size))
                if progress is not None and len(found.names) % TOLD_EVERY == 0:
                    progress(len(found.names), 0)
        except DataError:
            raise
        except DAMAGED as error:
            damaged.append(printable(f"{shard.name} ({error})"))
    if not found.names:
        why = f"; {damaged[0]} is damaged" if damaged else ""
        raise DataError(
            f"{shards[0]}: no {things} with a class; wanted samples such as 1.jpg and 1.cls{why}"
        )
    return _as_found(shards, found, damaged)


def _as_found(shards: list[Path], found: _Samples, damaged: list[str]) -> Found:
    findings = []
    for text, names in (
        ("shards are damaged: what stands before the damage is taken", damaged),
        ("samples without a class, or of other files, are left out", found.bare),
    ):
        if names:
            findings.append(Finding(WARNING, text, tuple(names)))
    labels = in_order(found.labels)
    which, begins, sizes = np.array(found.places, np.int64).reshape(-1, 3).T
    times = np.array([shard.stat().st_mtime_ns for shard in shards], np.int64)
    return Found(
        shards[0].parent,
        labels,
        found.names,
        numbered(found.labels, labels),
        np.array(found.given, np.int8),
        sizes,
        times[which],
        findings,
        stretches=Stretches(tuple(shards), which, begins),
    )


def _samples(shard: Path, suffixes: frozenset[str]) -> Iterator[_Sample]:
    """The samples of a shard; the files of one follow one another."""
    sample = _Sample()
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
                sample = _Sample(key)
            ending = f"{dot}{kind}".lower()
            if ending == LABEL:
                held = archive.extractfile(entry)
                sample.label = _label(held.read(LONGEST + 1) if held else b"", shard, key)
            elif ending in suffixes and not sample.name:
                sample.name, sample.begin, sample.size = path, entry.offset_data, entry.size
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
