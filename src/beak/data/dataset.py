"""A data set as plain data: labels, how inputs are made, and three parts of numbered examples."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from beak.data.augment import Augmentation
from beak.data.report import NOTE, Finding, Report
from beak.data.rows import Pixels, Rows, as_rows, joined_names, names_at
from beak.data.spec import InputSpec
from beak.data.split import PARTS, TEST, TRAIN, VALIDATION, fold_numbers, groups_of
from beak.errors import DataError, UsageError

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Part:
    """Numbered examples: example i is ``inputs[i]``, ``labels[i]``, ``names[i]``."""

    inputs: Pixels
    """Stored rows (N, …) as ``InputSpec.prepare`` takes them, memory-mapped if large."""
    labels: Array
    """int32 (N,), the place of each example's label in ``Dataset.labels``."""
    names: Sequence[str]
    """A stable name of each example: its path, or "train[17]"."""
    hashes: Array | None = None
    """uint8 (N, 16): hash of each example's decoded content, the same for exact copies."""
    groups: Pixels | None = None
    """uint8 (N, 16): hash of what must stay together (a speaker, a game), where that is known."""

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, index: Array) -> Part:
        """The examples at these places, still without copying any picture."""
        index = np.asarray(index)
        if index.dtype == bool:
            index = np.flatnonzero(index)
        return Part(
            as_rows(self.inputs).take(index),
            self.labels[index],
            names_at(self.names, index),
            None if self.hashes is None else self.hashes[index],
            self.groups.take(index)
            if isinstance(self.groups, Rows)
            else None
            if self.groups is None
            else self.groups[index],
        )


@dataclass(frozen=True)
class Dataset:
    """Everything that training needs to know about its examples."""

    name: str
    kind: str
    labels: tuple[str, ...]
    spec: InputSpec
    parts: dict[str, Part]
    """"train", "validation" and "test", always all three; a part may be empty."""
    report: Report = field(default_factory=Report)
    augmentation: Augmentation = field(default_factory=Augmentation)
    """What suits this kind of data, unless the recipe says otherwise."""
    fingerprint: str = ""
    """Hash of every example's content, label and part."""
    group_word: str = ""
    """What ``Part.groups`` are: "speaker" or "game"; "" where there are none."""

    def together(self) -> Part:
        """All three parts as one."""
        parts = [self.parts[name] for name in PARTS]
        return Part(
            _joined([as_rows(p.inputs) for p in parts]),
            np.concatenate([p.labels for p in parts]),
            joined_names([p.names for p in parts]),
            _all_of([p.hashes for p in parts]),
            _all_of([p.groups for p in parts]),
        )

    def folds(self, n: int | str) -> list[Dataset]:
        """``n`` data sets; each example is in the test part of exactly one of them.

        Every class is spread evenly; exact copies stay together, and groups where there are some;
        a tenth of what is not tested is for validation. ``n`` = ``group_word``, such as "speaker":
        each group is tested once, alone. A given test part is mixed in. Raises UsageError for less
        than 2 folds or more than there are examples (or groups), DataError for examples without
        hashes.
        """
        whole = self.together()
        keys = whole.hashes if whole.groups is None else np.asarray(whole.groups)
        if keys is None:
            raise DataError("folds: the examples have no content hashes to be dealt out by")
        count = self._fold_count(n, whole, groups_of(keys))
        alone = isinstance(n, str)
        fold = groups_of(keys) if alone else fold_numbers(keys, whole.labels, count)
        made = []
        for k in range(count):
            parts = np.where(fold == k, TEST, TRAIN)
            rest = np.flatnonzero(fold != k)
            parts[rest[self._tenth(whole, rest)]] = VALIDATION
            made.append(self.reparted(whole, parts, f"fold {k + 1} of {count}"))
        return made

    def _fold_count(self, n: int | str, whole: Part, groups: Array) -> int:
        """How many folds that makes, if it can be done."""
        if isinstance(n, str) and n != self.group_word:
            told = f"a number or '{self.group_word}'" if self.group_word else "a number"
            raise UsageError(f"folds: {n!r} is not known here; {told} is wanted")
        several = whole.groups is not None
        things, most = (
            (f"{self.group_word}s", int(groups.max()) + 1)
            if several and len(whole)
            else ("examples", len(whole))
        )
        count = most if isinstance(n, str) else n
        if count < 2 or count > most:
            raise UsageError(f"folds: {count} of {most} {things}; from 2 to {most} fit")
        return count

    def _tenth(self, whole: Part, rest: Array) -> Array:
        """bool: which of the places ``rest`` are for validation; by groups where there are ten."""
        keys = whole.hashes
        groups = 0 if whole.groups is None else len(np.unique(whole.groups[rest], axis=0))
        if groups >= 10 or keys is None:
            keys = np.asarray(whole.groups)
            if groups < 2:
                return np.zeros(len(rest), bool)
        return np.asarray(fold_numbers(keys[rest][:, ::-1], whole.labels[rest], 10) == 0)

    def everything(self) -> Dataset:
        """A data set that trains on all examples: for the network that is kept after folds."""
        whole = self.together()
        return self.reparted(whole, np.zeros(len(whole), np.int64), "trained on everything")

    def reparted(self, whole: Part, parts: Array, why: str) -> Dataset:
        """These examples in these parts (0 train, 1 validation, 2 test).

        A scale of the input stays as it is; what a spec learns from its training part is new.
        """
        dealt = {name: whole.take(np.flatnonzero(parts == p)) for p, name in enumerate(PARTS)}
        spec, dealt = self.spec.fitted(dealt)
        return replace(
            self,
            spec=spec,
            parts=dealt,
            report=Report((Finding(NOTE, why),)),
            fingerprint=fingerprint(self.labels, whole.hashes, whole.labels, parts),
        )


def _all_of(columns: Sequence[Pixels | None]) -> Any:
    """The parts' columns one after the other; None where one part has none."""
    there = [column for column in columns if column is not None]
    if len(there) < len(columns):
        return None
    rows = [column for column in there if isinstance(column, Rows)]
    return _joined(rows) if len(rows) == len(there) else np.concatenate([*map(np.asarray, there)])


def _joined(rows: Sequence[Rows]) -> Pixels:
    """Rows one after the other; copied only where they are not over one base."""
    if all(r.base is rows[0].base for r in rows):
        return Rows(rows[0].base, np.concatenate([r.index for r in rows]))
    return np.concatenate([np.asarray(r) for r in rows])


def fingerprint(labels: Sequence[str], hashes: Array | None, classes: Array, parts: Array) -> str:
    """32 hexadecimal digits that stand for the examples, their labels and their parts."""
    digest = hashlib.blake2b(repr(tuple(labels)).encode(), digest_size=16)
    for values in (hashes, classes.astype("<i4"), parts.astype("i1")):
        digest.update(b"|" if values is None else np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()
