"""What a text spec learns from its training part: the vocabulary, the length, how many buckets."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from beak.data.rows import Rows
from beak.data.text_spec import (
    FIRST_WORD,
    MOST_BUCKETS,
    MOST_LENGTH,
    PLENTY,
    UNKNOWN_WORD,
    TextSpec,
)
from beak.data.word_rows import Numbered, WordRows

if TYPE_CHECKING:
    from beak.data.dataset import Part

Array = np.ndarray[Any, Any]


def fitted(spec: TextSpec, parts: dict[str, Part]) -> tuple[TextSpec, dict[str, Part]]:
    """The spec with what the training part tells, and all parts in its numbers.

    How many words and what length the user wanted stands in the rows that come in.
    """
    rows = parts["train"].inputs
    assert isinstance(rows, Rows)
    wished: WordRows = rows.base
    source, index = wished.source, rows.index
    length = wished.wished_length or length_for(source.lengths[index], spec.unit)
    if spec.unit == "bytes":
        words: tuple[str, ...] = ()
        table = np.arange(1, 257, dtype=np.int32)
    else:
        words, table = vocabulary(source, index, wished.most_words)
    buckets = buckets_for(int(np.minimum(source.lengths[index], length).sum()))
    made = replace(
        spec,
        shape=(length * (3 if spec.unit == "pairs" else 1),),
        words=words,
        buckets=buckets if spec.unit == "pairs" else 0,
    )
    base = replace(wished, table=table, length=length)
    dealt = {}
    for name, part in parts.items():
        mine = part.inputs
        assert isinstance(mine, Rows)
        dealt[name] = replace(part, inputs=Rows(base, mine.index))
    return made, dealt


def vocabulary(source: Numbered, index: Array, most: int) -> tuple[tuple[str, ...], Array]:
    """The most frequent words of these texts, and the table from lexicon to vocabulary."""
    counts = source.counts(index)
    there = np.flatnonzero(counts)
    order = sorted(there.tolist(), key=lambda i: (-int(counts[i]), source.lexicon[i]))[:most]
    table = np.full(len(source.lexicon), UNKNOWN_WORD, np.int32)
    table[order] = np.arange(FIRST_WORD, FIRST_WORD + len(order))
    return tuple(source.lexicon[i] for i in order), table


def length_for(lengths: Array, unit: str) -> int:
    """The longest, where that is not too long; else what 99 of 100 texts stay below."""
    plenty = PLENTY * (6 if unit == "bytes" else 1)
    longest = int(lengths.max(initial=1))
    if longest > plenty:
        longest = max(plenty, int(np.ceil(np.percentile(lengths, 99))))
    return max(1, min(longest, MOST_LENGTH[unit]))


def buckets_for(words: int) -> int:
    """Room for about twice as many pairs as there may be.

    >>> buckets_for(100), buckets_for(200_000), buckets_for(10_000_000)
    (256, 262144, 262144)
    """
    return min(1 << max(8, (2 * words - 1).bit_length()), MOST_BUCKETS)
