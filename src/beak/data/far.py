"""Shards on a web server: each is brought into the cache when it is read, and may go again.

A folder in the cache stands for the source. A shard's note beside its place there says where it
comes from; the shard itself lies there as long as there is room (BEAK_SHARDS_GB).
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import http.client
import json
import os
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from beak.data.download import TIMEOUT, fetch_part
from beak.data.lock import locked
from beak.data.plain import Stretch, open_plain
from beak.data.ranges import spelled_out
from beak.data.report import NOTE, Finding, printable
from beak.errors import DataError, UnreachableError, UsageError

SCHEMES = ("http", "https")
OTHERS = ("s3", "gs", "az", "abfs", "hdfs", "hf", "ftp", "sftp", "ssh", "file", "pipe")
LISTING = ".shards.json"
NOTES = ".from"
USUAL_GB = 20.0
ASKED = 16
"""Servers' answers that are waited for at once."""
TRIES = 5
SINGLE = 2
"""So many samples of a shard, one after another, are asked for alone; then all of it is brought."""
FINAL = tuple(f"HTTP {code}" for code in (400, 401, 403, 404, 405, 410, 412, 451))
_asking = ("", 0)
"""The shard of which samples were last asked for alone, and how many."""


@dataclass(frozen=True)
class Note:
    """Where a shard comes from, as its server told."""

    url: str
    size: int
    tag: str
    """The server's word for this state of the file: its ETag, else when it was changed."""

    @property
    def stamp(self) -> int:
        """A number in the place of a time of change."""
        return int.from_bytes(_digest(f"{self.size} {self.tag}")[:7], "big")

    @property
    def condition(self) -> dict[str, str]:
        """What to ask with, so that another state is not taken for this one."""
        if self.tag.startswith('"'):
            return {"If-Match": self.tag}
        dated = self.tag and not self.tag.startswith("W/")
        return {"If-Unmodified-Since": self.tag} if dated else {}


def is_far(name: str) -> bool:
    """Whether a source's name is an address. UsageError for a kind that is not read."""
    kind = name.partition(":")[0].lower()
    if "://" not in name and kind != "pipe":
        return False
    if kind in SCHEMES:
        return True
    if kind not in OTHERS:
        return False
    raise UsageError(
        f"{printable(name)[:200]}: {kind}: is not read; give shards as https:// addresses (public "
        "or signed ones), or mount it (rclone mount, s3fs, gcsfuse) and give the folder"
    )


def far_source(name: str, cache: Path) -> tuple[Path, list[Finding]]:
    """The folder in the cache that stands for an address of shards, and what is to be told.

    The server is asked for the size and state of each; the first is brought. Raises UsageError
    for addresses of something else, UnreachableError where one of them is not to be had.
    """
    urls = spelled_out(name) or [name]
    names = _names(urls)
    bad = next((one for one in names if not one.lower().endswith(".tar")), None)
    if bad is not None:
        raise UsageError(
            f"{printable(name)[:200]}: of what lies on the web only shards of WebDataset (.tar) "
            "are read; download this and give the file"
        )
    folder = cache / "far" / _digest(name).hex() / _shown(name)
    told: list[Finding] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with ThreadPoolExecutor(ASKED) as pool:
            try:
                notes = list(pool.map(_asked, urls))
            except _SilentError as error:
                pool.shutdown(cancel_futures=True)
                known = [note_of(folder / one) for one in names]
                if None in known:
                    raise UnreachableError(str(error)) from None
                notes = [note for note in known if note is not None]
                text = f"{error}; what was listed before is taken"
                told.append(Finding(NOTE, text))
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
        for one, note in zip(names, notes, strict=True):
            _noted(folder / one, note)
        _written(folder / LISTING, json.dumps(names))
    except OSError as error:
        raise DataError(
            f"{folder}: shards cannot be kept there ({error.strerror or error}); make room, or "
            "choose another folder with BEAK_CACHE"
        ) from None
    return folder, told


def listed(source: Path) -> list[Path]:
    """The shards that a folder in the cache stands for; none where it is an ordinary source."""
    try:
        names = json.loads((source / LISTING).read_text("utf-8"))
    except (OSError, ValueError):
        return []
    return [source / str(name) for name in names]


def note_of(shard: Path) -> Note | None:
    """Where a shard comes from; None where it lies here for good."""
    try:
        told = json.loads(_note_path(shard).read_text("utf-8"))
        return Note(str(told["url"]), int(told["size"]), str(told["tag"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def bring(shard: Path) -> None:
    """See that a shard lies here. UnreachableError: it is not to be had, or not as it was."""
    note = note_of(shard)
    if shard.is_file() or note is None:
        return
    allowed = _allowed()
    if note.size > allowed:
        raise UnreachableError(
            f"{note.url}: {note.size / 1e9:.1f} GB, more than is kept of shards; set BEAK_SHARDS_GB"
        )
    part = shard.with_name(f".{shard.name}.{_digest(note.tag).hex()[:8]}.part")
    try:
        with locked(shard.with_name(f".{shard.name}.lock"), wait=True):
            if not shard.is_file():
                _let_go(shard.parent.parent.parent, allowed - note.size)
                _download(note, part)
                os.replace(part, shard)
    except OSError as error:
        raise UnreachableError(
            f"{shard}: cannot be kept there ({error.strerror or error}); make room, set "
            "BEAK_SHARDS_GB to less, or choose another folder with BEAK_CACHE"
        ) from None


def far_stretch(place: Stretch) -> bytes:
    """A stretch of a shard that may have to be brought. FileNotFoundError for any other file."""
    note = note_of(place.path)
    if note is None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(place.path))
    global _asking
    shard, times = _asking
    _asking = (str(place.path), times + 1 if shard == str(place.path) else 1)
    if _asking[1] <= SINGLE:
        alone = _part_of(note, place)
        if alone is not None:
            return alone
    while True:
        bring(place.path)
        with contextlib.suppress(FileNotFoundError):  # another process has let it go
            return read_here(place)


def read_here(place: Stretch) -> bytes:
    """The stretch of a shard that lies here; FileNotFoundError where it does not."""
    with open_plain(place.path) as file:
        file.seek(place.begin)
        return file.read(place.size)


class _SilentError(Exception):
    """A server that does not answer at all."""


def _asked(url: str) -> Note:
    """What the server says of a file. _SilentError: nothing; UnreachableError: not what we need."""
    for method, headers in (("HEAD", {}), ("GET", {"Range": "bytes=0-0"})):
        request = urllib.request.Request(url, method=method, headers=_headers(headers))
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
                found = _size(answer.headers, answer.status)
                if found is not None:
                    tag = answer.headers.get("ETag") or answer.headers.get("Last-Modified") or ""
                    return Note(url, found, tag)
        except urllib.error.HTTPError as error:
            with contextlib.closing(error):
                if method == "GET" or error.code not in (400, 403, 405, 501):
                    raise UnreachableError(
                        f"{url}: HTTP {error.code} {error.reason}; is the address right?"
                    ) from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            why = getattr(error, "reason", None) or error
            raise _SilentError(f"{url}: no answer ({printable(str(why))[:120]})") from None
    raise UnreachableError(f"{url}: the server does not say how large it is, which is needed")


def _size(headers: Any, status: int) -> int | None:
    said = headers.get("Content-Range" if status == 206 else "Content-Length") or ""
    number = said.rpartition("/")[2]
    return int(number) if number.isdecimal() else None


def _headers(more: dict[str, str]) -> dict[str, str]:
    return {"User-Agent": "beak", "Accept-Encoding": "identity", **more}


def _download(note: Note, part: Path) -> None:
    """Bring a whole shard; what has come of it before is gone on with."""
    failed, had = 0, -1
    while True:
        reason = fetch_part(note.url, part, note.size, headers=_headers(note.condition))
        if reason is None:
            return
        have = part.stat().st_size if part.exists() else 0
        failed, had = (failed + 1, have) if have <= had else (1, have)
        if reason.startswith("HTTP 412"):
            reason += ": it has changed since it was listed; start again"
        if reason.startswith(FINAL):
            raise UnreachableError(f"{note.url}: {reason}")
        if failed >= TRIES:
            raise UnreachableError(f"{note.url}: {reason}; the same command goes on from there")
        time.sleep(0.1 * 4 ** (failed - 1))


def _part_of(note: Note, place: Stretch) -> bytes | None:
    """A stretch alone; None where the server gives no parts, or not now."""
    span = f"bytes={place.begin}-{place.begin + place.size - 1}"
    headers = _headers({"Range": span, **note.condition})
    request = urllib.request.Request(note.url, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
            if answer.status != 206 or place.size < 1:
                return None
            found: bytes = answer.read(place.size + 1)
    except (OSError, http.client.HTTPException):  # then all of it is tried, which tells why
        return None
    return found if len(found) == place.size else None


def _noted(shard: Path, note: Note) -> None:
    """Write a note; what was brought of another state goes."""
    if note_of(shard) == note:
        return
    with contextlib.suppress(FileNotFoundError):
        shard.unlink()
    _written(_note_path(shard), json.dumps(asdict(note)))


def _written(path: Path, text: str) -> None:
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    beside.write_text(text, "utf-8")
    os.replace(beside, path)


def _let_go(root: Path, allowed: int) -> None:
    """Remove shards, those first that were brought longest ago, until so many bytes are left."""
    lying = []
    for path in root.glob("*/*/*.tar"):
        with contextlib.suppress(OSError):
            told = path.stat()
            if note_of(path) is not None:
                lying.append((told.st_mtime_ns, told.st_size, path))
    total = sum(size for _, size, _ in lying)
    for _, size, path in sorted(lying):
        if total <= allowed:
            return
        with contextlib.suppress(OSError):
            path.unlink()
        total -= size


def _allowed() -> int:
    told = os.environ.get("BEAK_SHARDS_GB", "")
    try:
        wanted = float(told) if told else USUAL_GB
    except ValueError:
        wanted = -1.0
    if not 0 <= wanted < 1e9:
        raise UsageError(
            f"BEAK_SHARDS_GB={printable(told)[:50]}: gigabytes, such as 50, are wanted"
        )
    return int(wanted * 1e9)


def _names(urls: Sequence[str]) -> list[str]:
    """What shards are called: the ends of their addresses, with a number where these are alike."""
    paths = [urllib.parse.unquote(urllib.parse.urlsplit(url).path) for url in urls]
    ends = [path.rpartition("/")[2].replace("\0", "") for path in paths]
    if len(set(ends)) == len(ends):
        return ends
    return [f"{end.removesuffix('.tar')}-{i:06d}.tar" for i, end in enumerate(ends)]


def _shown(name: str) -> str:
    """What the data set is called: train for https://…/train-{00..19}.tar."""
    end = urllib.parse.urlsplit(name).path.rpartition("/")[2].partition("{")[0]
    return end.removesuffix(".tar").rstrip("-_.")[:100] or "shards"


def _note_path(shard: Path) -> Path:
    return shard.with_name(shard.name + NOTES)


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=16).digest()
