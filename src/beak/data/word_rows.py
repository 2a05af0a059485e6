"""All texts of a source as numbers, from which rows are made as a spec wants them."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from beak.data.text_rows import TextStore

Array = np.ndarray[Any, Any]

MOST_WORDS = 30_000
"""Words that a vocabulary has unless the user wants more: the most frequent."""


@dataclass(frozen=True, eq=False)
class Numbered:
    """Every text's words (or bytes) as numbers in a lexicon of the whole source, end to end.

    A network never sees these numbers: each training gets its own vocabulary from its own training
    part, and a table from lexicon to vocabulary.
    """

    texts: TextStore
    flat: Array
    """int32, or uint8 for bytes: all numbers."""
    starts: Array
    """int64 (N + 1,)."""
    lexicon: tuple[str, ...]
    """The words; empty for bytes."""

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def lengths(self) -> Array:
        """int64 (N,): how many words or bytes each text has."""
        return np.diff(self.starts)

    def counts(self, index: Array) -> Array:
        """int64 (lexicon,): how often each word stands in these texts."""
        counts = np.zeros(len(self.lexicon), np.int64)
        for first in range(0, len(index), 4096):
            numbers, _ = self.of(index[first : first + 4096])
            counts += np.bincount(numbers, minlength=len(counts))
        return counts

    def of(self, index: Array, most: int | None = None) -> tuple[Array, Array]:
        """The numbers of these texts end to end, and how many each has (``most`` at most)."""
        starts, lengths = self.starts[index], self.lengths[index]
        if most is not None:
            lengths = np.minimum(lengths, most)
        ends = np.cumsum(lengths)
        within = np.arange(int(ends[-1]) if len(ends) else 0) - np.repeat(ends - lengths, lengths)
        return self.flat[np.repeat(starts, lengths) + within], lengths


def numbered_words(texts: TextStore, split: Callable[[str], list[str]]) -> Numbered:
    """Texts by their words."""
    lexicon: dict[str, int] = {}
    flat, starts = array("i"), np.zeros(len(texts) + 1, np.int64)
    for i in range(len(texts)):
        flat.extend([lexicon.setdefault(word, len(lexicon)) for word in split(texts[i])])
        starts[i + 1] = len(flat)
    return Numbered(texts, np.frombuffer(flat, np.int32), starts, tuple(lexicon))


def numbered_bytes(texts: TextStore) -> Numbered:
    """Texts by their UTF-8 bytes."""
    return Numbered(texts, texts.raw, texts.starts, ())


@dataclass(frozen=True, eq=False)
class WordRows:
    """Stored rows of texts, as an array int32 (N, length) that is made when it is read.

    A number is 0 where a text has ended, 1 for a word that the vocabulary does not have.
    """

    source: Numbered
    table: Array
    """int32: by lexicon number (or byte), the vocabulary's number."""
    length: int
    most_words: int = MOST_WORDS
    """The user's wish for every vocabulary that is made from these rows."""
    wished_length: int = 0
    """The same for the length; 0: as the training part has it."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, length)."""
        return len(self.source), self.length

    @property
    def dtype(self) -> Any:
        """int32."""
        return np.dtype(np.int32)

    @property
    def ndim(self) -> int:
        """2."""
        return 2

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, key: Any) -> Array:
        index = np.atleast_1d(np.arange(len(self))[key] if isinstance(key, slice) else key)
        numbers, lengths = self.source.of(np.asarray(index, np.int64), self.length)
        rows = np.zeros((len(index), self.length), np.int32)
        rows[np.arange(self.length) < lengths[:, None]] = self.table[numbers]
        return rows[0] if np.ndim(key) == 0 and not isinstance(key, slice) else rows

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.asarray(self[:], dtype=dtype)
