"""Which example is for training, which for validation, which for the test: by its content.

A hash of the decoded content decides, 80 : 10 : 10. Files that are added later never move the
others, and exact copies, which have one hash, are always together.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from beak.data.report import NOTE, Finding

Array = np.ndarray[Any, Any]

TRAIN, VALIDATION, TEST = 0, 1, 2
PARTS = ("train", "validation", "test")
UNKNOWN = -1
PART_NAMES = {
    "train": TRAIN, "training": TRAIN, "val": VALIDATION, "valid": VALIDATION,
    "validation": VALIDATION, "dev": VALIDATION, "test": TEST, "testing": TEST,
}  # fmt: skip
"""What folders, tables and shards of the parts are called."""
VALIDATION_SHARE, TEST_SHARE = 0.1, 0.1


def numbers(hashes: Array, place: int = 0) -> Array:
    """64 bits of each hash uint8 (N, 16) as uint64; ``place`` 0 or 1 chooses which."""
    return (
        np.ascontiguousarray(hashes[:, 8 * place : 8 * place + 8])
        .view(">u8")[:, 0]
        .astype(np.uint64)
    )


def groups_of(hashes: Array) -> Array:
    """int64 (N,): one number for all examples with the same content."""
    whole = np.ascontiguousarray(hashes).view(f"V{hashes.shape[1]}")[:, 0]
    return np.unique(whole, return_inverse=True)[1].reshape(-1).astype(np.int64)


def split(
    hashes: Array,
    given: Array,
    classes: Array,
    labels: tuple[str, ...],
    groups: Array | None = None,
) -> tuple[Array, list[Finding]]:
    """The part of each example int8 (N,), and what there is to say about it.

    ``given`` int8 (N,): the part that the source gives, or UNKNOWN. Where it gives all parts they
    are kept; where it gives no validation (or test) part, a tenth of train becomes it. ``groups``
    uint8 (N, 16): hashes of what is kept together instead of exact copies, unless the source's own
    parts tear it apart already.
    """
    if groups is not None and not _torn(groups_of(groups), given):
        hashes = groups
    else:
        groups = None
    share = numbers(hashes).astype(np.float64) / 2.0**64
    if (given == UNKNOWN).any():
        parts = np.full(len(given), TRAIN, np.int8)
        parts[share >= 1 - TEST_SHARE - VALIDATION_SHARE] = VALIDATION
        parts[share >= 1 - TEST_SHARE] = TEST
        made = [VALIDATION, TEST]
        by = "content" if groups is None else "group"
        how = f"split by {by}: 80 % train, 10 % validation, 10 % test"
    else:
        parts = given.astype(np.int8)
        made = [p for p in (VALIDATION, TEST) if not (given == p).any()]
        free = given == TRAIN
        if VALIDATION in made:
            parts[free & (share >= 1 - VALIDATION_SHARE)] = VALIDATION
        if TEST in made:
            high = 1 - VALIDATION_SHARE if VALIDATION in made else 1
            parts[free & (share >= high - TEST_SHARE) & (share < high)] = TEST
        kept = " and ".join(PARTS[p] for p in (TRAIN, VALIDATION, TEST) if p not in made)
        how = f"the source's own parts are kept ({kept})"
        if made:
            how += "; " + " and ".join(f"a tenth of train is {PARTS[p]}" for p in made)
    findings = [Finding(NOTE, how)]
    return parts, findings + _everywhere(parts, given, made, share, hashes, classes, labels)


def _torn(groups: Array, given: Array) -> bool:
    """Whether the source's own parts have one group on two sides."""
    known = np.flatnonzero(given != UNKNOWN)
    pairs = np.unique(np.stack([groups[known], given[known]]), axis=1)
    return bool(len(np.unique(pairs[0])) < pairs.shape[1])


def _everywhere(
    parts: Array,
    given: Array,
    made: list[int],
    share: Array,
    hashes: Array,
    classes: Array,
    labels: tuple[str, ...],
) -> list[Finding]:
    """Give every part that we made an example of each class that has enough different ones.

    By chance a small class may have none in a part; then its nearest training contents are moved
    there. These, and only these, may move again when files are added: it is reported.
    """
    moved: list[str] = []
    movable = (given == TRAIN) | (given == UNKNOWN)
    for c, label in enumerate(labels):
        mine = np.flatnonzero((classes == c) & movable)
        for part in made:
            if not len(mine) or (parts[mine] == part).any():
                continue
            train = mine[parts[mine] == TRAIN]
            contents = np.unique(share[train])
            if len(contents) < 2:
                continue
            nearest = contents[-1]
            chosen = train[share[train] == nearest]
            parts[movable & np.isin(numbers(hashes), numbers(hashes[chosen]))] = part
            moved.append(f"{label} to {PARTS[part]}")
    if not moved:
        return []
    text = "small classes with nothing in a part by the rule: their nearest example was moved there"
    return [Finding(NOTE, text, tuple(moved))]


def fold_numbers(hashes: Array, classes: Array, folds: int) -> Array:
    """The fold (0 … folds-1) of each example: every class dealt out evenly in its hashes' order.

    Copies are dealt as one, with the class of the first of them.
    """
    groups = groups_of(hashes)
    _, first = np.unique(groups, return_index=True)
    order = np.lexsort((numbers(hashes[first], 1), classes[first]))
    dealt = np.empty(len(first), np.int64)
    dealt[order] = np.arange(len(first)) % folds
    return np.asarray(dealt[groups])
