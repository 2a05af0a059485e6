"""TOML for recipes: reading with the line of every key, and a writer that reads back equal.

The standard library reads TOML but does not write it. A recipe is two levels deep at most
(``key = value`` and ``[table]`` with ``key = value``), with strings, whole numbers, floats,
booleans and lists of these; that much is written here.
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Mapping
from typing import Any

from beak.errors import RecipeError
from beak.runs.safe import strict_toml

BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
HEADER = re.compile(r"\s*\[\s*([^\[\]]+?)\s*\]\s*(#.*)?$")
ENTRY = re.compile(r"""\s*([A-Za-z0-9_.\- "']+?)\s*=""")
MULTI_LINE = ('"""', "'''")


def read_toml(text: str, name: str) -> tuple[dict[str, Any], dict[str, int]]:
    r"""The text's content flattened to dotted keys, and the line (from 1) of each.

    ``name`` stands before the line in errors. Raises RecipeError where it is not TOML.

    >>> read_toml("epochs = 3\n[loss]\nlabel_smoothing = 0.1", "r.toml")
    ({'epochs': 3, 'loss.label_smoothing': 0.1}, {'epochs': 1, 'loss.label_smoothing': 3})
    """
    try:
        content = strict_toml(text)
    except ValueError as error:
        located = isinstance(error, tomllib.TOMLDecodeError)
        said = _with_line(str(error), text) if located else f"cannot be read: {error}"
        raise RecipeError(f"{name} {said}; a recipe is TOML: key = value") from None
    lines = key_lines(text)
    flat = dict(_flatten(content, ""))
    return flat, {key: _line_of(key, lines) for key in flat}


def _with_line(message: str, text: str) -> str:
    found = re.search(r"\(at (?:line (\d+), column (\d+)|end of document)\)", message)
    said = message[: found.start()].strip() if found else message
    line = found[1] if found and found[1] else len(text.splitlines())
    column = f" (column {found[2]})" if found and found[2] else ""
    return f"line {line}: {said[0].lower() + said[1:]}{column}"


def _flatten(content: Mapping[str, Any], prefix: str) -> list[tuple[str, Any]]:
    flat: list[tuple[str, Any]] = []
    for key, value in content.items():
        if isinstance(value, dict):
            flat += _flatten(value, f"{prefix}{key}.")
        else:
            flat.append((prefix + key, value))
    return flat


def key_lines(text: str) -> dict[str, int]:
    """Dotted keys and table names -> the line where they stand first."""
    lines: dict[str, int] = {}
    table, inside = "", ""
    for number, line in enumerate(text.splitlines(), start=1):
        if inside:
            if inside in line:
                inside = ""
            continue
        if header := HEADER.match(line):
            table = _plain(header[1]) + "."
            lines.setdefault(table[:-1], number)
        elif entry := ENTRY.match(line):
            lines.setdefault(table + _plain(entry[1]), number)
            opened = next((mark for mark in MULTI_LINE if line.count(mark) % 2), "")
            inside = opened
    return lines


def _plain(key: str) -> str:
    return ".".join(part.strip().strip("\"'") for part in key.split("."))


def _line_of(key: str, lines: Mapping[str, int]) -> int:
    while key not in lines and "." in key:
        key = key.rpartition(".")[0]
    return lines.get(key, 1)


def write_toml(content: Mapping[str, Any], comments: Mapping[str, str] | None = None) -> str:
    """TOML of plain values and one level of tables; ``comments`` by dotted key go behind values.

    Floats are written so that they read back to the same bits.

    >>> print(write_toml({"epochs": 3, "loss": {"label_smoothing": 0.1}}), end="")
    epochs = 3
    <BLANKLINE>
    [loss]
    label_smoothing = 0.1
    """
    comments = comments or {}
    plain = [(k, v) for k, v in content.items() if not isinstance(v, Mapping)]
    parts = ["".join(_entry(key, value, comments.get(key)) for key, value in plain)]
    for table, entries in content.items():
        if isinstance(entries, Mapping):
            rows = (_entry(k, v, comments.get(f"{table}.{k}")) for k, v in entries.items())
            parts.append(f"[{_key(table)}]\n" + "".join(rows))
    return "\n".join(part for part in parts if part)


def _entry(key: str, value: Any, comment: str | None) -> str:
    return f"{_key(key)} = {_value(value)}" + (f"  # {comment}" if comment else "") + "\n"


def _key(key: str) -> str:
    return key if BARE_KEY.fullmatch(key) else _string(key)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(_value(item) for item in value)}]"
    raise TypeError(f"{type(value).__name__} has no place in a recipe: {value!r}")


def _float(value: float) -> str:
    if math.isfinite(value):
        return repr(value)
    return "nan" if math.isnan(value) else ("inf" if value > 0 else "-inf")


def _string(text: str) -> str:
    plain = all(ord(c) >= 0x20 and ord(c) != 0x7F for c in text)
    if plain and "'" not in text and ('"' in text or "\\" in text):
        return f"'{text}'"
    return '"' + "".join(_escaped(c) for c in text) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    if ord(character) < 0x20 or ord(character) == 0x7F:
        return f"\\u{ord(character):04x}"
    return character
