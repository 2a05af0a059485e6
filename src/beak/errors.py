"""What can go wrong, said in one line: what came, what was wanted, what to do next."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class BeakError(Exception):
    r"""Base of every error that beak raises on purpose; its text is one line for the user.

    What a stranger's file put into it cannot break the line or steer the terminal:

    >>> str(DataError("no column 'a\x1b[2J\nb'"))
    "no column 'a?[2J b'"
    """

    exit_code = 1
    """What a command returns when this ends it: 1 the work failed, 2 the call was wrong."""

    def __str__(self) -> str:
        """The text, with spaces for new lines and question marks for what cannot be printed."""
        text = super().__str__()
        return "".join(c if c.isprintable() else " " if c == "\n" else "?" for c in text)


class UsageError(BeakError):
    """The call was wrong: an unknown name, an option's value, a path that is not there."""

    exit_code = 2


class ShapeError(BeakError, ValueError):
    """Layers or arrays that do not fit each other."""

    exit_code = 2


class NetworkError(BeakError, ValueError):
    """A network's description is off: an unknown layer or field, a name given twice."""

    exit_code = 2


class RecipeError(BeakError, ValueError):
    """A recipe's key or value is off."""

    exit_code = 2


class DataError(BeakError):
    """The examples cannot be used: none found, one class only, a file that is no picture."""


class TooLargeError(DataError):
    """An input is larger than is taken here; see `beak.data.limits`."""


class UnreachableError(BeakError):
    """A server does not answer, or not with what it was asked for."""


class RunError(BeakError):
    """A run directory, weights file or checkpoint is missing, damaged or does not fit."""


class MissingExtraError(BeakError, ImportError):
    """A part of beak needs a package that is not installed."""

    def __init__(self, need: str, extra: str) -> None:
        super().__init__(f'{need} needs an extra: pip install "beak[{extra}]"')


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """'; did you mean …?' with the nearest known word, or the known words where none is near.

    >>> did_you_mean("lectur", ["lecture", "dense"])
    "; did you mean 'lecture'?"
    >>> did_you_mean("xyz", ["lecture", "dense"])
    '; known: dense, lecture'
    """
    names = sorted(known)
    lowered = {name.lower(): name for name in names}
    near = difflib.get_close_matches(word.lower(), list(lowered), n=1, cutoff=0.6)
    if near:
        return f"; did you mean '{lowered[near[0]]}'?"
    return f"; known: {', '.join(names)}" if names else ""
