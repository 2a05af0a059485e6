"""Labelled texts from any source: tables, lines, class folders, a file for each class."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from beak.data.found import is_junk
from beak.data.report import NOTE
from beak.data.split import PART_NAMES, TRAIN, UNKNOWN
from beak.data.tables import PATH_NAMES, STEMS
from beak.data.text_columns import TEXT_NAMES
from beak.data.text_csv import delimiter_of
from beak.data.text_folders import (
    class_files,
    has_label_lines,
    labelled_by,
    part_of,
    read_class_folders,
    read_label_lines,
    read_lines,
    text_files,
    texts_below,
)
from beak.data.text_lines import encoding_of, lines_of
from beak.data.text_rows import TextRows
from beak.data.text_tables import JSON_ENDINGS, TABLE_ENDINGS, read_table
from beak.errors import BeakError, DataError

OTHER_FILES = frozenset((
    ".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".wav",
    ".flac", ".ogg", ".oga", ".mp3", ".sgf",
))  # fmt: skip
"""A table whose cells end so is one of pictures, sounds or games, not of texts."""


@dataclass(frozen=True)
class Reading:
    """How the user wants a source to be read."""

    text: str = ""
    """The text's column by heading or number from 1; "" guesses it."""
    label: str = ""
    encoding: str = "auto"


def read_texts(source: Path, how: Reading = Reading()) -> TextRows:
    """All usable texts of a source, in its order. Raises DataError, UsageError.

    ``source``: a .csv, .tsv or .jsonl; a folder with train and test tables; a file of ``label
    text`` lines, or a folder with train and test files of them (or the name that these share);
    class folders of .txt; files that differ by their ending, one for each class (or their name).
    """
    into = TextRows()
    if source.is_dir():
        _folder(into, source, how)
    elif source.suffix.lower() in TABLE_ENDINGS and source.exists():
        read_table(into, source, UNKNOWN, how.text, how.label, how.encoding)
    elif source.exists() and has_label_lines(source):
        read_label_lines(into, source, UNKNOWN, how.encoding)
    elif shared := shared_name(source):
        _class_files(into, shared, how)
    elif given := shared_parts(source):
        _line_files(into, given, how)
    else:
        raise DataError(
            f"{source}: no labelled texts: wanted a CSV, TSV or JSON lines with a text and a label "
            "column, lines of 'label text', or a file for each class"
        )
    if not len(into):
        bad = next((f"; {why}: {names[0]}" for why, names in into.wrong.items()), "")
        raise DataError(f"{source}: no line has a text and a label{bad}")
    return into


def _folder(into: TextRows, source: Path, how: Reading) -> None:
    tables = text_tables(source)
    if tables:
        for part, table in sorted(tables.items()):
            read_table(into, table, part, how.text, how.label, how.encoding)
        return
    if next(_class_texts(source), None) is not None:
        return read_class_folders(into, source, how.encoding)
    files = text_files(source)
    lined = [path for path in files if has_label_lines(path)]
    parts = {part_of(path.name): path for path in lined}
    others = class_files([path for path in files if path not in lined])
    if TRAIN in parts:
        if len(parts) < len(lined) or UNKNOWN in parts or others:
            told = ", ".join([*(path.name for path in lined), *others])
            raise DataError(f"{source}: several sets lie in it ({told}); give one folder or file")
        return _line_files(into, parts, how)
    sets = others
    stems = [path for path in files if path.suffix.lower() == ".txt"]
    if len(sets) == 1:
        _class_files(into, next(iter(sets.values())), how)
    elif len(sets) > 1:
        raise DataError(
            f"{source}: several sets lie in it ({', '.join(sorted(sets))}); give one, such as "
            f"{source / sorted(sets)[0]}"
        )
    elif len(stems) > 1:
        _class_files(into, stems, how)
    elif len(lined) == 1:
        read_label_lines(into, lined[0], UNKNOWN, how.encoding)
    else:
        raise DataError(
            f"{source}: no labelled texts in it: wanted LABEL/*.txt, train.csv, lines of 'label "
            "text' (train.txt, test.txt), or a file for each class (reviews.pos, reviews.neg)"
        )


def _line_files(into: TextRows, parts: dict[int, Path], how: Reading) -> None:
    for part, path in sorted(parts.items()):
        read_label_lines(into, path, part, how.encoding)
    names = ", ".join(path.name for _, path in sorted(parts.items()))
    into.note(NOTE, f"lines of 'label text' from {names}")


def _class_files(into: TextRows, paths: list[Path], how: Reading) -> None:
    named = labelled_by(paths)
    told = ", ".join(f"{path.name} ({label})" for path, label in named)
    into.note(NOTE, f"a file for each class, a text in each line: {told}")
    for path, label in named:
        read_lines(into, path, label, UNKNOWN, how.encoding)


def text_tables(folder: Path) -> dict[int, Path]:
    """Tables of texts in a folder by part: train.csv, val.jsonl, …; empty without a train table."""
    found: dict[int, Path] = {}
    for name in sorted(os.listdir(folder)):
        stem, ending = os.path.splitext(name.lower())
        if ending in TABLE_ENDINGS and stem in STEMS and not is_junk(name):
            part = STEMS[stem]
            if part in found:
                raise DataError(
                    f"{folder}: both {found[part].name} and {name} could be the same part; remove "
                    "or rename one"
                )
            found[part] = folder / name
    return found if TRAIN in found else {}


def shared_name(source: Path) -> list[Path]:
    """The files of one class each that a name stands for: rt-polarity, or one of the two files."""
    folder = source.parent
    if not folder.is_dir():
        return []
    sets = class_files(text_files(folder))
    if source.exists():
        return sets.get(source.stem, [])
    return sets.get(source.name, [])


def shared_parts(source: Path) -> dict[int, Path]:
    """Files of 'label text' lines by part that a name stands for: TREC of TREC.train.all."""
    if source.exists() or not source.parent.is_dir() or not source.name:
        return {}
    begin = tuple(f"{source.name}{sign}" for sign in ".-_")
    mine = [path for path in text_files(source.parent) if path.name.startswith(begin)]
    parts = {part_of(path.name): path for path in mine if has_label_lines(path)}
    return parts if TRAIN in parts and UNKNOWN not in parts and len(parts) == len(mine) else {}


def _class_texts(source: Path) -> Iterator[Path]:
    """Texts that lie in class folders, or in class folders below train/."""
    for entry in sorted(os.scandir(source), key=lambda entry: entry.name):
        if not entry.is_dir() or is_junk(entry.name):
            continue
        below = texts_below(Path(entry.path))
        if entry.name.lower() in PART_NAMES:
            here = Path(entry.path)
            below = (path for path in below if path.parent != here)
        yield from below


def claims(path: Path) -> float:
    """How sure it is that a source holds labelled texts, from 0 (no) to 1."""
    try:
        if path.is_dir():
            return _folder_claim(path)
        if not path.exists():
            return 0.8 if shared_name(path) or shared_parts(path) else 0.0
        ending = path.suffix.lower()
        if not path.stat().st_size:
            return 0.0
        if ending in JSON_ENDINGS:
            return 0.9
        if ending in TABLE_ENDINGS:
            return 0.0 if names_files(path) or not path.stat().st_size else 0.9
        if path in text_files(path.parent):
            return 0.8 if has_label_lines(path) or shared_name(path) else 0.0
    except (OSError, BeakError):
        return 0.0
    return 0.0


def _folder_claim(folder: Path) -> float:
    tables = text_tables(folder)
    if tables:
        first = tables[min(tables)]
        return 0.9 if first.suffix.lower() in JSON_ENDINGS or not names_files(first) else 0.0
    few = list(itertools.islice(_class_texts(folder), 20))
    if few:
        beside = [name for path in few for name in os.listdir(path.parent)]
        others = sum(os.path.splitext(name)[1].lower() in OTHER_FILES for name in beside)
        return 0.9 if not others else 0.2
    files = text_files(folder)
    if any(has_label_lines(path) for path in files) or class_files(files):
        return 0.7
    return 0.0


def names_files(table: Path) -> bool:
    """Whether some column of a CSV names pictures, sounds or games."""
    encoding, _ = encoding_of(table)
    head = [line or "" for _, line in itertools.islice(lines_of(table, encoding), 50)]
    delimiter = delimiter_of(head, table.suffix.lower() == ".tsv")
    rows = [[cell.strip().strip('"') for cell in line.split(delimiter)] for line in head]
    heading = {cell.lower() for cell in rows[0]} if rows else set()
    if heading & {*PATH_NAMES} - {"name"} and not heading & {*TEXT_NAMES}:
        return True
    cells = [cell for row in rows for cell in row]
    return any(os.path.splitext(cell)[1].lower() in OTHER_FILES for cell in cells)
