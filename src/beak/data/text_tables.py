"""Labelled texts from CSV, TSV and JSON lines, row by row."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from beak.data.report import NOTE
from beak.data.split import TRAIN, UNKNOWN
from beak.data.tables import STEMS
from beak.data.text_columns import SAMPLE, Columns, choose_columns
from beak.data.text_csv import Cells, Record, delimiter_of, records
from beak.data.text_lines import encoding_of, lines_of
from beak.data.text_rows import LONGEST, TextRows
from beak.errors import DataError

JSON_ENDINGS = (".jsonl", ".ndjson")
TABLE_ENDINGS = (".csv", ".tsv", *JSON_ENDINGS)

Numbered = tuple[int, str | None]


def read_table(into: TextRows, table: Path, part: int, text: str, label: str, coding: str) -> None:
    """Add a table's rows; ``text`` and ``label`` name columns ("": guess), ``coding`` or "auto".

    Raises DataError for a table without usable rows, UsageError for a column that is not there.
    """
    encoding, told = encoding_of(table, coding)
    into.findings += told
    into.begin(table.name)
    before = len(into)
    lines = lines_of(table, encoding)
    if table.suffix.lower() in JSON_ENDINGS:
        names, rows = _json_rows(table, lines)
        columns = choose_columns(str(table), [names, *rows.sample], text, label)
        _note(into, table, columns)
        _take(into, rows, columns, part)
    else:
        _csv(into, table, lines, part, text, label)
    if len(into) == before:
        bad = next((f"; {why}" for why in into.wrong), "")
        raise DataError(f"{table}: no row has a text and a label{bad}")


def _csv(
    into: TextRows, table: Path, lines: Iterable[Numbered], part: int, text: str, label: str
) -> None:
    head, lines = _peeked(lines, SAMPLE)
    delimiter = delimiter_of((line or "" for _, line in head), table.suffix.lower() == ".tsv")
    cells = None
    for _, found in records(head, delimiter):
        if not isinstance(found, str):
            cells = len(found)
            break
    if cells is None:
        raise DataError(f"{table}: the table is empty; rows of a text and a label are wanted")
    sample = [found for _, found in records(head, delimiter, cells) if not isinstance(found, str)]
    columns = choose_columns(str(table), sample, text, label)
    _note(into, table, columns)
    rows = records(lines, delimiter, cells)
    if columns.header:
        next(rows)
    _take(into, rows, columns, part)


def _peeked(lines: Iterable[Numbered], count: int) -> tuple[list[Numbered], Iterator[Numbered]]:
    """The first lines, and all of them."""
    source = iter(lines)
    head = list(itertools.islice(source, count))
    return head, itertools.chain(head, source)


def _note(into: TextRows, table: Path, columns: Columns) -> None:
    if columns.how:
        into.note(NOTE, f"{table.name}: {columns.how}")
    if columns.part is not None:
        name = columns.names[columns.part]
        into.note(NOTE, f"{table.name}: the column '{name}' says which part is for what")
    used = (columns.text, columns.label, columns.part)
    rest = [name for i, name in enumerate(columns.names) if i not in used and name]
    if rest:
        into.note(NOTE, f"{table.name}: columns that are not used: {', '.join(rest)}")


def _take(into: TextRows, rows: Iterable[Record], columns: Columns, part: int) -> None:
    for number, found in rows:
        if isinstance(found, str):
            into.leave_out(found, number)
            continue
        mine = part
        if columns.part is not None:
            word = found[columns.part].strip().lower()
            mine = STEMS.get(word, TRAIN if part == UNKNOWN else part)
        into.add(number, found[columns.text], found[columns.label], mine)


class _JsonRows:
    """The objects of JSON lines as rows of cells."""

    def __init__(self, names: Cells, head: list[Numbered], lines: Iterator[Numbered]) -> None:
        self.names = names
        self.sample = [row for _, row in self._of(head) if not isinstance(row, str)]
        self.lines = lines

    def __iter__(self) -> Iterator[Record]:
        return self._of(self.lines)

    def _of(self, lines: Iterable[Numbered]) -> Iterator[Record]:
        for number, line in lines:
            if line is None:
                yield number, f"lines of more than {LONGEST:,} characters"
            elif line.strip():
                made = _object(line)
                yield number, made if isinstance(made, str) else self._cells(made)

    def _cells(self, made: Mapping[str, Any]) -> Cells | str:
        return [_cell(made.get(name)) for name in self.names]


def _json_rows(table: Path, lines: Iterable[Numbered]) -> tuple[Cells, _JsonRows]:
    head, lines = _peeked(lines, SAMPLE)
    objects = [_object(line) for _, line in head if line and line.strip()]
    names = list(dict.fromkeys(name for made in objects if isinstance(made, dict) for name in made))
    if not names:
        raise DataError(f'{table}: no line is a JSON object such as {{"text": "…", "label": "…"}}')
    return names, _JsonRows(names, head, lines)


def _object(line: str) -> dict[str, Any] | str:
    try:
        made = json.loads(line)
    except (ValueError, RecursionError):
        return "lines that are no JSON"
    return made if isinstance(made, dict) else "lines that are no JSON object"


def _cell(value: Any) -> str:
    """A JSON value as a cell: numbers and truth as they are written, nothing as nothing."""
    if value is None or isinstance(value, dict | list):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
