"""``beak predict`` for texts: as arguments, from files, or line by line from standard input."""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING

from beak.cli.console import note
from beak.errors import BeakError, DataError, UsageError

if TYPE_CHECKING:
    from beak.cli.asked import Asked

BATCH = 256
LONGEST_LINE = 1 << 20
"""Bytes of a line that are taken; the rest of it is left out and said."""
WARNINGS = 20
"""Lines without an answer that are told one by one."""
WIDTH = 60
TABLES = (".csv", ".tsv", ".jsonl", ".ndjson")
PATH_LIKE = re.compile(r"[^\s?!]*(/[^\s?!]*[^\s?!/.]|\.(txt|csv|tsv|jsonl|ndjson|text|list))")
"""What was likely meant as a file: a word with a slash in it, or with a file's ending."""


def predict_texts(asked: Asked) -> None:
    """Answers for texts, one by one as they come: memory does not grow with their number."""
    from beak.cli.predict import make_printer

    inputs = asked.inputs
    refuse_what_is_no_text(inputs)
    alone = len(inputs) == 1 and not _is_stream(inputs[0])
    width = WIDTH if not alone else max(12, min(WIDTH, len(inputs[0])))
    printer = make_printer(asked.top, asked.as_json, width, max(map(len, asked.model.labels)))
    predictor, failed, answered = asked.predictor(), 0, 0
    batch = 1 if alone or sys.stdin.isatty() else BATCH
    for text, answer in predictor.predict_many(texts_of(inputs), batch):
        if isinstance(answer, BeakError):
            if alone:
                raise answer
            failed += 1
            if failed <= WARNINGS:
                note(f"line {answered + failed}: {_reason(answer)}", "warning")
            continue
        answered += 1
        if alone:
            for said in answer.notes:
                note(said)
        printer(text, answer)
    if not answered and not failed:
        raise UsageError("no text came; such as: beak predict RUN 'a fine film', or - for lines")
    if failed:
        raise DataError(f"{failed:,} of {failed + answered:,} texts have no answer, as said above")


def _reason(error: BeakError) -> str:
    return str(error).removeprefix("text: ")


def _is_stream(given: str) -> bool:
    return given == "-" or _is_file(given)


def _is_file(given: str) -> bool:
    try:
        return Path(given).is_file()
    except (OSError, ValueError):
        return False


def texts_of(inputs: tuple[str, ...]) -> Iterator[str]:
    """Each text: the argument itself, or the lines of a file or of standard input."""
    for given in inputs:
        if given == "-":
            yield from lines_of(sys.stdin.buffer)
        elif _is_file(given):
            with open(given, "rb") as file:
                yield from lines_of(file)
        else:
            if PATH_LIKE.fullmatch(given):
                note(f"{given}: no such file, so it is read as a text")
            yield given


def refuse_what_is_no_text(inputs: tuple[str, ...]) -> None:
    """UsageError for tables, whose lines are more than a text, and for folders."""
    for given in inputs:
        if Path(given).suffix.lower() in TABLES and _is_file(given):
            raise UsageError(
                f"{given}: a table; beak evaluate RUN {shlex.quote(given)} counts what is right in "
                "it, and of texts alone, one in each line, every one is answered"
            )
        if given and len(given) < 4096 and os.path.isdir(given):
            raise UsageError(f"{given}: a folder; a text, or a file with a text in each line")


def lines_of(file: IO[bytes]) -> Iterator[str]:
    """Lines as text, UTF-8 or else Latin-1, without their ends; of a very long one the start."""
    while line := file.readline(LONGEST_LINE):
        rest = line
        while not rest.endswith(b"\n") and len(rest) == LONGEST_LINE:
            rest = file.readline(LONGEST_LINE)
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError:
            text = line.decode("latin-1")
        yield text.rstrip("\r\n")
