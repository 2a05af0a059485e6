"""Archives as sources: unpacked once, into the cache."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from beak.data.damage import DAMAGED
from beak.data.found import is_junk
from beak.data.lock import locked
from beak.data.plain import open_plain
from beak.data.report import NOTE, Finding, printable
from beak.data.shards import files_at
from beak.data.split import PART_NAMES
from beak.data.unpack import Unpacking, is_archive, names_in, stays_inside, stem
from beak.data.wishes import Progress
from beak.errors import DataError

KEPT_FREE = 0.05
"""Share of the room on the disk that unpacking leaves."""
LEFT_OUT = "left-out"


def archives_at(source: Path) -> list[Path]:
    """The archives that a source is made of: itself, a range of them, all that a folder holds.

    None where a source is something else, or a folder that holds other things too. Raises
    UsageError when one of a range is not there.
    """
    files = files_at(source)
    return files if all(is_archive(path.name) for path in files) else []


def unpacked(
    source: Path, archives: list[Path], cache: Path, progress: Progress | None = None
) -> tuple[Path, list[Finding]]:
    """A folder with what the archives hold (or the one file), and what is to be told of it.

    It is made once, under ``cache``/unpacked, and again when an archive has changed. A folder
    around everything in an archive is left away; of several archives each has a folder with its
    name.

    Raises DataError for a damaged archive, one with a password, and where there is no room.
    """
    home = cache / "unpacked" / _key(archives)
    folder = home / _name(source)
    try:
        home.parent.mkdir(parents=True, exist_ok=True)
        with locked(home.with_suffix(".lock"), wait=True):
            if not folder.is_dir():
                _make(archives, folder, progress)
            left_out = (home / LEFT_OUT).read_text("utf-8").splitlines()
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise DataError(
            f"{source}: cannot be unpacked into {home.parent} ({why}); make room there, choose "
            "another folder with BEAK_CACHE, or unpack it yourself and give the folder"
        ) from None
    text = "links, devices and odd names in the archive are left out"
    inside = list(folder.iterdir())
    held = inside[0] if len(inside) == 1 and inside[0].is_file() else folder
    return held, [Finding(NOTE, text, tuple(left_out))] if left_out else []


def _name(source: Path) -> str:
    """What the data set is called: train for train-{00..19}.tar."""
    return stem(source.resolve().name).partition("{")[0].rstrip("-_.") or "archive"


def _key(archives: list[Path]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for path in archives:
        try:
            open_plain(path).close()
            told = path.stat()
        except OSError as error:
            raise DataError(f"{path}: {(error.strerror or str(error)).lower()}") from None
        line = f"{path.resolve()}\0{told.st_size}\0{told.st_mtime_ns}\n"
        digest.update(line.encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _make(archives: list[Path], folder: Path, progress: Progress | None) -> None:
    """Unpack beside and rename, so that a folder that is there is whole."""
    home = folder.parent
    beside = Path(tempfile.mkdtemp(prefix=f".{home.name}-", dir=home.parent))
    try:
        room = int(shutil.disk_usage(beside).free * (1 - KEPT_FREE))
        count, left_out = 0, []
        for archive in archives:
            own = stem(archive.name) if len(archives) > 1 else ""
            inside = beside / folder.name / own
            inside.mkdir(parents=True, exist_ok=True)
            work = Unpacking(archive, inside, room, progress, count)
            _unpack(work, own)
            room, count = work.room, work.count
            left_out += work.left_out
        (beside / LEFT_OUT).write_text("\n".join(left_out), "utf-8")
        shutil.rmtree(home, ignore_errors=True)
        os.replace(beside, home)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _unpack(work: Unpacking, name: str) -> None:
    try:
        around = _around(names_in(work.archive), name)
        for path, size, file in work.entries():
            work.write(work.place / path.relative_to(around), size, file)
    except DAMAGED as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        if "password" in str(error):
            text = "asks for a password; unpack it yourself and give the folder"
            raise DataError(f"{work.archive}: {text}") from None
        said = printable(str(error) or type(error).__name__)
        text = f"damaged, or packed in a way that is not known here ({said})"
        raise DataError(f"{work.archive}: {text}; get it again, or give a folder") from None


def _around(names: Iterable[str], name: str) -> PurePosixPath:
    """The folders around all files, but for train/ and the like, unless the archive is so named."""
    folders = {
        PurePosixPath(one).parts[:-1]
        for one in names
        if stays_inside(one) and not any(map(is_junk, PurePosixPath(one).parts))
    }
    around = PurePosixPath()
    for first, last in zip(min(folders, default=()), max(folders, default=()), strict=False):
        if first != last or (first.lower() in PART_NAMES and first != name):
            break
        around /= first
    return around
