"""WebDataset's shards: tar files in which the files of a sample share a name up to its first dot.

They are read where they lie. Source: https://github.com/webdataset/webdataset (the format).
"""

from __future__ import annotations

import os
import re
import sys
from array import array
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np

from beak.data.damage import DAMAGED
from beak.data.far import bring, listed, note_of
from beak.data.far_samples import far_samples
from beak.data.found import Found, Stretches, in_order, is_junk, numbered
from beak.data.ranges import spelled_out
from beak.data.report import WARNING, Finding, printable
from beak.data.samples import LABEL, Sample, samples_of
from beak.data.split import PART_NAMES, UNKNOWN
from beak.data.unpack import names_in
from beak.data.wishes import Progress
from beak.errors import DataError, UsageError

SUFFIX = ".tar"
PART = re.compile(rf"(?i)({'|'.join(PART_NAMES)})(?![a-z])")
SAMPLE = 64
"""So many files of an archive tell whether it is a shard."""
BROUGHT = 4
"""Shards that are brought from a server at once."""
TOLD_EVERY = 1000


def in_range(name: str) -> list[Path]:
    """The files that a name with a range in braces stands for; none where it has no range."""
    return [Path(one) for one in spelled_out(name)]


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
    far = listed(source)
    if far:
        bring(far[0])
        return far
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
    contents: bytearray = field(default_factory=bytearray)
    """16 bytes for each, where they were made."""


def find_samples(
    shards: list[Path], suffixes: frozenset[str], things: str, progress: Progress | None = None
) -> Found:
    """The samples of shards: ``0001.jpg`` with its class in ``0001.cls``, one beside the other.

    ``train-07.tar`` is a shard of the training part, as class folders' names tell parts. Samples
    without a class are named and left out, and of a shard that is damaged what stands before the
    damage is taken. Raises DataError for a class that is no name, and where nothing is found.
    """
    found, damaged = _Samples(), []
    for number, (shard, samples) in enumerate(_each(shards, suffixes)):
        named = PART.match(shard.name)
        part = PART_NAMES[named[1].lower()] if named else UNKNOWN
        try:
            for sample in samples:
                name = f"{shard.name}/{sample.name or sample.key}"
                if not (sample.label and sample.name):
                    found.bare.append(printable(name))
                    continue
                found.names.append(name)
                found.labels.append(sys.intern(sample.label))
                found.given.append(part)
                found.places.extend((number, sample.begin, sample.size))
                found.contents.extend(sample.content)
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
    times = np.array([_time(shard) for shard in shards], np.int64)
    keys = np.frombuffer(bytes(found.contents), np.uint8).reshape(-1, 16)
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
        keys=keys if len(keys) == len(which) else None,
    )


def _time(shard: Path) -> int:
    note = note_of(shard)
    return shard.stat().st_mtime_ns if note is None else note.stamp


def _each(shards: list[Path], suffixes: frozenset[str]) -> Iterator[tuple[Path, Iterator[Sample]]]:
    """Each shard with its samples; those on a server a few at once."""
    if note_of(shards[0]) is None:
        for shard in shards:
            yield shard, samples_of(shard, suffixes)
        return
    with ThreadPoolExecutor(BROUGHT) as pool:
        try:
            for first in range(0, len(shards), 2 * BROUGHT):  # not all at once: memory
                some = shards[first : first + 2 * BROUGHT]
                read = pool.map(lambda one: far_samples(one, suffixes), some)
                yield from zip(some, read, strict=True)
        finally:
            pool.shutdown(cancel_futures=True)
