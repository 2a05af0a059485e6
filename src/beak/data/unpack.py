"""What lies in an archive, and writing it out: nothing that leads out of it, nothing too large."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO

from beak.data.damage import DAMAGED
from beak.data.found import is_junk
from beak.data.report import printable
from beak.data.wishes import Progress

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
TOLD_EVERY = 200
"""Files after which unpacking tells how far it is."""
BAD_NAMES = {
    errno.ENAMETOOLONG, errno.ENOTDIR, errno.EEXIST, errno.EISDIR, errno.EINVAL, errno.EILSEQ,
}  # fmt: skip
"""What a system says of a name that it does not take, or that is a file and a folder at once."""
REGULAR = (0, 0o100000)
"""A plain file's type in the upper bits of what a zip says of it; 0: it says nothing."""

Entry = tuple[PurePosixPath, int, IO[bytes]]
"""A file in an archive: its name, its size, and where to read it."""


def is_archive(name: str) -> bool:
    """Whether a file's name says that it is an archive.

    >>> is_archive("games.tar.gz"), is_archive("game.sgf")
    (True, False)
    """
    return name.lower().endswith(SUFFIXES)


def stem(name: str) -> str:
    """An archive's name without its ending.

    >>> stem("games.tar.gz"), stem("Cats.ZIP")
    ('games', 'Cats')
    """
    ending = max((s for s in SUFFIXES if name.lower().endswith(s)), key=len, default="")
    return name[: len(name) - len(ending)]


def names_in(path: Path) -> Iterator[str]:
    """The names of an archive's files as far as they can be read, in order."""
    with contextlib.suppress(*DAMAGED):
        if path.suffix.lower() == ".zip":
            with zipfile.ZipFile(path) as archive:
                yield from (entry.filename for entry in archive.infolist() if not entry.is_dir())
        else:
            with tarfile.open(path) as tar:
                yield from (entry.name for entry in tar if entry.isfile())


def stays_inside(name: str) -> bool:
    r"""Whether a file of that name would lie in the folder that it is unpacked into.

    >>> [stays_inside(n) for n in ("a/b.png", "../b.png", "/b.png", r"C:\b.png")]
    [True, False, False, False]
    """
    parts = PurePosixPath(name).parts
    outside = not parts or ".." in parts or name.startswith("/")
    return not outside and not any(c in name for c in "\\\0")


@dataclass
class Unpacking:
    """An archive that is being unpacked into a folder, and how much room is left for it."""

    archive: Path
    place: Path
    room: int
    """Bytes that may be written."""
    progress: Progress | None = None
    count: int = 0
    left_out: list[str] = field(default_factory=list)
    """Names of what was not unpacked: links, devices, names that lead out of the folder."""

    def entries(self) -> Iterator[Entry]:
        """The plain files; the rest is left out, a system's litter without a word."""
        zipped = self.archive.suffix.lower() == ".zip"
        for name, size, file in self._zipped() if zipped else self._tarred():
            if not stays_inside(name):
                self.left_out.append(printable(name))
            elif not any(map(is_junk, PurePosixPath(name).parts)):
                yield PurePosixPath(name), size, file

    def write(self, target: Path, size: int, file: IO[bytes]) -> bool:
        """One file, unless its name cannot be used here. Raises OSError without room."""
        self.room -= size
        if self.room < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as out:
                shutil.copyfileobj(file, out, 1 << 18)
        except OSError as error:
            if error.errno not in BAD_NAMES:
                raise
            self.left_out.append(printable(target.relative_to(self.place.parent).as_posix()))
            return False
        self.count += 1
        if self.progress is not None and self.count % TOLD_EVERY == 0:
            self.progress(self.count, 0)
        return True

    def _zipped(self) -> Iterator[tuple[str, int, IO[bytes]]]:
        with zipfile.ZipFile(self.archive) as archive:
            for entry in archive.infolist():
                if entry.is_dir():
                    continue
                if (entry.external_attr >> 16) & 0o170000 not in REGULAR:
                    self.left_out.append(printable(entry.filename))
                    continue
                with archive.open(entry) as file:
                    yield entry.filename, entry.file_size, file

    def _tarred(self) -> Iterator[tuple[str, int, IO[bytes]]]:
        with tarfile.open(self.archive, "r|*") as archive:  # a stream: nothing is sought
            for entry in archive:
                file = archive.extractfile(entry) if entry.isfile() else None
                if file is not None:
                    yield entry.name, entry.size, file
                elif not entry.isdir():
                    self.left_out.append(printable(entry.name))
