"""Names with a range in braces: train-{00..19}.tar."""

from __future__ import annotations

import re

from beak.errors import UsageError

RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")
MOST = 1_000_000
"""Shards that a range may name."""


def spelled_out(name: str) -> list[str]:
    """The names that a name with a range in braces stands for; none where it has no range.

    Raises UsageError for more than a million.

    >>> spelled_out("train-{08..10}.tar")
    ['train-08.tar', 'train-09.tar', 'train-10.tar']
    """
    found = RANGE.search(name)
    if found is None:
        return []
    first, last = found.groups()
    if int(last) - int(first) >= MOST:
        raise UsageError(f"{name[:200]}: a range of more than {MOST:,} shards; give a part of it")
    return [
        f"{name[: found.start()]}{number:0{len(first)}d}{name[found.end() :]}"
        for number in range(int(first), int(last) + 1)
    ]
