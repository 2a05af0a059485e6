"""A data set as plain data: labels, how inputs are made, and three parts of numbered examples."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from beak.data.augment import Augmentation
from beak.data.report import NOTE, Finding, Report
from beak.data.rows import Pixels, as_rows
from beak.data.spec import InputSpec
from beak.data.split import PARTS, TEST, TRAIN, VALIDATION, fold_numbers
from beak.errors import DataError, UsageError

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Part:
    """Numbered examples: example i is ``inputs[i]``, ``labels[i]``, ``names[i]``."""

    inputs: Pixels
    """uint8 (N, C, H, W), memory-mapped where it is large; float32 for kind "numbers"."""
    labels: Array
    """int32 (N,), the place of each example's label in ``Dataset.labels``."""
    names: Sequence[str]
    """A stable name of each example: its path, or "train[17]"."""
    hashes: Array | None = None
    """uint8 (N, 16): hash of each example's decoded content, the same for exact copies."""

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
            [self.names[i] for i in index.tolist()],
            None if self.hashes is None else self.hashes[index],
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

    def together(self) -> Part:
        """All three parts as one."""
        parts = [self.parts[name] for name in PARTS]
        rows = [as_rows(p.inputs) for p in parts]
        if all(r.base is rows[0].base for r in rows):
            inputs: Pixels = _joined(rows)
        else:
            inputs = np.concatenate([np.asarray(r) for r in rows])
        hashes = [p.hashes for p in parts if p.hashes is not None]
        return Part(
            inputs,
            np.concatenate([p.labels for p in parts]),
            [name for p in parts for name in p.names],
            np.concatenate(hashes) if len(hashes) == len(parts) else None,
        )

    def folds(self, n: int) -> list[Dataset]:
        """``n`` data sets; each example is in the test part of exactly one of them.

        Every class is spread evenly, exact copies stay together; a tenth of what is not tested is
        for validation. A given test part is mixed in. Raises UsageError for less than 2 folds or
        more than there are examples, DataError for examples without hashes.
        """
        whole = self.together()
        if n < 2 or n > len(whole):
            raise UsageError(f"folds: {n} of {len(whole)} examples; from 2 to {len(whole)} fit")
        if whole.hashes is None:
            raise DataError("folds: the examples have no content hashes to be dealt out by")
        fold = fold_numbers(whole.hashes, whole.labels, n)
        made = []
        for k in range(n):
            parts = np.where(fold == k, TEST, TRAIN)
            rest = np.flatnonzero(fold != k)
            tenth = fold_numbers(whole.hashes[rest][:, ::-1], whole.labels[rest], 10)
            parts[rest[tenth == 0]] = VALIDATION
            made.append(self.reparted(whole, parts, f"fold {k + 1} of {n}"))
        return made

    def everything(self) -> Dataset:
        """A data set that trains on all examples: for the network that is kept after folds."""
        whole = self.together()
        return self.reparted(whole, np.zeros(len(whole), np.int64), "trained on everything")

    def reparted(self, whole: Part, parts: Array, why: str) -> Dataset:
        """These examples in these parts (0 train, 1 validation, 2 test); the input scale stays."""
        return replace(
            self,
            parts={name: whole.take(np.flatnonzero(parts == p)) for p, name in enumerate(PARTS)},
            report=Report((Finding(NOTE, why),)),
            fingerprint=fingerprint(self.labels, whole.hashes, whole.labels, parts),
        )


def _joined(rows: Sequence[Any]) -> Any:
    """Rows over one base, one after the other."""
    return type(rows[0])(rows[0].base, np.concatenate([r.index for r in rows]))


def fingerprint(labels: Sequence[str], hashes: Array | None, classes: Array, parts: Array) -> str:
    """32 hexadecimal digits that stand for the examples, their labels and their parts."""
    digest = hashlib.blake2b(repr(tuple(labels)).encode(), digest_size=16)
    for values in (hashes, classes.astype("<i4"), parts.astype("i1")):
        digest.update(b"|" if values is None else np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()
