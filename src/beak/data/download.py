"""Getting a file from the network: goes on where it was cut, checks its sum, renames when whole."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path

from beak.data.lock import locked
from beak.data.wishes import Progress
from beak.errors import DataError

PIECE = 1 << 18
TIMEOUT = 30.0


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, 64 hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def download(
    urls: Sequence[str],
    target: Path,
    sha256: str,
    size: int,
    progress: Progress | None = None,
    timeout: float = TIMEOUT,
) -> Path:
    """Get ``target`` from the first of ``urls`` that gives it whole.

    What has come lies in ``target`` + ".part" and is gone on with next time. ``size`` in bytes
    bounds what is taken. Of two processes that want it, one gets it and the other waits. Raises
    DataError, one line, when no place gives the file with this sum.
    """
    part = target.with_name(target.name + ".part")
    reasons: list[str] = []
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with locked(target.with_name(f".{target.name}.lock"), wait=True):
            if target.is_file():  # another process got it while we waited
                return target
            if _from_any(urls, part, sha256, size, progress, timeout, reasons):
                os.replace(part, target)
                return target
    except OSError as error:
        raise DataError(f"cannot write {target}: {error.strerror or error}") from None
    raise DataError(
        f"{target.name} could not be had ({'; '.join(reasons)}); try again later, or put the file "
        f"into {target.parent} yourself"
    )


def _from_any(
    urls: Sequence[str],
    part: Path,
    sha256: str,
    size: int,
    progress: Progress | None,
    timeout: float,
    reasons: list[str],
) -> bool:
    """Whether ``part`` is now the whole file with the right sum; if not, ``reasons`` tells why."""
    for url in urls:
        for _ in range(2):  # a part from elsewhere may not fit: then once more from the start
            began = part.stat().st_size if part.exists() else 0
            reason = fetch_part(url, part, size, progress, timeout)
            if reason is None:
                if sha256_of(part) == sha256:
                    return True
                part.unlink()
                reason = "what came has another checksum (sha256)"
            if not began or part.exists():
                break
        reasons.append(f"{url}: {reason}")
    return False


def fetch_part(
    url: str,
    part: Path,
    size: int,
    progress: Progress | None = None,
    timeout: float = TIMEOUT,
    headers: Mapping[str, str] | None = None,
) -> str | None:
    """Append to ``part`` what is missing; None when it is whole, else why it is not."""
    have = part.stat().st_size if part.exists() else 0
    if have > size:
        part.unlink()
        have = 0
    if have == size:
        return None
    request = urllib.request.Request(url, headers={"User-Agent": "beak", **(headers or {})})
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            goes_on = answer.status == 206 and _starts_at(answer.headers, have)
            have = have if goes_on else 0
            with open(part, "ab" if goes_on else "wb") as file:
                while have <= size and (piece := _read(answer)):
                    file.write(piece)
                    have += len(piece)
                    if progress:
                        progress(have, size)
                file.flush()
                os.fsync(file.fileno())
    except urllib.error.HTTPError as error:
        with contextlib.closing(error):
            if error.code == 416:
                part.unlink(missing_ok=True)
            return f"HTTP {error.code} {error.reason}"
    except urllib.error.URLError as error:
        return f"no connection ({error.reason})"
    except (http.client.HTTPException, TimeoutError, ConnectionError) as error:
        return f"the connection broke ({type(error).__name__})"
    if have > size:
        part.unlink()
        return f"more came than the {size} bytes of the file"
    return None if have == size else f"cut off after {have} of {size} bytes"


def _read(answer: http.client.HTTPResponse) -> bytes:
    try:
        return answer.read(PIECE)
    except http.client.IncompleteRead as error:
        return error.partial


def _starts_at(headers: http.client.HTTPMessage, place: int) -> bool:
    return (headers.get("Content-Range") or "").startswith(f"bytes {place}-")
