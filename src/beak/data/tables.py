"""Tables of path and label: CSV or TSV, with a header or without."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import numpy as np

from beak.data.found import Found, in_order, numbered
from beak.data.pictures import SUFFIXES as PICTURES
from beak.data.report import NOTE, WARNING, Finding
from beak.data.sounds import SUFFIXES as SOUNDS
from beak.data.split import TEST, TRAIN, UNKNOWN, VALIDATION
from beak.errors import DataError

PATH_NAMES = (
    "path",
    "file",
    "filename",
    "file_name",
    "filepath",
    "image",
    "picture",
    "img",
    "name",
)
LABEL_NAMES = ("label", "class", "target", "category", "y", "class_name", "labels", "species")
STEMS = {
    "train": TRAIN, "training": TRAIN, "val": VALIDATION, "valid": VALIDATION,
    "validation": VALIDATION, "dev": VALIDATION, "test": TEST,
}  # fmt: skip
GROUP_COLUMNS = ("speaker", "speaker_id", "client_id", "subject", "person", "voice")
"""Columns that say who is heard (or seen): all of one go to one side of a split."""
PART_COLUMNS = ("split", "part", "subset", "set", "partition", "phase")
ENDINGS = (".csv", ".tsv")

Row = tuple[int, str, str, int, str]
"""Line number, path, label, part (UNKNOWN where the table names none), group ("" for none)."""


def find_tables(folder: Path) -> dict[int, Path]:
    """train.csv, val.csv, test.csv (or .tsv) of a folder by part; empty without a train table."""
    found: dict[int, Path] = {}
    for entry in sorted(os.listdir(folder)):
        stem, ending = os.path.splitext(entry.lower())
        if ending in ENDINGS and stem in STEMS:
            if STEMS[stem] in found:
                raise DataError(
                    f"{folder}: both {found[STEMS[stem]].name} and {entry} could be the same part; "
                    "remove or rename one"
                )
            found[STEMS[stem]] = folder / entry
    return found if TRAIN in found else {}


def find(tables: dict[int, Path]) -> Found:
    """The examples of one table (part UNKNOWN) or of one for each part."""
    findings: list[Finding] = []
    names, words, parts, sizes, times = [], [], [], [], []
    groups, places = [], []
    root = next(iter(tables.values())).parent
    for part, table in sorted(tables.items()):
        rows, notes = read_table(table)
        findings += notes
        for line, path, label, own, group in rows:
            names.append(path.replace("\\", "/") if os.sep == "/" and "\\" in path else path)
            words.append(label)
            groups.append(group)
            places.append(f"{table.name}:{line}")
            parts.append(part if own == UNKNOWN else own)
            try:
                stat = os.stat(root / names[-1])
                sizes.append(stat.st_size)
                times.append(stat.st_mtime_ns)
            except (OSError, ValueError):
                sizes.append(-1)
                times.append(0)
    labels = in_order(words)
    if names and max(sizes) < 0:
        raise DataError(
            f"{next(iter(tables.values()))}: none of the {len(names)} files it names is there "
            f"({names[0]} …); paths are relative to the table's folder"
        )
    return Found(
        root,
        labels,
        names,
        numbered(words, labels),
        np.array(parts, np.int8),
        np.array(sizes, np.int64),
        np.array(times, np.int64),
        findings,
        groups if all(groups) and len({*groups}) > 1 else None,
        places,
    )


def read_table(table: Path) -> tuple[list[Row], list[Finding]]:
    """Line number, path, label and part of each row; a row without path or label is a finding."""
    lines = _cells(table)
    if not lines:
        raise DataError(f"{table}: the table is empty; wanted rows of path,label")
    first = lines[0][1]
    header = _is_header(table.parent, first, lines[1:50])
    if len(first) < 2:
        raise DataError(f"{table}:{lines[0][0]}: one column only; wanted path,label in each row")
    column, target = _columns(table, first, lines, header)
    rows: list[Row] = []
    bad = []
    body = lines[1:] if header else lines
    heading = first if header else []
    group = _group_column(heading, (column, target))
    taken = (column, target) if group is None else (column, target, group)
    parts, findings = _parts(table, heading, taken, body)
    for (number, cells), part in zip(body, parts, strict=True):
        who = cells[group].strip() if group is not None and group < len(cells) else ""
        path, label = ((cells[i].strip() if i < len(cells) else "") for i in (column, target))
        if path and label and "\0" not in path:
            rows.append((number, path, label, part, who))
        else:
            bad.append(f"{table.name}:{number}")
    if not header:
        findings.append(
            Finding(NOTE, f"{table.name} has no header: its columns are path and label")
        )
    if bad:
        findings.append(Finding(WARNING, "rows without a path or a label", tuple(bad)))
    if not rows:
        raise DataError(f"{table}: no row has a path and a label")
    return rows, findings


def _cells(table: Path) -> list[tuple[int, list[str]]]:
    try:
        text = table.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{table}: not UTF-8 text ({error.reason} at byte {error.start})") from None
    except OSError as error:
        raise DataError(f"{table}: cannot be read ({error.strerror})") from None
    first = text.split("\n", 1)[0]
    tabs = table.suffix.lower() == ".tsv" or ("\t" in first and "," not in first)
    semicolons = ";" in first and "," not in first
    reader = csv.reader(
        text.splitlines(), delimiter="\t" if tabs else ";" if semicolons else ",", strict=True
    )
    lines = []
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                lines.append((reader.line_num, cells))
    except csv.Error as error:
        raise DataError(f"{table}:{reader.line_num}: {error}") from None
    return lines


def _looks_like_a_file(folder: Path, cell: str) -> bool:
    cell = cell.strip()
    if os.path.splitext(cell)[1].lower() in PICTURES | SOUNDS:
        return True
    try:
        return bool(cell) and (folder / cell).is_file()
    except (OSError, ValueError):
        return False


def _is_header(folder: Path, first: list[str], rest: list[tuple[int, list[str]]]) -> bool:
    words = [cell.strip().lower() for cell in first]
    if any(_looks_like_a_file(folder, cell) for cell in first):
        return False
    if any(word in PATH_NAMES or word in LABEL_NAMES for word in words):
        return True
    return any(_looks_like_a_file(folder, cell) for _, row in rest for cell in row)


def _columns(
    table: Path, first: list[str], lines: list[tuple[int, list[str]]], header: bool
) -> tuple[int, int]:
    """Which column is the path and which the label."""
    words = [cell.strip().lower() for cell in first] if header else []
    path = next((words.index(n) for n in PATH_NAMES if n in words), None)
    target = next((words.index(n) for n in LABEL_NAMES if n in words), None)
    if path is None:
        sample = lines[1:50] if header else lines[:50]
        scores = [
            sum(_looks_like_a_file(table.parent, row[i]) for _, row in sample if i < len(row))
            for i in range(len(first))
        ]
        path = int(np.argmax(scores))
    others = [i for i in range(len(first)) if i != path]
    if target is None or target == path:
        if len(others) > 1 and header:
            raise DataError(
                f"{table}:1: which column is the label? found {', '.join(first)}; name it 'label'"
            )
        target = others[0]
    return path, target


def _group_column(heading: list[str], taken: tuple[int, int]) -> int | None:
    words = [cell.strip().lower() for cell in heading]
    return next((i for i, w in enumerate(words) if w in GROUP_COLUMNS and i not in taken), None)


def _parts(
    table: Path, heading: list[str], taken: tuple[int, ...], lines: list[tuple[int, list[str]]]
) -> tuple[list[int], list[Finding]]:
    """Each row's part, from a column such as 'split'; columns that are not used are named."""
    words = [cell.strip().lower() for cell in heading]
    rest = [i for i in range(len(words)) if i not in taken and words[i]]
    findings = []
    parts = [UNKNOWN] * len(lines)
    place = next((i for i in rest if words[i] in PART_COLUMNS), None)
    if place is not None:
        cells = [row[place].strip().lower() if place < len(row) else "" for _, row in lines]
        known = {word for word in cells if word}
        if known <= STEMS.keys() and TRAIN in {STEMS[word] for word in known}:
            rest.remove(place)
            parts = [STEMS.get(word, TRAIN) for word in cells]
            text = (
                f"{table.name}: the column '{heading[place].strip()}' says which part is for what"
            )
            findings.append(Finding(NOTE, text))
    if rest:
        told = ", ".join(heading[i].strip() for i in rest)
        findings.append(Finding(NOTE, f"{table.name}: columns that are not used: {told}"))
    return parts, findings
