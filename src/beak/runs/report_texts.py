"""Which words of a text moved an answer, and texts marked with it for the report."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from beak.data.rows import Rows
from beak.data.text_spec import UNKNOWN_WORD, TextSpec
from beak.data.word_rows import WordRows
from beak.data.words import words_of
from beak.engine.interface import Engine
from beak.engine.make import make_engine
from beak.runs.charts import text as escaped
from beak.runs.evaluate import Mistake, log_softmax
from beak.runs.model import Model

if TYPE_CHECKING:
    from beak.data.dataset import Part

Array = np.ndarray[Any, Any]

MOST_WORDS = 120
"""Words of a text that are shown."""
SPACE = ord(" ") + 1
"""A space's number where bytes are read."""


def text_of(inputs: Any, index: int) -> str | None:
    """The text that an example was made from; None where it is not kept."""
    if isinstance(inputs, Rows) and isinstance(inputs.base, WordRows):
        return inputs.base.source.texts[int(inputs.index[index])]
    return None


def word_weights(
    engine: Engine, spec: TextSpec, text: str, label: int, most: int = MOST_WORDS
) -> list[tuple[str, float]]:
    """Each word with what it added to a label's log probability.

    Measured by taking the word away (for an unknown one; its bytes for spaces): how much the log
    probability falls. 0 for words that the network does not read.
    """
    words = words_of(text, lower=False)
    heard_as = words_of(text, spec.lower)
    words = (words if len(words) == len(heard_as) else heard_as)[:most]
    rows = [spec.row(text)]
    spans = _byte_spans(text, words) if spec.unit == "bytes" else None
    heard = [i for i in range(len(words)) if i < spec.length]
    for i in heard:
        row = rows[0].copy()
        if spans is None:
            row[i] = UNKNOWN_WORD
        else:
            row[spans[i][0] : spans[i][1]] = SPACE
        rows.append(row)
    logits = engine.logits(spec.prepare(np.stack(rows)))
    likely = log_softmax(logits)[:, label]
    weights = np.zeros(len(words))
    weights[heard] = likely[0] - likely[1:]
    return list(zip(words, weights.tolist(), strict=True))


def _byte_spans(text: str, words: list[str]) -> list[tuple[int, int]]:
    """Where each word's bytes stand in the text's UTF-8."""
    spans, place = [], 0
    for word in words:
        place = max(place, text.find(word, place))
        begin = len(text[:place].encode("utf-8", "replace"))
        spans.append((begin, begin + len(word.encode("utf-8", "replace"))))
        place += len(word)
    return spans


def marked(weights: list[tuple[str, float]], whole: str | None = None) -> str:
    """HTML: words that spoke for the answer and against it, the more the stronger the colour.

    ``whole``: the text that they are of, whose spaces are kept; else one between any two.
    """
    gaps = gaps_of(whole, [word for word, _ in weights])
    most = max([0.05, *(abs(weight) for _, weight in weights)])
    shown = []
    for (word, weight), gap in zip(weights, gaps, strict=True):
        shown.append(gap)
        much = round(100 * abs(weight) / most)
        word = f"<bdi>{escaped(word, 80)}</bdi>"
        if much < 8:
            shown.append(word)
            continue
        side = "for" if weight > 0 else "against"
        told = f"{weight:+.2f}"
        shown.append(f'<mark class="{side}" style="--much:{much}%" title="{told}">{word}</mark>')
    rest = (whole or "").rstrip()
    cut = weights and len(weights) >= MOST_WORDS and not rest.endswith(weights[-1][0])
    return "".join(shown) + (" …" if cut else "")


def gaps_of(whole: str | None, words: list[str]) -> list[str]:
    """What stands before each word in its text: a space, or nothing.

    >>> gaps_of("Don't stop!", ["Do", "n't", "stop", "!"])
    ['', '', ' ', '']
    """
    gaps, place = [], 0
    for i, word in enumerate(words):
        found = -1 if whole is None else whole.find(word, place)
        if whole is None or found < 0:
            gaps.append(" " if i else "")
            continue
        gaps.append(" " if whole[place:found] and i else "")
        place = found + len(word)
    return gaps


def marker(model: Model, part: Part | None) -> Callable[[Mistake], str] | None:
    """What shows a mistaken text with the words that led to the wrong label; None for no texts."""
    spec = model.spec
    if not isinstance(spec, TextSpec) or part is None:
        return None
    engine, inputs = make_engine(model.network, model.parameters), part.inputs

    def show(mistake: Mistake) -> str:
        text = text_of(inputs, mistake.index)
        if text is None:
            return ""
        found = word_weights(engine, spec, text, model.labels.index(mistake.predicted))
        return f"<blockquote>{marked(found, text)}</blockquote>"

    return show
