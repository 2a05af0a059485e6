"""Rows of CSV and TSV files, one at a time; a row that is broken does not take others with it."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator

from beak.data.text_rows import LONGEST

MOST_LINES = 500
"""Lines that one quoted cell may span; beyond, its quote is taken as never closed."""
OPEN, BROKEN, WHOLE = "open", "broken", "whole"

Cells = list[str]
Record = tuple[int, Cells | str]
"""The line that a row begins in, and its cells, or what is wrong with it."""


def delimiter_of(lines: Iterable[str], tabs: bool) -> str:
    """What stands between cells: the sign that the first lines have alike.

    >>> delimiter_of(["text;label", "yes, very good;pos"], False)
    ';'
    """
    if tabs:
        return "\t"
    sample = [line for line in lines if line.strip()][:20]
    counts = {sign: [line.count(sign) for line in sample] for sign in ",\t;|"}
    first = {sign: found[0] for sign, found in counts.items() if found and found[0]}
    if not first:
        return ","
    return max(first, key=lambda sign: (min(counts[sign]) > 0, first[sign], -",\t;|".index(sign)))


def records(
    lines: Iterable[tuple[int, str | None]], delimiter: str, cells: int | None = None
) -> Iterator[Record]:
    """The rows of a table. ``cells``: how many each has, as the first line says.

    A quoted cell may span lines. Where its quote is never closed, or where what it closed around
    has another number of cells, the line it began in is left out alone and the next is read anew.
    """
    waiting: list[tuple[int, str | None]] = []
    source = iter(lines)

    def following() -> tuple[int, str | None] | None:
        return waiting.pop(0) if waiting else next(source, None)

    while (found := following()) is not None:
        number, line = found
        if line is None:
            yield number, f"lines of more than {LONGEST:,} characters"
            continue
        if not line.strip():
            continue
        if '"' not in line:
            yield number, _counted(line.split(delimiter), cells)
            continue
        taken = [line]
        state = _state(line, delimiter)
        if delimiter == "\t" and state != WHOLE:  # there a quote is mostly just a quote
            yield number, _counted(line.split(delimiter), cells)
            continue
        behind: list[tuple[int, str | None]] = []
        size = len(line)
        while state == OPEN and len(behind) < MOST_LINES and size <= LONGEST:
            more = following()
            if more is None:
                break
            behind.append(more)
            if more[1] is None:
                break
            taken.append(more[1])
            size += len(more[1])
            if '"' in more[1]:
                state = _state("\n".join(taken), delimiter)
        if state == WHOLE:
            read = _counted(_read("\n".join(taken), delimiter), cells)
            if not behind or not isinstance(read, str):
                yield number, read
                continue
        waiting[:0] = behind
        why = "rows whose quote is not closed" if state != BROKEN or behind else BROKEN_TEXT
        yield number, why


BROKEN_TEXT = "rows with text behind a closing quote"


def _counted(found: Cells | str, wanted: int | None) -> Cells | str:
    """The cells, or what to say where their number is another (empty ones at the end are cut)."""
    if isinstance(found, str) or wanted is None or len(found) == wanted:
        return found
    if len(found) > wanted and not any(cell.strip() for cell in found[wanted:]):
        return found[:wanted]
    return f"rows with more or fewer cells than the {wanted} of the first line"


def _read(text: str, delimiter: str) -> Cells | str:
    csv.field_size_limit(max(csv.field_size_limit(), 4 * LONGEST))
    lines = text.split("\n")
    ended = [line + "\n" for line in lines[:-1]] + lines[-1:]
    try:
        return next(iter(csv.reader(ended, delimiter=delimiter)))
    except csv.Error:
        return "rows that are no CSV"


def _state(text: str, delimiter: str) -> str:
    """Whether all quoted cells of a text are closed, one is open, or something stands behind one.

    >>> [_state(text, ",") for text in ('"a, b",c', 'a,"b', '"a" b,c', '5" pipe,c')]
    ['whole', 'open', 'broken', 'whole']
    """
    place = 0
    while True:
        if text[place : place + 1] == '"':
            place += 1
            while True:
                place = text.find('"', place)
                if place < 0:
                    return OPEN
                if text[place + 1 : place + 2] != '"':
                    break
                place += 2
            place += 1
            if place < len(text) and text[place] != delimiter:
                return BROKEN
        place = text.find(delimiter, place)
        if place < 0:
            return WHOLE
        place += 1
