"""The built-in sets of sounds: where they lie, and getting them."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tarfile
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

from beak.data.builtin import FSDD_ARCHIVE, FSDD_SUM, BuiltIn, home_of, local_files
from beak.data.download import download
from beak.data.wishes import Progress
from beak.errors import DataError, UsageError

MOST_BYTES = 200_000_000


def folder_of(
    known: BuiltIn, data_dir: Path | str | None, progress: Progress | None = None
) -> Path:
    """The folder of a set, downloaded where it is not here yet. Raises DataError, UsageError."""
    if data_dir is not None and not Path(data_dir).is_dir():
        raise UsageError(f"--data-dir {data_dir}: no such folder")
    files = local_files(known, data_dir)
    if files:
        return files[0].parent
    home = home_of(known, data_dir)
    if known.name == "fsdd":
        return _fsdd(home / "recordings", FSDD_ARCHIVE)
    (file,) = known.files
    archive = home.with_name(file.name)
    if not archive.is_file():
        download(file.urls, archive, file.sha256, file.size, progress)
    _unpack(archive, home)
    return home


def _unpack(archive: Path, home: Path) -> None:
    """Unpack beside and rename, so that a folder that is there is whole."""
    try:
        beside = tempfile.mkdtemp(prefix=f".{home.name}-", dir=home.parent)
        try:
            with tarfile.open(archive) as tar:
                tar.extractall(beside, filter="data")
            os.replace(beside, home)
        finally:
            with contextlib.suppress(OSError):
                shutil.rmtree(beside)
    except (OSError, tarfile.TarError) as error:
        raise DataError(f"{archive}: cannot be unpacked ({error})") from None


def _fsdd(folder: Path, url: str) -> Path:
    """Get the recordings of the commit whose sum is known."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".fsdd-") as place:
            archive, unpacked = Path(place) / "archive", Path(place) / "recordings"
            unpacked.mkdir()
            request = urllib.request.Request(url, headers={"User-Agent": "beak"})
            with urllib.request.urlopen(request, timeout=30) as answer, open(archive, "wb") as file:
                while (piece := answer.read(1 << 18)) and file.tell() < MOST_BYTES:
                    file.write(piece)
            with tarfile.open(archive) as tar:
                for member in tar:
                    if member.isfile() and "/recordings/" in member.name:
                        member.name = member.name.rpartition("/")[2]
                        tar.extract(member, unpacked, filter="data")
            if content_sum(unpacked) != FSDD_SUM:
                raise DataError(f"fsdd: what came from {url} has another checksum (sha256)")
            os.replace(unpacked, folder)
    except (OSError, tarfile.TarError, urllib.error.URLError) as error:
        why = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        raise DataError(
            f"fsdd could not be had ({url}: {why}); try again later, or put its recordings into "
            f"{folder}"
        ) from None
    return folder


def content_sum(folder: Path) -> str:
    """SHA-256 over all files of a folder: names and contents."""
    digest = hashlib.sha256()
    for name in sorted(os.listdir(folder)):
        content = hashlib.sha256((folder / name).read_bytes()).digest()
        digest.update(name.encode() + b"\0" + content)
    return digest.hexdigest()
