"""How large an input is taken: generous for one's own files, less for what strangers send."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """What one input may be once it is unpacked."""

    pixels: int = 89_478_485
    """Of a picture: Pillow's limit for what may be a decompression bomb."""
    seconds: float = 3600.0
    """Of a recording."""
    cut: bool = True
    """What is longer is cut, and said; else it is refused."""


_USUAL = Limits()
_now: ContextVar[Limits] = ContextVar("limits", default=_USUAL)


def limits() -> Limits:
    """The limits that hold here, in this thread and task."""
    return _now.get()


@contextmanager
def within(chosen: Limits) -> Iterator[None]:
    """Other limits for what is read inside.

    >>> with within(Limits(pixels=100)):
    ...     limits().pixels
    100
    """
    before = _now.set(chosen)
    try:
        yield
    finally:
        _now.reset(before)
