"""history.jsonl: a JSON object a line, a line an epoch; one torn by a power cut is dropped."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from beak.errors import RunError
from beak.runs.files import could_not_read, could_not_write, sync_directory, write_whole
from beak.runs.safe import one_line, parse_json

HISTORY_LIMIT = 64 << 20
"""Bytes of history that are read."""


def plain(value: Any) -> Any:
    """A record as JSON can say it: numpy's numbers as Python's, NaN and infinity as null.

    >>> plain({"loss": float("nan"), "interval": (0.5, 1.0)})
    {'loss': None, 'interval': [0.5, 1.0]}
    """
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def append_history(path: Path, record: Mapping[str, Any]) -> None:
    """Add one line and sync it; a torn line that ends the file is cut off first."""
    line = json.dumps(plain(record), ensure_ascii=False, allow_nan=False).encode() + b"\n"
    try:
        new = not path.exists()
        with open(path, "ab+") as file:
            whole = _whole_bytes(file.seek(0, os.SEEK_END), file)
            file.truncate(whole)
            try:
                file.write(line)
                file.flush()
                os.fsync(file.fileno())
            except OSError:
                os.truncate(path, whole)
                raise
        if new:
            sync_directory(path.parent)
    except OSError as error:
        raise could_not_write(path, error) from None


def _whole_bytes(size: int, file: Any) -> int:
    """How many bytes of the file are whole lines."""
    at = size
    while at > 0:
        begin = max(0, at - 65536)
        file.seek(begin)
        found: int = file.read(at - begin).rfind(b"\n")
        if found >= 0:
            return begin + found + 1
        at = begin
    return 0


def read_history(path: Path) -> list[dict[str, Any]]:
    """Every record; none where there is no file yet. A torn last line is left out.

    Raises RunError with the line's number where another line is broken.
    """
    try:
        if path.stat().st_size > HISTORY_LIMIT:
            raise RunError(
                f"{one_line(path, 300)} is larger than {HISTORY_LIMIT >> 20} MB; move it away"
            )
        raw = path.read_bytes()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise could_not_read(path, error) from None
    lines = raw.split(b"\n")
    torn_at = len(lines)  # without a line's end at the file's end, the last one is torn
    records = []
    for number, line in enumerate(lines[: torn_at - 1], 1):
        try:
            record = parse_json(line, f"{one_line(path, 300)}, line {number}")
            if not isinstance(record, dict):
                raise RunError(f"{one_line(path, 300)}, line {number} is no JSON object")
        except RunError:
            if number == torn_at - 1:  # a power cut may leave zeros with a line's end
                break
            raise
        records.append(record)
    return records


def cut_history(path: Path, lines: int) -> list[dict[str, Any]]:
    """Keep the first ``lines`` records, as many as the checkpoint knows of; gives them back."""
    records = read_history(path)[:lines]
    kept = (json.dumps(r, ensure_ascii=False, allow_nan=False).encode() + b"\n" for r in records)
    if path.exists():
        write_whole(path, kept)
    return records
