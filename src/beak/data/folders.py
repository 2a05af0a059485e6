"""Class folders: a folder for each label, with or without train/, val/ and test/ above them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from beak.data.found import Found, in_order, is_junk, numbered
from beak.data.pictures import SUFFIXES
from beak.data.report import NOTE, WARNING, Finding
from beak.data.split import PART_NAMES, TRAIN, UNKNOWN
from beak.data.wishes import Progress
from beak.errors import DataError

TOLD_EVERY = 1000
"""Entries of folders after which a search tells how far it is."""


@dataclass
class _Walk:
    """What was met on the way, besides pictures."""

    loops: list[str] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    entries: int = 0
    progress: Progress | None = None
    suffixes: frozenset[str] = frozenset(SUFFIXES)
    things: str = "pictures"

    def saw(self, entries: int) -> None:
        """Count what a folder holds, and tell now and then how much it was so far."""
        before, self.entries = self.entries, self.entries + entries
        if self.progress and before // TOLD_EVERY < self.entries // TOLD_EVERY:
            self.progress(self.entries, 0)


def find(
    source: Path,
    progress: Progress | None = None,
    suffixes: frozenset[str] = frozenset(SUFFIXES),
    things: str = "pictures",
) -> Found:
    """All pictures below the class folders of ``source``.

    Or what else ``suffixes`` says, which ``things`` names.
    A label is the name of the folder right below ``source`` (or below train/, val/, test/);
    folders inside a class folder belong to it. ``progress(entries, 0)`` is called while a large
    tree is looked through. Raises DataError when there are no class folders.
    """
    walk = _Walk(progress=progress, suffixes=suffixes, things=things)
    root = _inner(source, walk)
    tops = _folders(root)
    parts = [(name, PART_NAMES[name.lower()]) for name in tops if name.lower() in PART_NAMES]
    parts = [(name, part) for name, part in parts if _folders(root / name)]
    findings = []
    if any(part == TRAIN for _, part in parts):
        aside = [name for name in tops if name not in dict(parts)]
        if aside:
            text = "folders beside train/ that are not val/ or test/ are left out"
            findings.append(Finding(NOTE, text, tuple(aside)))
        places = [(f"{name}/{c}", c, part) for name, part in parts for c in _folders(root / name)]
    else:
        places = [(name, name, UNKNOWN) for name in tops]
    rows = []
    above = tuple({_identity(folder) for folder in (root, source)})
    for folder, label, part in places:
        for name, size, time in _pictures(root, folder, walk, above):
            rows.append((name, label, part, size, time))
    if not rows:
        raise DataError(_nothing(source, root, walk))
    empty = sorted({f for f, _, _ in places} - {_top(r[0], r[2]) for r in rows})
    if empty:
        findings.append(Finding(WARNING, f"folders without {things}", tuple(empty)))
    findings += _met(walk)
    labels = in_order(label for _, label, _, _, _ in rows)
    return Found(
        root,
        labels,
        [row[0] for row in rows],
        numbered([row[1] for row in rows], labels),
        np.array([row[2] for row in rows], np.int8),
        np.array([row[3] for row in rows], np.int64),
        np.array([row[4] for row in rows], np.int64),
        findings,
    )


def _top(name: str, part: int) -> str:
    return "/".join(name.split("/")[: 1 if part == UNKNOWN else 2])


def _folders(path: Path) -> list[str]:
    with os.scandir(path) as entries:
        return sorted(e.name for e in entries if not is_junk(e.name) and _is_folder(e))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _inner(source: Path, walk: _Walk) -> Path:
    """The folder that holds the class folders: archives often wrap them in one or two more."""
    for _ in range(3):
        folders = _folders(source)
        inner = [source / name for name in folders]
        if len(folders) != 1 or any(_has_files(path, walk) for path in (source, *inner)):
            break
        if len(_folders(source / folders[0])) < 2:
            break
        source = source / folders[0]
    return source


def _has_files(path: Path, walk: _Walk) -> bool:
    with os.scandir(path) as entries:
        return any(_suffix(e.name) in walk.suffixes and not is_junk(e.name) for e in entries)


def _suffix(name: str) -> str:
    dot = name.rfind(".")
    return name[dot:].lower() if dot > 0 else ""


def _identity(folder: Path) -> tuple[int, int]:
    told = os.stat(folder)
    return told.st_dev, told.st_ino


def _pictures(
    root: Path, folder: str, walk: _Walk, above: tuple[tuple[int, int], ...]
) -> Iterator[tuple[str, int, int]]:
    """Name below ``root``, bytes and time of each picture, in the order of the names."""
    try:
        me = _identity(root / folder)
        if me in above:
            walk.loops.append(folder)
            return
        with os.scandir(root / folder) as listing:
            entries = sorted(listing, key=lambda e: e.name)
    except OSError as error:
        walk.closed.append(f"{folder} ({error.strerror})")
        return
    walk.saw(len(entries))
    for entry in entries:
        name = f"{folder}/{entry.name}"
        if is_junk(entry.name):
            continue
        if _is_folder(entry):
            yield from _pictures(root, name, walk, (*above, me))
        elif _suffix(entry.name) not in walk.suffixes:
            walk.others.append(name)
        else:
            try:
                stat = entry.stat()
                yield name, stat.st_size, stat.st_mtime_ns
            except OSError:
                yield name, -1, 0


def _met(walk: _Walk) -> list[Finding]:
    findings = []
    if walk.loops:
        text = "symbolic links that lead back to a folder above them are not followed"
        findings.append(Finding(WARNING, text, tuple(walk.loops)))
    if walk.closed:
        findings.append(Finding(WARNING, "folders that cannot be read", tuple(walk.closed)))
    if walk.others:
        text = f"left out, being no {walk.things} by their names ({len(walk.others)})"
        findings.append(Finding(NOTE, text, tuple(walk.others)))
    return findings


def _nothing(source: Path, root: Path, walk: _Walk) -> str:
    things, example = walk.things, {"pictures": "picture.jpg"}.get(walk.things, "sound.wav")
    if _has_files(root, walk):
        return (
            f"{source}: {things} lie directly in the folder, so their labels are not known; put "
            f"each class's {things} in a folder of its own, or give a CSV of path and label"
        )
    if any(name.lower() in PART_NAMES and _has_files(root / name, walk) for name in _folders(root)):
        return f"{source}: train/ holds {things} but no class folders; wanted train/LABEL/{example}"
    kinds = " ".join(sorted(walk.suffixes))
    return f"{source}: no {things} in folders below it; wanted LABEL/{example} ({kinds})"
