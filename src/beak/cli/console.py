"""Where a command prints: colours and live bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import json
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

PLAIN_WIDTH = 160
"""Columns that tables may take where the output is no terminal."""

STYLES = {
    "label": "bold cyan",
    "dim": "bright_black",
    "good": "green",
    "bad": "red",
    "warning": "yellow",
    "number": "bold",
    "command": "bold",
}


def on_terminal() -> bool:
    """Does a person look at standard output?"""
    return sys.stdout.isatty()


def make_console(errors: bool = False) -> Console:
    """A rich console on standard output (or standard error); NO_COLOR is obeyed."""
    from rich.console import Console
    from rich.theme import Theme

    stream = sys.stderr if errors else sys.stdout
    return Console(
        file=stream,
        theme=Theme(STYLES),
        highlight=False,
        emoji=False,
        markup=False,
        soft_wrap=not stream.isatty(),
        width=None if stream.isatty() else PLAIN_WIDTH,
    )


def print_json(record: dict[str, Any]) -> None:
    """One object, one line, at once: a program may be reading as we go."""
    print(json.dumps(record, ensure_ascii=False, separators=(", ", ": ")), flush=True)


def plain(text: str) -> str:
    """The text in one line: what could steer a terminal is shown as ?.

    >>> plain("cat" + chr(27) + "[31m" + chr(10) + "dog")
    'cat?[31m?dog'
    """
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def note(text: str, level: str = "note") -> None:
    """A line beside the result, on standard error: 'warning: …'; no reason to end if it is full."""
    with contextlib.suppress(OSError):
        print(f"{level}: {plain(text)}", file=sys.stderr, flush=True)


def count(number: float) -> str:
    """137660 -> '137,660'."""
    return f"{number:,.0f}"


def percent(share: float) -> str:
    """0.98765 -> '98.8 %'; close to the ends it keeps what tells them apart from 0 and 1."""
    value = 100 * share
    if 99.995 <= value < 100:
        return "> 99.99 %"
    if 0 < value < 0.005:
        return "< 0.01 %"
    if 99.9 < value < 100 or 0 < value < 0.1:
        return f"{value:.2f} %"
    return f"{value:.1f} %"


def duration(seconds: float) -> str:
    """75 -> '1:15'; 3725 -> '1:02:05'."""
    whole = max(0, round(seconds))
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def sizes(shape: tuple[int, ...] | list[int]) -> str:
    """(1, 28, 28) -> '1 x 28 x 28'."""
    return " x ".join(str(size) for size in shape)


def how_many(number: int, noun: str) -> str:
    """(1, 'picture') -> '1 picture'; (1797, 'picture') -> '1,797 pictures'."""
    plural = noun[:-1] + "ies" if noun.endswith("y") else noun + "s"
    return f"{count(number)} {noun if number == 1 else plural}"
