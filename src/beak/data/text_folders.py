"""Labelled texts without a table: class folders, `label text` lines, one file for each class."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from beak.data.found import is_junk
from beak.data.report import NOTE
from beak.data.split import PART_NAMES, TRAIN, UNKNOWN
from beak.data.tables import STEMS
from beak.data.text_lines import encoding_of, lines_of
from beak.data.text_rows import LONGEST, TextRows
from beak.errors import DataError

MOST_LABELS = 200
"""More different first words than this are no labels."""
NO_TEXTS = frozenset((
    ".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff", ".wav", ".flac", ".ogg",
    ".mp3", ".npz", ".npy", ".gz", ".zip", ".tar", ".sgf", ".json", ".toml", ".py", ".bin", ".pdf",
    ".safetensors", ".doc", ".docx", ".xls", ".xlsx", ".html", ".htm", ".xml", ".md",
))  # fmt: skip
"""Endings of files that are no plain text with labels."""


def text_files(folder: Path) -> list[Path]:
    """Files right in a folder that may be plain text with labels, by their names."""
    names = sorted(entry.name for entry in os.scandir(folder) if entry.is_file())
    return [
        folder / name
        for name in names
        if not is_junk(name)
        and Path(name).suffix.lower() not in (*NO_TEXTS, ".csv", ".tsv", ".jsonl", ".ndjson")
        and not re.match(r"(readme|licen[cs]e|source|changelog|index|notice)\b", name.lower())
    ]


def has_label_lines(path: Path) -> bool:
    """Whether the lines of a file begin with one of a few labels, as TREC's do."""
    encoding, _ = encoding_of(path)
    labels: dict[str, int] = {}
    lines = 0
    for _, line in lines_of(path, encoding):
        if line is None or not line.strip():
            continue
        label, _, text = line.strip().partition(" ")
        if "\t" in label:
            label, _, text = line.strip().partition("\t")
        if not text.strip():
            return False
        labels[label] = labels.get(label, 0) + 1
        lines += 1
        if len(labels) > MOST_LABELS:
            return False
    if len(labels) < 2:
        return False
    marked = all(label.startswith("__label__") for label in labels)
    again = sum(count for count in labels.values() if count > 1)
    return marked or (len(labels) <= max(2, lines // 5) and again >= 0.9 * lines)


def read_label_lines(into: TextRows, path: Path, part: int, coding: str) -> None:
    """Add lines of ``label text``; fastText's mark ``__label__`` is taken off."""
    encoding, told = encoding_of(path, coding)
    into.findings += told
    into.begin(path.name)
    for number, line in lines_of(path, encoding):
        if line is None:
            into.leave_out(f"lines of more than {LONGEST:,} characters", number)
        elif line.strip():
            label, _, text = line.strip().replace("\t", " ", 1).partition(" ")
            into.add(number, text, label.removeprefix("__label__"), part)


def read_lines(into: TextRows, path: Path, label: str, part: int, coding: str) -> None:
    """Add every line of a file under one label."""
    encoding, told = encoding_of(path, coding)
    into.findings += told
    into.begin(path.name)
    for number, line in lines_of(path, encoding):
        if line is None:
            into.leave_out(f"lines of more than {LONGEST:,} characters", number)
        elif line.strip():
            into.add(number, line, label, part)


def part_of(name: str) -> int:
    """The part that a file's name tells: "TREC.train.all" is for training."""
    words = re.split(r"[^a-z]+", name.lower())
    return next((STEMS[word] for word in words if word in STEMS), UNKNOWN)


def class_files(files: list[Path]) -> dict[str, list[Path]]:
    """By set, files that hold one class each: rt-polarity.pos and rt-polarity.neg, or pos.txt.

    Named by what all files of a set share: their stem where the endings differ.
    """
    stems: dict[str, list[Path]] = {}
    for path in files:
        if path.suffix:
            stems.setdefault(path.stem, []).append(path)
    return {stem: paths for stem, paths in stems.items() if len(paths) > 1}


def labelled_by(paths: list[Path]) -> list[tuple[Path, str]]:
    """Each file with the label that its name tells: its ending, or its stem where these differ."""
    if len({path.suffix for path in paths}) == len(paths):
        return [(path, path.suffix[1:]) for path in paths]
    return [(path, path.stem) for path in paths]


def read_class_folders(into: TextRows, source: Path, coding: str) -> None:
    """Add LABEL/*.txt, each file one text, with or without train/ and test/ above the labels."""
    tops = _folders(source)
    parts = [(name, PART_NAMES[name.lower()]) for name in tops if name.lower() in PART_NAMES]
    parts = [(name, part) for name, part in parts if _folders(source / name)]
    if any(part == TRAIN for _, part in parts):
        places = [(f"{top}/{c}", c, part) for top, part in parts for c in _folders(source / top)]
    else:
        places = [(name, name, UNKNOWN) for name in tops]
    latin = []
    unsupervised = [place for place, label, _ in places if label.lower() in ("unsup", "unlabeled")]
    for place, label, part in places:
        if place in unsupervised:
            continue
        for path in texts_below(source / place):
            into.begin(path.relative_to(source).as_posix())
            text, encoding = _whole(path, coding)
            if encoding == "latin-1" and coding == "auto":
                latin.append(into.files[-1])
            if text is None:
                into.leave_out(f"texts of more than {LONGEST:,} characters", 0)
            else:
                into.add(0, text, label, part)
    if unsupervised:
        into.note(NOTE, "folders without labels are left out", unsupervised)
    if latin:
        into.note(NOTE, f"{len(latin)} files are not UTF-8: read as Latin-1", latin)


def texts_below(folder: Path) -> Iterator[Path]:
    """The .txt files under a folder, by name."""
    for path in sorted(folder.rglob("*.txt")):
        if path.is_file() and not any(map(is_junk, path.relative_to(folder).parts)):
            yield path


def _folders(path: Path) -> list[str]:
    return sorted(e.name for e in os.scandir(path) if e.is_dir() and not is_junk(e.name))


def _whole(path: Path, coding: str) -> tuple[str | None, str]:
    """A file's text (None where it is far too long) and its encoding."""
    if path.stat().st_size > 4 * LONGEST:
        return None, "utf-8"
    encoding, _ = encoding_of(path, coding)
    try:
        return path.read_text(encoding=encoding), encoding
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}: not in {encoding} ({error.reason} at byte {error.start}); --encoding says "
            "another"
        ) from None
