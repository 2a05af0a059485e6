"""Where a text's words are: the one definition, for training, prediction and the baseline.

The library `regex` knows Unicode's classes of letters and marks, which Python's own `re` does not:
with `re` a Hindi or Arabic word falls apart at its vowel signs.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from beak.errors import MissingExtraError

PATTERN = r"""
    [a-zA-Z]++(?!['’\p{L}\p{M}])
  | [\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]\p{M}*
  | [\p{L}\p{M}]+?(?=[nN]['’][tT](?![\p{L}\p{M}]))
  | [nN]['’][tT](?![\p{L}\p{M}])
  | ['’](?:[sSdDmM]|[rR][eE]|[vV][eE]|[lL][lL])(?![\p{L}\p{M}])
  | [\p{L}\p{M}--[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]]+
  | \p{N}+(?:[.,]\p{N}+)*
  | [^\s\p{L}\p{M}\p{N}]
"""
"""Runs of letters are words, and so are numbers and every other sign; scripts without spaces are
taken sign by sign, English's n't and 's apart, as Kim 2014 has them. The first line is what most
words are, found fast."""
LONGEST_WORD = 60
"""Characters of a word that can be known; what is longer is cut to them."""


@cache
def _pattern() -> Any:
    try:
        import regex  # type: ignore[import-untyped]
    except ImportError:
        raise MissingExtraError("reading texts", "text") from None
    return regex.compile(PATTERN, regex.VERBOSE | regex.VERSION1)


def words_of(text: str, lower: bool = True) -> list[str]:
    """A text's words in order.

    >>> words_of("It doesn't work: 3.5 stars, Zoë's 寿司!")
    ['it', 'does', "n't", 'work', ':', '3.5', 'stars', ',', 'zoë', "'s", '寿', '司', '!']
    """
    found: list[str] = _pattern().findall(text.lower() if lower else text)
    if len(text) > LONGEST_WORD:
        return [word if len(word) <= LONGEST_WORD else word[:LONGEST_WORD] for word in found]
    return found
