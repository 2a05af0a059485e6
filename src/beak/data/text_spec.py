"""How a text becomes word numbers: which words are known, how many are read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from beak.data.rows import Rows
from beak.data.spec import InputSpec
from beak.data.word_rows import WordRows
from beak.data.words import LONGEST_WORD, words_of
from beak.errors import DataError, did_you_mean

if TYPE_CHECKING:
    from beak.data.dataset import Part

Array = np.ndarray[Any, Any]

UNITS = ("pairs", "words", "bytes")
NO_WORD, UNKNOWN_WORD, FIRST_WORD = 0, 1, 2
MOST_BUCKETS = 1 << 18
PLENTY = 64
"""A length that is always given where texts are as long; beyond, one text in a hundred is cut."""
MOST_LENGTH = {"pairs": 400, "words": 400, "bytes": 2000}


@dataclass(frozen=True)
class TextSpec(InputSpec):
    """What a network reads of a text: the numbers of its words, padded with 0 to one length.

    >>> spec = TextSpec("texts", (4,), "words", True, 0, ("a", "film"))
    >>> spec.row("A fine film").tolist()
    [2, 1, 3, 0]
    """

    unit: str = "words"
    """"words"; "bytes": the text as UTF-8; "pairs": words, and behind them each word and each pair
    of neighbours once."""
    lower: bool = True
    """Capital letters count as small ones."""
    buckets: int = 0
    """"pairs": how many numbers pairs share, by a hash; a power of two."""
    words: tuple[str, ...] = ()
    """The vocabulary, the most frequent first: word ``i`` has the number i + 2."""

    def __post_init__(self) -> None:
        if self.unit not in UNITS:
            raise DataError(f"input: no unit {self.unit!r}{did_you_mean(str(self.unit), UNITS)}")
        many = 3 if self.unit == "pairs" else 1
        if (
            len(self.shape) != 1
            or type(self.shape[0]) is not int
            or not many <= self.shape[0] <= 1 << 20
            or self.shape[0] % many
        ):
            raise DataError(f"input: the shape {self.shape} is no number of {self.unit}")
        if type(self.lower) is not bool:
            raise DataError(f"input: lower is true or false, not {self.lower!r}")
        fits = type(self.buckets) is int and (self.buckets & (self.buckets - 1)) == 0
        if not fits or (self.buckets > 0) != (self.unit == "pairs") or self.buckets > 1 << 30:
            raise DataError(f"input: {self.buckets!r} buckets for {self.unit}; a power of two")
        if not all(type(w) is str and 0 < len(w) <= LONGEST_WORD for w in self.words):
            raise DataError(f"input: words must be texts of 1 to {LONGEST_WORD} characters")
        if len(set(self.words)) < len(self.words):
            raise DataError("input: a word is there twice")

    @property
    def length(self) -> int:
        """How many words (or bytes) of a text are read."""
        return self.shape[0] // 3 if self.unit == "pairs" else self.shape[0]

    @property
    def numbers(self) -> int:
        """How many different numbers words (or bytes) have, 0 and the unknown word's included."""
        return 257 if self.unit == "bytes" else len(self.words) + FIRST_WORD

    @property
    def network_options(self) -> Mapping[str, Any]:
        """The sizes of the tables that a network needs, and where each one's numbers stand."""
        options = {"words": self.numbers, "length": self.length}
        return options | ({"buckets": self.buckets} if self.buckets else {})

    @property
    def recipe_values(self) -> dict[str, Any]:
        """Kind and unit; vocabulary and length follow from the training part again."""
        return {"data.kind": self.kind, "data.unit": self.unit, "data.lower": self.lower}

    @cached_property
    def places(self) -> dict[str, int]:
        """The number of each word."""
        return {word: i for i, word in enumerate(self.words, FIRST_WORD)}

    def split(self, text: str) -> list[str]:
        """A text's words, or its bytes as hexadecimal digits."""
        if self.unit == "bytes":
            return [f"{byte:02x}" for byte in text.encode("utf-8", "replace")]
        return words_of(text, self.lower)

    def row(self, text: str | Sequence[str]) -> Array:
        """One text, or its words, as a stored row int32 (length,)."""
        if self.unit == "bytes":
            whole = text if isinstance(text, str) else " ".join(text)
            found = np.frombuffer(whole.encode("utf-8", "replace"), np.uint8) + np.int32(1)
        else:
            words = words_of(text, self.lower) if isinstance(text, str) else list(text)
            if self.lower and not isinstance(text, str):
                words = [word.lower() for word in words]
            found = np.array([self.places.get(w, UNKNOWN_WORD) for w in words], np.int32)
        row = np.zeros(self.length, np.int32)
        row[: len(found)] = found[: self.length]
        return row

    def prepare(self, stored: Array) -> Array:
        """Stored rows int32 (N, length) as the network's input int32 (N, *shape)."""
        rows = np.asarray(stored, np.int32)
        if rows.shape[1:] != (self.length,):
            raise DataError(f"input: made for {self.length} {self.unit}, got {rows.shape[1:]}")
        return np.concatenate([rows, self.grams(rows)], axis=1) if self.unit == "pairs" else rows

    def grams(self, rows: Array) -> Array:
        """Each word and each pair of neighbours once, as numbers from 1, int32 (N, 2 length).

        A word's is its number less one; pairs of known words come behind, by a hash. The same text
        padded further has the same numbers and more zeros.
        """
        wide = rows.astype(np.uint64)
        known = rows >= FIRST_WORD
        mixed = wide[:, :-1] * np.uint64(2654435761) + wide[:, 1:] * np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
        bucket = (mixed >> np.uint64(64 - max(1, self.buckets.bit_length() - 1))).astype(np.int64)
        pairs = np.where(known[:, :-1] & known[:, 1:], bucket + self.numbers - 1, 0)
        alone = np.where(known, rows - 1, 0)
        found = np.zeros((len(rows), 2 * self.length), np.int64)
        found[:, : self.length] = alone
        found[:, self.length : -1] = pairs
        order = np.argsort(found, axis=1, kind="stable")
        sorted_ = np.take_along_axis(found, order, axis=1)
        again = np.zeros(found.shape, bool)
        np.put_along_axis(again, order[:, 1:], sorted_[:, 1:] == sorted_[:, :-1], axis=1)
        found[again] = 0
        return found.astype(np.int32)

    def place_names(self, row: Array, raw: Any = None) -> tuple[str, ...]:
        """The words that are read, as they stand in the text where it is known; of bytes letters.

        >>> TextSpec("texts", (4,), words=("a", "film")).place_names(np.array([2, 1, 3, 0]))
        ('a', '(unknown)', 'film')
        """
        count = int((row != NO_WORD).sum())
        if self.unit == "bytes":
            letters = (chr(number - 1) for number in row[:count].tolist())
            return tuple(c if c.isprintable() else "·" for c in letters)
        words = words_of(raw, lower=False) if isinstance(raw, str) else raw
        if isinstance(words, list) and len(words) >= count:
            return tuple(map(str, words[:count]))
        known = ("", "(unknown)", *self.words)
        return tuple(known[number] for number in row[:count].tolist())

    def by_name(self, heat: Array, row: Array) -> Array:
        """Of pairs: each word's own number, that of its vote, and half of its pairs'.

        What is there several times votes once, where it stands first.
        """
        if self.unit != "pairs":
            return heat
        length = self.length
        found, votes, pairs = heat[:length].copy(), heat[length : 2 * length], heat[2 * length :]
        found += votes
        found[:-1] += pairs[:-1] / 2
        found[1:] += pairs[:-1] / 2
        return np.asarray(found)

    def fitted(self, parts: dict[str, Part]) -> tuple[InputSpec, dict[str, Part]]:
        """Vocabulary and length from the training part alone, and the parts in its numbers."""
        from beak.data.text_fit import fitted

        return fitted(self, parts)

    def numbered_as_known(self, parts: dict[str, Part]) -> dict[str, Part]:
        """The parts of another source in this spec's numbers."""
        return {name: self._renumbered(part) for name, part in parts.items()}

    def _renumbered(self, part: Part) -> Part:
        rows = part.inputs
        assert isinstance(rows, Rows)
        source = rows.base.source
        if self.unit == "bytes":
            table = np.arange(1, 257, dtype=np.int32)
        else:
            places = self.places
            table = np.array([places.get(w, UNKNOWN_WORD) for w in source.lexicon], np.int32)
        return replace(part, inputs=Rows(WordRows(source, table, self.length), rows.index))

    def describe(self) -> str:
        """One line for people."""
        if self.unit == "bytes":
            return f"texts of up to {self.length:,} bytes"
        also = ", and pairs of them" if self.unit == "pairs" else ""
        case = "small letters" if self.lower else "small and capital letters"
        return f"texts of up to {self.length:,} words{also}; {len(self.words):,} known, {case}"

    def difference(self, other: InputSpec) -> str:
        """How ``other`` prepares texts differently, as a line."""
        if not isinstance(other, TextSpec):
            return super().difference(other)
        return "" if self == other else f"made for {other.describe()}; here {self.describe()}"
