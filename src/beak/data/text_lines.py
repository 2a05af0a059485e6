"""Lines of text files: which encoding they are in, and never more of a line than can be a text."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from pathlib import Path

from beak.data.plain import open_plain
from beak.data.report import NOTE, Finding
from beak.data.text_rows import LONGEST
from beak.errors import DataError, UsageError

PIECE = 1 << 20
MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""What a file may begin with, and the encoding that it tells (UTF-32's begins as UTF-16's)."""


def encoding_of(path: Path, given: str = "auto") -> tuple[str, list[Finding]]:
    """The encoding of a file: the given one, what its first bytes tell, UTF-8, else Latin-1."""
    if given != "auto":
        try:
            return codecs.lookup(given).name, []
        except LookupError:
            raise UsageError(f"no encoding {given!r}; such as utf-8, latin-1, cp1252") from None
    decoder = codecs.getincrementaldecoder("utf-8")()
    line = 1
    try:
        with open_plain(path) as file:
            piece = file.read(PIECE)
            for mark, name in MARKS:
                if piece.startswith(mark):
                    return name, []
            while piece:
                try:
                    decoder.decode(piece)
                except UnicodeDecodeError as error:
                    line += error.object[: error.start].count(b"\n")
                    text = f"{path.name} is not UTF-8 (line {line}): read as Latin-1"
                    return "latin-1", [Finding(NOTE, f"{text}; --encoding says another")]
                line += piece.count(b"\n")
                piece = file.read(PIECE)
            decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        text = f"{path.name} is not UTF-8 (its last line): read as Latin-1"
        return "latin-1", [Finding(NOTE, f"{text}; --encoding says another")]
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
    return "utf-8", []


def lines_of(path: Path, encoding: str) -> Iterator[tuple[int, str | None]]:
    r"""Number (from 1) and text of each line without its end; None for one that is far too long.

    Only ``\n`` and ``\r\n`` end a line: Latin-1 files hold other characters that Unicode counts
    as line ends. Memory stays bounded whatever the file. DataError names file and line where the
    bytes are not in that encoding.
    """
    number = 0
    try:
        with open(path, encoding=encoding, newline="\n") as file:
            while line := file.readline(LONGEST + 2):
                number += 1
                if line.endswith("\n"):
                    yield number, line[:-2] if line.endswith("\r\n") else line[:-1]
                elif len(line) < LONGEST + 2:
                    yield number, line
                else:
                    while line and not line.endswith("\n"):
                        line = file.readline(PIECE)
                    yield number, None
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}:{number + 1}: not in {encoding} ({error.reason}); --encoding says another"
        ) from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
