"""Chosen rows of a large array, without copying them: parts of one memory-mapped cache."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, overload

import numpy as np

Array = np.ndarray[Any, Any]


class Pixels(Protocol):
    """What a part's inputs can do: an ndarray does, and so does ``Rows``."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, C, H, W)."""

    @property
    def dtype(self) -> Any:
        """uint8, or float32 for inputs of kind "numbers"."""

    def __len__(self) -> int: ...

    def __getitem__(self, key: Any, /) -> Any: ...


class Rows:
    """``base[index]`` that reads only what is asked for.

    Indexing with a number, a slice or an array of numbers gives plain arrays (copies).

    >>> rows = Rows(np.arange(12).reshape(4, 3), np.array([3, 1]))
    >>> rows.shape, rows[0].tolist(), rows[:].tolist()
    ((2, 3), [9, 10, 11], [[9, 10, 11], [3, 4, 5]])
    """

    def __init__(self, base: Pixels, index: Array) -> None:
        self.base: Any = base
        short = isinstance(index, np.ndarray) and index.dtype == np.uint32
        self.index = np.ascontiguousarray(index, np.uint32 if short else np.int64)

    @property
    def shape(self) -> tuple[int, ...]:
        """As of the array that this stands for."""
        return (len(self.index), *self.base.shape[1:])

    @property
    def dtype(self) -> Any:
        """The base's."""
        return self.base.dtype

    @property
    def ndim(self) -> int:
        """The base's."""
        return int(self.base.ndim)

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, key: Any) -> Array:
        chosen, rest = (key[0], key[1:]) if isinstance(key, tuple) else (key, ())
        rows = np.asarray(self.base[self.index[chosen]])
        if not rest:
            return rows
        return rows[rest if np.ndim(self.index[chosen]) == 0 else (slice(None), *rest)]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.asarray(self[:], dtype=dtype)

    def take(self, index: Array) -> Rows:
        """Rows of these rows."""
        return Rows(self.base, self.index[index])


class Names(Sequence[str]):
    """``[base[i] for i in index]``, of which only what is asked for is ever made.

    >>> names = Names(["a", "b", "c"], np.array([2, 0]))
    >>> list(names), names[-1]
    (['c', 'a'], 'a')
    """

    def __init__(self, base: Any, places: Array) -> None:
        self.base = base
        self.places = places

    def __len__(self) -> int:
        return len(self.places)

    @overload
    def __getitem__(self, key: int) -> str: ...

    @overload
    def __getitem__(self, key: slice) -> Names: ...

    def __getitem__(self, key: int | slice) -> str | Names:
        if isinstance(key, slice):
            return Names(self.base, self.places[key])
        return str(self.base[int(self.places[key])])

    def take(self, index: Array) -> Names:
        """Names of these names."""
        return Names(self.base, self.places[index])


def names_at(names: Sequence[str], index: Array) -> Sequence[str]:
    """The names at these places."""
    return names.take(index) if isinstance(names, Names) else [names[i] for i in index.tolist()]


def joined_names(several: Sequence[Sequence[str]]) -> Sequence[str]:
    """Names one after the other."""
    lazy = [names for names in several if isinstance(names, Names)]
    if len(lazy) == len(several) and all(names.base is lazy[0].base for names in lazy):
        return Names(lazy[0].base, np.concatenate([names.places for names in lazy]))
    return [name for names in several for name in names]


def as_rows(pixels: Pixels) -> Rows:
    """Any array as ``Rows`` over itself."""
    if isinstance(pixels, Rows):
        return pixels
    return Rows(np.asarray(pixels), np.arange(len(pixels)))
