"""The Go Text Protocol, version 2: lines in, answers out. The commands stand in commands.py.

Source: G. Farnebäck, Specification of the Go Text Protocol, version 2, draft 2 (2002).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, TextIO

from beak.errors import BeakError
from beak.play import analysis  # noqa: F401 - enters its commands into the table
from beak.play.commands import COMMANDS, CommandError, Session

LONGEST_LINE = 1 << 16


def serve(session: Session, lines: BinaryIO, answers: TextIO) -> None:
    """Answer commands until ``quit`` or the end of the input; every answer is flushed.

    Whatever a line holds, the answer is one of the protocol's: "= …" or "? …".
    """
    streaming = False
    for raw in _lines(lines):
        if streaming:  # any line ends the analysis
            answers.write("\n")
            answers.flush()
        number, words = parse(raw) if raw is not None else ("", ["?"])
        streaming = False
        if not words:
            continue
        good, text = answer(session, words) if raw is not None else (False, "the line is too long")
        streaming = good and session.streaming
        session.streaming = False
        answers.write(f"{'=' if good else '?'}{number}{_body(text, streaming)}")
        answers.flush()
        if session.ended:
            return
    if streaming:
        answers.write("\n")
        answers.flush()


def _lines(lines: BinaryIO) -> Iterator[bytes | None]:
    """The lines; None for one that is too long to be a command, whose rest is skipped."""
    while line := lines.readline(LONGEST_LINE):
        if len(line) < LONGEST_LINE or line.endswith(b"\n"):
            yield line
            continue
        while (rest := lines.readline(LONGEST_LINE)) and not rest.endswith(b"\n"):
            pass
        yield None


def parse(raw: bytes) -> tuple[str, list[str]]:
    """A line's number ("" without one) and words; no words where there is no command.

    Control characters are dropped, a tab is a space, what follows # is a comment.

    >>> parse(b"12 play black D4 # hoshi")
    ('12', ['play', 'black', 'D4'])
    >>> parse(b"  # nothing")
    ('', [])
    """
    text = raw.decode("utf-8", errors="replace").replace("\t", " ").split("#", 1)[0]
    words = "".join(c for c in text if c >= " " and not 0x7F <= ord(c) < 0xA0).split()
    if words and words[0].isascii() and words[0].isdigit():
        return words[0], words[1:] or [""]
    return "", words


def answer(session: Session, words: list[str]) -> tuple[bool, str]:
    """Whether the command went well, and the text of its answer."""
    name, *arguments = words
    command = COMMANDS.get(name)
    if command is None:
        return False, "unknown command"
    try:
        return True, command(session, arguments)
    except (BeakError, CommandError) as error:
        return False, str(error)
    except Exception as error:  # a controller must never wait for an answer that does not come
        return False, f"unexpected {type(error).__name__}: {error}"


def _body(text: str, streaming: bool) -> str:
    """The text as an answer ends: no empty line within, one behind (unless more is to come)."""
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    if streaming:
        return "\n" + "".join(f"{line}\n" for line in lines)
    before = "\n" if text.startswith("\n") else " " if lines else ""
    return before + "\n".join(lines) + "\n\n"
