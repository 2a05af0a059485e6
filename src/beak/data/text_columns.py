"""Which column of a table is the text and which the label: named, or guessed and said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from beak.data.tables import LABEL_NAMES, PART_COLUMNS, STEMS
from beak.data.text_csv import Cells
from beak.errors import DataError, UsageError, did_you_mean

TEXT_NAMES = (
    "text", "sentence", "review", "content", "comment", "body", "message", "question", "tweet",
    "utterance", "phrase", "sms", "document", "review_text", "reviewtext", "review_body", "title",
    "headline", "description", "query", "input",
)  # fmt: skip
MORE_LABELS = (
    *LABEL_NAMES, "sentiment", "polarity", "rating", "stars", "intent", "topic", "emotion",
    "airline_sentiment", "score", "spam", "gold", "answer", "output",
)  # fmt: skip
SAMPLE = 200


@dataclass(frozen=True)
class Columns:
    """Places of what is read from each row."""

    text: int
    label: int
    part: int | None
    """The column that says train, validation or test."""
    header: bool
    names: tuple[str, ...]
    """Of all columns; numbers from 1 where there is no header."""
    how: str = ""
    """What was guessed, for people; empty where the user named both."""


def choose_columns(where: str, rows: Sequence[Cells], text: str, label: str) -> Columns:
    """The columns of a table whose first rows these are; ``text`` and ``label``: as named, or "".

    A column is named by its heading, or by its number from 1. UsageError names what there is.
    """
    first = [cell.strip() for cell in rows[0]]
    words = [word.lower() for word in first]
    known = [*TEXT_NAMES, *MORE_LABELS]
    named = [name for name in (text, label) if name]
    header = any(word in known for word in words) or any(name in first for name in named)
    header = header or (len(rows) > 2 and _looks_like_a_header(rows))
    names = tuple(first) if header else tuple(str(i + 1) for i in range(len(first)))
    if len(first) < 2:
        raise DataError(f"{where}: one column only ({first[0]:.40}); a text and a label are wanted")
    body = rows[1:] if header else rows
    part = _part_column(words, body) if header else None
    taken = {} if part is None else {part}
    label_at = _place(where, label, names, "label") if label else None
    text_at = _place(where, text, names, "text") if text else None
    guessed = []
    if text_at is None:
        text_at = _guess_text(words if header else [], body, {*taken, label_at}, len(first))
        guessed.append(f"the text is column '{names[text_at]}'")
    if label_at is None:
        label_at = _guess_label(words if header else [], body, {*taken, text_at}, len(first))
        guessed.append(f"the label column '{names[label_at]}'")
    if text_at == label_at:
        raise UsageError(f"{where}: text and label are both the column '{names[text_at]}'")
    how = " and ".join(guessed)
    if how:
        how += " (guessed; --text and --label name others)"
    if not header:
        how = "no header; " * (not how.startswith("no")) + how if how else "no header"
    return Columns(text_at, label_at, part, header, names, how)


def _looks_like_a_header(rows: Sequence[Cells]) -> bool:
    """Short different words without digits on top, and no such word again below."""
    first = [cell.strip() for cell in rows[0]]
    if len(set(first)) < len(first) or any(not cell or len(cell) > 30 for cell in first):
        return False
    if any(" " in cell or cell[0].isdigit() for cell in first):
        return False
    return not any(cell.strip() in first for row in rows[1:] for cell in row)


def _place(where: str, name: str, names: Sequence[str], what: str) -> int:
    if name in names:
        return names.index(name)
    folded = [other.lower() for other in names]
    if name.lower() in folded:
        return folded.index(name.lower())
    if name.isdigit() and 1 <= int(name) <= len(names):
        return int(name) - 1
    raise UsageError(f"{where}: no column {name!r} for the {what}{did_you_mean(name, names)}")


def _part_column(words: Sequence[str], body: Sequence[Cells]) -> int | None:
    for i, word in enumerate(words):
        if word in PART_COLUMNS:
            cells = {row[i].strip().lower() for row in body if i < len(row)} - {""}
            if cells and cells <= STEMS.keys():
                return i
    return None


def _guess_text(words: Sequence[str], body: Sequence[Cells], taken: set[int | None], n: int) -> int:
    """A known heading, else the column with the longest cells."""
    for name in TEXT_NAMES:
        if name in words and words.index(name) not in taken:
            return words.index(name)
    free = [i for i in range(n) if i not in taken]
    return max(free, key=lambda i: (sum(len(row[i]) for row in body if i < len(row)), -i))


def _guess_label(
    words: Sequence[str], body: Sequence[Cells], taken: set[int | None], n: int
) -> int:
    """A known heading, else the column with the fewest different cells (but not one alone)."""
    for name in MORE_LABELS:
        if name in words and words.index(name) not in taken:
            return words.index(name)
    free = [i for i in range(n) if i not in taken]

    def different(i: int) -> tuple[bool, int, int]:
        found = {row[i].strip() for row in body if i < len(row)}
        return len(found) < 2, len(found), -i

    return min(free, key=different)
