"""Which recordings a source holds: class folders, tables, lists of parts, names that say it all."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from beak.data.folders import find as find_folders
from beak.data.found import Found, in_order, is_junk, numbered
from beak.data.report import NOTE, WARNING, Finding
from beak.data.shards import find_samples, shards_at
from beak.data.sounds import SUFFIXES
from beak.data.split import TEST, TRAIN, UNKNOWN, VALIDATION
from beak.data.tables import ENDINGS, find_tables
from beak.data.tables import find as examples_of
from beak.data.wishes import Progress
from beak.errors import DataError, UsageError

Array = np.ndarray[Any, Any]

BACKGROUND = "_background_noise_"
LISTS = {"validation_list.txt": VALIDATION, "testing_list.txt": TEST}
NAMED = re.compile(r"(?P<label>[^_/]+)_(?P<speaker>[^_/]+)_(?P<number>\d+)")
"""7_jackson_32: what is said, who says it, which time."""
HASHED = re.compile(r"(?P<speaker>[0-9a-f]{4,})_nohash_\d+")
"""0a7c2a8d_nohash_1: Speech Commands' number for the speaker."""
MOST = 0.9
"""This share of the names must follow a pattern, for it to be one."""


@dataclass
class FoundSounds:
    """Recordings with labels and, where they can be told, speakers."""

    found: Found
    speakers: list[str] | None = None
    noise: tuple[str, ...] = ()
    """Files of background noise, below ``found.root``: no examples themselves."""


def find(source: Path, progress: Progress | None = None) -> FoundSounds:
    """The recordings of a folder or table. Raises DataError or UsageError."""
    shards = shards_at(source)
    if shards:
        found = find_samples(shards, SUFFIXES, "sounds", progress)
        return FoundSounds(found, _speakers(found))
    if not source.is_dir():
        if source.suffix.lower() not in ENDINGS:
            raise UsageError(
                f"{source}: a folder, CSV or TSV of sounds is wanted, not a {source.suffix} file"
            )
        return _table({UNKNOWN: source})
    tables = find_tables(source)
    if tables:
        return _table(tables)
    flat = _named_files(source)
    if flat is not None:
        return flat
    found = find_folders(source, progress, SUFFIXES, "sounds")
    noise = tuple(name for name in found.names if BACKGROUND in name.split("/")[:-1])
    if noise:
        found = _without(found, [i for i, name in enumerate(found.names) if name in {*noise}])
    found = _with_lists(found)
    return FoundSounds(found, _speakers(found), noise)


def _table(tables: dict[int, Path]) -> FoundSounds:
    found = examples_of(tables)
    return FoundSounds(found, _speakers(found) if found.groups is None else found.groups)


def _speakers(found: Found) -> list[str] | None:
    return speakers_of(found.names, [found.labels[c] for c in found.classes])


def speakers_of(names: Sequence[str], words: Sequence[str]) -> list[str] | None:
    """The speaker of each file where the names tell, else None.

    >>> speakers_of(["a/0b17_nohash_0.wav", "a/0b17_nohash_1.wav", "b/77c2_nohash_0.wav"], "aab")
    ['0b17', '0b17', '77c2']
    """
    stems = [os.path.splitext(name.rpartition("/")[2])[0] for name in names]
    hashed = [HASHED.fullmatch(stem) for stem in stems]
    named = [
        m if (m := NAMED.fullmatch(stem)) and m["label"].casefold() == word.casefold() else None
        for stem, word in zip(stems, words, strict=True)
    ]
    for matches in (hashed, named):
        told = [m["speaker"] if m else "" for m in matches]
        known = {who for who in told if who}
        if sum(map(bool, told)) >= MOST * len(names) and 2 <= len(known) < len(names):
            return [who or f"{name} alone" for who, name in zip(told, names, strict=True)]
    return None


def _named_files(source: Path) -> FoundSounds | None:
    """Sounds that lie together in one folder, their labels in their names; None if it is not so."""
    entries = _entries(source)
    folders = [e.name for e in entries if e.is_dir()]
    if not _sounds(entries) and len(folders) == 1:
        source, entries = source / folders[0], _entries(source / folders[0])
    files = _sounds(entries)
    matches = [NAMED.fullmatch(os.path.splitext(e.name)[0]) for e in files]
    labels = in_order(m["label"] for m in matches if m)
    if len(labels) < 2 or sum(m is not None for m in matches) < MOST * len(files):
        return None
    kept = [(e, m) for e, m in zip(files, matches, strict=True) if m]
    told = [e.stat() for e, _ in kept]
    findings = [Finding(NOTE, "labels and speakers are read from the files' names: 7_jackson_32")]
    left = tuple(e.name for e, m in zip(files, matches, strict=True) if not m)
    if left:
        findings.append(Finding(WARNING, "left out: their names do not tell a label", left))
    found = Found(
        source,
        labels,
        [e.name for e, _ in kept],
        numbered([m["label"] for _, m in kept], labels),
        np.full(len(kept), UNKNOWN, np.int8),
        np.array([t.st_size for t in told], np.int64),
        np.array([t.st_mtime_ns for t in told], np.int64),
        findings,
    )
    speakers = [m["speaker"] for _, m in kept]
    return FoundSounds(found, speakers if len({*speakers}) > 1 else None)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as listing:
        return sorted((e for e in listing if not is_junk(e.name)), key=lambda e: e.name)


def _sounds(entries: Sequence[os.DirEntry[str]]) -> list[os.DirEntry[str]]:
    return [e for e in entries if os.path.splitext(e.name)[1].lower() in SUFFIXES and e.is_file()]


def _without(found: Found, places: Sequence[int]) -> Found:
    """The examples but for these; a label that is left without one goes too."""
    keep = np.setdiff1d(np.arange(len(found.names)), places)
    if not len(keep):
        raise DataError(f"{found.root}: nothing but background noise; wanted LABEL/sound.wav")
    words = [found.labels[found.classes[i]] for i in keep]
    labels = in_order(words)
    return replace(
        found,
        labels=labels,
        names=[found.names[i] for i in keep],
        classes=numbered(words, labels),
        given=found.given[keep],
        sizes=found.sizes[keep],
        times=found.times[keep],
    )


def _with_lists(found: Found) -> Found:
    """Parts as validation_list.txt and testing_list.txt say; what they do not name is training."""
    named: dict[str, int] = {}
    for name, part in LISTS.items():
        path = found.root / name
        if path.is_file():
            try:
                lines = path.read_text(encoding="utf-8").split("\n")
            except (OSError, UnicodeDecodeError) as error:
                raise DataError(f"{path}: cannot be read as a list of files ({error})") from None
            named |= {line.strip(): part for line in lines if line.strip()}
    if not named:
        return found
    given = np.array([named.get(name, TRAIN) for name in found.names], np.int8)
    here = int((given != TRAIN).sum())
    if not here:
        text = "validation_list.txt and testing_list.txt name none of these files: not used"
        return replace(found, findings=[*found.findings, Finding(NOTE, text)])
    text = f"validation_list.txt and testing_list.txt: {here:,} of the files they name are here"
    return replace(found, given=given, findings=[*found.findings, Finding(NOTE, text)])
