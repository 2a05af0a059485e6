"""What is wrong with a data set, said before hours are spent on it."""

from __future__ import annotations

import itertools
import unicodedata
from collections.abc import Sequence
from typing import Any

import numpy as np

from beak.data.report import NOTE, SUMMARY, WARNING, Finding
from beak.data.split import PARTS, TEST, TRAIN, groups_of
from beak.errors import DataError

Array = np.ndarray[Any, Any]

FEW = 20
"""Fewer training examples than this in a class is said."""
IMBALANCE = 10
"""The largest class having this many times the examples of the smallest is said."""


def check_labels(labels: Sequence[str], counts: Sequence[int], things: str) -> list[Finding]:
    """Findings about the labels themselves; one class only or no example is a DataError."""
    if not sum(counts):
        raise DataError(f"no examples found; a folder of class folders with {things} is wanted")
    present = [label for label, count in zip(labels, counts, strict=True) if count]
    if len(present) < 2:
        raise DataError(
            f"all {sum(counts):,} examples have the label {present[0]!r}: two classes or more are "
            f"needed to tell apart; put each class's {things} in a folder of its own"
        )
    spelled: dict[str, list[str]] = {}
    for label in labels:
        spelled.setdefault(
            " ".join(unicodedata.normalize("NFKC", label).casefold().split()), []
        ).append(label)
    return [
        Finding(
            WARNING,
            f"the labels {' and '.join(map(repr, same))} differ only by case or spaces and count "
            "as different classes; rename one of them if they are the same",
        )
        for same in spelled.values()
        if len(same) > 1
    ]


def check_counts(labels: Sequence[str], classes: Array, parts: Array) -> list[Finding]:
    """Few examples, heavy imbalance, classes that a part lacks."""
    findings = []
    train = np.bincount(classes[parts == TRAIN], minlength=len(labels))
    absent = [labels[c] for c in np.flatnonzero(train == 0).tolist()]
    if absent:
        findings.append(Finding(WARNING, "classes without any training example", tuple(absent)))
    few = [
        f"{labels[c]} ({train[c]})" for c in np.flatnonzero((train > 0) & (train < FEW)).tolist()
    ]
    if few:
        text = f"classes with fewer than {FEW} training examples"
        findings.append(Finding(WARNING, text, tuple(few)))
    most, least = int(train.argmax()), int(np.where(train > 0, train, train.max()).argmin())
    if train[most] >= IMBALANCE * train[least] > 0:
        text = (
            f"heavy imbalance: {train[most]:,} training examples of {labels[most]!r}, "
            f"{train[least]:,} of {labels[least]!r}"
        )
        findings.append(Finding(WARNING, text))
    for part in range(len(PARTS)):
        counts = np.bincount(classes[parts == part], minlength=len(labels))
        lacking = tuple(labels[c] for c in np.flatnonzero((counts == 0) & (train > 0)).tolist())
        if part != TRAIN and lacking:
            if not counts.sum():
                findings.append(Finding(WARNING, f"nothing is left for the {PARTS[part]} part"))
            else:
                text = f"classes without an example in the {PARTS[part]} part"
                findings.append(Finding(WARNING, text, lacking))
    return findings


def check_duplicates(
    names: Sequence[str],
    hashes: Array,
    classes: Array,
    parts: Array,
    labels: Sequence[str],
    things: str,
) -> tuple[Array, list[Finding]]:
    """Which examples to keep bool (N,), and findings about exact copies.

    A training example whose copy is in the validation or test part is left out of training, a
    validation example whose copy is in the test part out of validation.
    """
    groups = groups_of(hashes)
    counts = np.bincount(groups)
    keep = np.ones(len(groups), bool)
    if counts.max() < 2:
        return keep, []
    findings = []
    copies = np.flatnonzero(counts[groups] > 1)
    order = copies[np.argsort(groups[copies], kind="stable")]
    bounds = np.flatnonzero(np.diff(groups[order], prepend=-1, append=-1))
    sets = [order[a:b] for a, b in itertools.pairwise(bounds)]
    conflicts, across, extra = [], [], 0
    for same in sets:
        if len(set(classes[same].tolist())) > 1:
            told = ", ".join(f"{names[i]} ({labels[classes[i]]})" for i in same[:4])
            conflicts.append(f"[{told}]")
        last_part = int(parts[same].max())
        dropped = same[parts[same] < last_part]
        keep[dropped] = False
        kept = names[same[parts[same] == last_part][0]]
        across += [f"{names[i]} ({PARTS[parts[i]]}) = {kept}" for i in dropped]
        extra += len(same) - 1 - len(dropped)
    if across:
        text = (
            f"{len(across):,} examples are also in a part that is held out from them: "
            "left out of the earlier part"
        )
        findings.append(Finding(WARNING, text, tuple(across)))
    if conflicts:
        one = len(conflicts) == 1
        who = (
            f"one {things.removesuffix('s')} stands"
            if one
            else f"{len(conflicts):,} {things} stand"
        )
        text = f"{who} under different labels"
        findings.append(Finding(WARNING, text, tuple(conflicts)))
    if extra:
        told_names = tuple(names[same[1]] for same in sets if keep[same].sum() > 1)
        text = f"{extra:,} examples are exact copies of others in the same part"
        findings.append(Finding(NOTE, text, told_names))
    return keep, findings


def check_groups(groups: Sequence[str], kept: Array, parts: Array, word: str) -> list[Finding]:
    """Groups, such as speakers, that are on both sides of the split."""
    train = {groups[i] for i in kept[parts[kept] == TRAIN].tolist()}
    test = {groups[i] for i in kept[parts[kept] == TEST].tolist()}
    both = sorted(train & test)
    if not both:
        return []
    return [
        Finding(
            WARNING,
            f"{len(both)} of {len(train | test)} {word}s are in training and in the test, so the "
            f"test does not tell how good it is for a new {word}; --folds {word} does",
            tuple(both),
        )
    ]


def count_line(parts: Array, labels: Sequence[str]) -> Finding:
    """How many examples and classes there are."""
    sizes = np.bincount(parts, minlength=len(PARTS))
    told = ", ".join(f"{n:,} {name}" for n, name in zip(sizes, PARTS, strict=True))
    return Finding(SUMMARY, f"{sizes.sum():,} examples of {len(labels):,} classes: {told}")
