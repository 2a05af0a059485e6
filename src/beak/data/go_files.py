"""Where game records lie: folders, single files, and archives that are read where they are."""

from __future__ import annotations

import hashlib
import os
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from beak.data.damage import DAMAGED
from beak.data.found import is_junk
from beak.data.plain import open_plain
from beak.data.sgf import LONGEST
from beak.data.unpack import is_archive
from beak.errors import DataError

SUFFIX = ".sgf"
Record = tuple[str, bytes | str]
"""A file's name in its source, and its content or why it cannot be read."""


def files_of(source: Path) -> list[Path]:
    """Game records and archives under a folder, sorted, or the file itself."""
    if not source.is_dir():
        return [source]
    found = []
    for folder, folders, files in os.walk(source):
        folders[:] = sorted(name for name in folders if not is_junk(name))
        found += [
            Path(folder, name)
            for name in files
            if not is_junk(name) and (name.lower().endswith(SUFFIX) or is_archive(name))
        ]
    return sorted(found)


def key_of(source: Path, files: list[Path]) -> str:
    """32 hexadecimal digits for these files as they are now: their names, sizes and times."""
    digest = hashlib.blake2b(digest_size=16)
    for path in files:
        try:
            told = path.stat()
            line = f"{_inside(source, path)}\0{told.st_size}\0{told.st_mtime_ns}\n"
        except OSError:
            line = f"{path}\0?\n"
        digest.update(line.encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def records_in(
    source: Path, files: list[Path], progress: Callable[[int, int], None] | None = None
) -> Iterator[Record]:
    """Every record with its name; of what cannot be read the reason. Archives stay packed."""
    for number, path in enumerate(files):
        name = _inside(source, path)
        if is_archive(path.name):
            for inside, content in _members(path):
                yield f"{name}/{inside}" if source.is_dir() else inside, content
        else:
            yield name, _content(path)
        if progress is not None and number % 200 == 0:
            progress(number + 1, len(files))


def _inside(source: Path, path: Path) -> str:
    name = path.relative_to(source).as_posix() if source.is_dir() else path.name
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _content(path: Path) -> bytes | str:
    try:
        with open_plain(path) as file:
            data = file.read(LONGEST + 1)
    except OSError as error:
        return (error.strerror or str(error)).lower()
    return data if len(data) <= LONGEST else f"larger than {LONGEST >> 20} MiB"


def _members(path: Path) -> Iterator[Record]:
    """The records of an archive; a damaged one gives what stands before the damage."""
    reader = _zipped if path.suffix.lower() == ".zip" else _tarred
    try:
        with closing(reader(path)) as members:  # type: ignore[type-var]
            yield from members
    except DAMAGED as error:
        said = str(error) or type(error).__name__
        yield "", f"the archive is damaged or cannot be unpacked from there on ({said})"


def _wanted(name: str) -> bool:
    return name.lower().endswith(SUFFIX) and not any(map(is_junk, name.split("/")))


def _zipped(path: Path) -> Iterator[Record]:
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            if not entry.is_dir() and _wanted(entry.filename):
                with archive.open(entry) as file:
                    yield entry.filename, _bounded(file.read(LONGEST + 1))


def _tarred(path: Path) -> Iterator[Record]:
    with tarfile.open(path, "r|*") as archive:  # a stream: nothing is sought, nothing unpacked
        for entry in archive:
            if not entry.isfile() or not _wanted(entry.name):
                continue
            file = archive.extractfile(entry)
            if file is not None:
                yield entry.name, _bounded(file.read(LONGEST + 1))


def _bounded(data: bytes) -> bytes | str:
    return data if len(data) <= LONGEST else f"larger than {LONGEST >> 20} MiB"


def content_of(raw: Path, name: str) -> bytes:
    """One record's bytes. Raises DataError, one line."""
    found = _content(raw)
    if isinstance(found, str):
        raise DataError(f"{name}: {found}")
    return found
