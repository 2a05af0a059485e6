"""Reading what a stranger may have written: JSON and safetensors headers, checked before use.

A weights file may come from anywhere, so everything in it is bounded before it is believed: the
header's length, the depth and numbers of its JSON, kinds and places of its arrays. Nothing is
allocated from a number in the file that the file's own size does not cover.
"""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from beak.errors import RunError

HEADER_LIMIT = 8 << 20
"""Bytes that the header of a weights file may have: a thousand times what real ones need."""
DEPTH_LIMIT = 24
"""How deep JSON may nest in files of ours."""
DIGITS_LIMIT = 310
"""Digits that a whole number may have: as float64."""
NAME_LIMIT = 200
"""Characters that the name of an array may have."""
ARRAYS_LIMIT = 20_000
DTYPES: dict[str, np.dtype[Any]] = {
    "F64": np.dtype("<f8"),
    "F32": np.dtype("<f4"),
    "I64": np.dtype("<i8"),
    "I32": np.dtype("<i4"),
    "U64": np.dtype("<u8"),
    "U32": np.dtype("<u4"),
    "U8": np.dtype("u1"),
}
"""The kinds of numbers that files of ours hold, by their safetensors names."""


@dataclass(frozen=True)
class Entry:
    """Where one array lies: bytes ``start`` to ``end`` of the data behind the header."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int


@dataclass(frozen=True)
class Header:
    """What a safetensors file says about itself: its arrays by name and its metadata."""

    entries: dict[str, Entry]
    metadata: dict[str, str]


def one_line(text: object, limit: int = 80) -> str:
    r"""Text from a file, made fit for an error line: no control characters, not too long.

    >>> one_line("cat\x1b[2J\n")
    'cat\\x1b[2J\\n'
    """
    plain = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in str(text)[: limit + 1])
    return plain if len(plain) <= limit else plain[: limit - 1] + "…"


def parse_json(text: str | bytes, what: str, *, finite: bool = True) -> Any:
    """JSON from an untrusted file; no key twice, no deep nesting, no number beyond float64.

    ``finite=False`` takes NaN and Infinity, as our own checkpoints write them.

    Raises RunError, in one line that begins with ``what``.
    """
    try:
        return strict_json(text, finite=finite)
    except ValueError as error:
        raise RunError(
            f"{what} is not the JSON it should be ({one_line(error)}); {AGAIN}"
        ) from None


def strict_json(text: str | bytes, *, finite: bool = True) -> Any:
    """As `parse_json`; raises ValueError with what is wrong."""
    try:
        value = json.loads(
            text,
            object_pairs_hook=_no_key_twice,
            parse_constant=_no_constant if finite else float,
            parse_float=_finite if finite else float,
            parse_int=_whole,
        )
    except RecursionError:
        raise ValueError("it nests too deep") from None
    if _depth_over(value, DEPTH_LIMIT):
        raise ValueError(f"it nests deeper than {DEPTH_LIMIT} levels")
    return value


def strict_toml(text: str) -> dict[str, Any]:
    """TOML that a stranger may have written; raises ValueError with what is wrong.

    >>> strict_toml("epochs = 3")
    {'epochs': 3}
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        raise
    except ValueError:  # tomllib leaves numbers without end to int()
        raise ValueError("a number is too large") from None
    except RecursionError:
        raise ValueError("it nests too deep") from None


AGAIN = "the file is damaged or not one of beak's: take another copy or train again"
"""What to do about a broken file."""


def _no_key_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found


def _no_constant(word: str) -> float:
    raise ValueError(f"{word} is no number of JSON")


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError("a number is too large")
    return value


def _whole(digits: str) -> int:
    if len(digits) > DIGITS_LIMIT:
        raise ValueError("a number is too large")
    return int(digits)


def _depth_over(value: Any, limit: int) -> bool:
    """Whether lists and objects nest more than ``limit`` deep; without recursion."""
    level = [value]
    for _ in range(limit + 1):
        deeper: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                deeper.extend(item.values())
            elif isinstance(item, list):
                deeper.extend(item)
        if not deeper:
            return False
        level = deeper
    return True


def parse_header(raw: bytes, data_bytes: int, name: str) -> Header:
    """The checked header of a safetensors file from its JSON bytes.

    ``data_bytes``: how many bytes really follow the header. Every array must be of a known kind,
    fill exactly its place, and all together must fill the data without holes or overlaps.

    Raises RunError naming the file (``name``).
    """
    found = parse_json(raw, f"{name}: the header")
    if not isinstance(found, dict):
        raise RunError(f"{name}: the header is no JSON object; {AGAIN}")
    metadata = found.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise RunError(f"{name}: the metadata must be texts by name; {AGAIN}")
    if len(found) > ARRAYS_LIMIT:
        raise RunError(f"{name}: {len(found):,} arrays, at most {ARRAYS_LIMIT:,} fit; {AGAIN}")
    entries = {key: _entry(key, value, name) for key, value in found.items()}
    _check_places(entries.values(), data_bytes, name)
    return Header(entries, metadata)


def _entry(key: str, value: Any, name: str) -> Entry:
    """One array's entry, each field of the right type and the size right for its shape."""
    if not 0 < len(key) <= NAME_LIMIT:
        raise RunError(f"{name}: an array's name has {len(key)} characters; {AGAIN}")
    said = f"{name}: array '{one_line(key)}'"
    if not isinstance(value, dict) or set(value) != {"dtype", "shape", "data_offsets"}:
        raise RunError(f"{said} must have dtype, shape and data_offsets; {AGAIN}")
    dtype, shape, places = value["dtype"], value["shape"], value["data_offsets"]
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise RunError(f"{said} is of kind '{one_line(dtype)}', not {', '.join(DTYPES)}; {AGAIN}")
    if not _counts(shape) or len(shape) > 8:
        raise RunError(f"{said}: the shape {one_line(shape)} is not possible; {AGAIN}")
    if not _counts(places) or len(places) != 2:
        raise RunError(f"{said}: data_offsets {one_line(places)} are not possible; {AGAIN}")
    size = math.prod(shape) * DTYPES[dtype].itemsize
    if places[1] - places[0] != size:
        raise RunError(
            f"{said} of shape {one_line(shape)} needs {one_line(size)} bytes but has "
            f"{one_line(places[1] - places[0])}; {AGAIN}"
        )
    return Entry(dtype, tuple(shape), places[0], places[1])


def _counts(value: Any) -> bool:
    """A list of whole numbers from 0 to 2^53; True and 1.0 are none."""
    return isinstance(value, list) and all(type(n) is int and 0 <= n < 1 << 53 for n in value)


def _check_places(entries: Iterable[Entry], data_bytes: int, name: str) -> None:
    """All arrays side by side from byte 0 to the file's end."""
    at = 0
    for entry in sorted(entries, key=lambda e: (e.start, e.end)):
        if entry.start != at:
            raise RunError(f"{name}: arrays overlap or leave holes at byte {at:,}; {AGAIN}")
        at = entry.end
    if at > data_bytes:
        raise RunError(
            f"{name} is cut short: {data_bytes:,} bytes of weights where {at:,} should be; "
            "copy or download it again, or train again"
        )
    if at < data_bytes:
        raise RunError(f"{name}: {data_bytes - at:,} bytes too many at the end; {AGAIN}")
