"""From decoded examples to a data set: checks, copies, parts, the input's scale."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from beak.data.augment import Augmentation
from beak.data.dataset import Dataset, Part, fingerprint
from beak.data.doctor import (
    check_counts,
    check_duplicates,
    check_groups,
    check_labels,
    count_line,
)
from beak.data.report import Finding, Report
from beak.data.rows import Pixels, Rows
from beak.data.spec import InputSpec
from beak.data.split import PARTS, TRAIN, split
from beak.errors import DataError, did_you_mean

Array = np.ndarray[Any, Any]


@dataclass
class Examples:
    """Decoded examples, before they are split: columns of one table."""

    stored: Pixels
    """Stored rows (M, …) as the spec's ``prepare`` takes them; may be memory-mapped."""
    rows: Array
    """int64 (N,): which row of ``stored`` each example is; exact copies may share one."""
    classes: Array
    given: Array
    names: Sequence[str]
    hashes: Array
    """uint8 (N, 16)."""
    sums: Array | None = None
    """int64 (M, C, 2): sum and sum of squares of each row's values; None: not known yet."""
    findings: list[Finding] = field(default_factory=list)
    groups: Sequence[str] | None = None
    """The group of each example (its speaker, its game), where there are any."""
    group_word: str = ""
    """What a group is: "speaker"."""


Fitted = tuple[InputSpec, dict[str, Part]]
Scale = Callable[[InputSpec, dict[str, Part]], Fitted]
Suitable = Callable[[InputSpec, Sequence[str], int], Augmentation]


def assemble(
    name: str,
    labels: tuple[str, ...],
    spec: InputSpec,
    examples: Examples,
    *,
    scale: Scale = lambda spec, parts: spec.fitted(parts),
    suitable: Suitable = lambda spec, labels, examples: Augmentation(),
    strict: bool = False,
    known: tuple[str, ...] | None = None,
    things: str = "examples",
) -> Dataset:
    """The data set of these examples. Raises DataError for one class only, and with ``strict``
    for every warning.

    ``known``: the labels of a trained network, in its order; then one class is enough, and a label
    that it does not know is an error. ``scale(spec, parts)`` gives the spec what it takes from the
    training part; ``suitable(spec, labels, examples)`` is the augmentation. ``things``: what
    examples are called, such as "pictures".
    """
    findings = list(examples.findings)
    if known is None:
        counts = np.bincount(examples.classes, minlength=len(labels)).tolist()
        findings += check_labels(labels, counts, things)
        labels, classes = _present(labels, examples.classes)
    else:
        labels, classes = known, _as_known(name, labels, examples.classes, known)
    groups = _group_hashes(examples.groups)
    parts, told = split(examples.hashes, examples.given, classes, labels, groups)
    keep, copies = check_duplicates(examples.names, examples.hashes, classes, parts, labels, things)
    kept = np.flatnonzero(keep)
    findings += [*told, *copies]
    if examples.groups is not None:
        findings += check_groups(examples.groups, kept, parts, examples.group_word)
    if known is None:
        findings += check_counts(labels, classes[kept], parts[kept])
        if not (parts[kept] == TRAIN).any():
            raise DataError(f"{name}: no training examples are left; more {things} are needed")
    findings.insert(0, count_line(parts[kept], labels))
    report = Report(tuple(findings))
    if strict and report.warnings:
        raise DataError(f"{name}: {report.warnings[0].line()} (strict)")
    spec, made = scale(spec, _dealt(examples, classes, groups, kept, parts))
    return Dataset(
        name=name,
        kind=spec.kind,
        labels=labels,
        spec=spec,
        parts=made,
        report=report,
        augmentation=suitable(spec, labels, len(kept)),
        fingerprint=fingerprint(labels, examples.hashes[kept], classes[kept], parts[kept]),
        group_word=examples.group_word,
    )


def _dealt(
    examples: Examples, classes: Array, groups: Array | None, kept: Array, parts: Array
) -> dict[str, Part]:
    """The kept examples in their parts."""
    made = {}
    for p, part in enumerate(PARTS):
        index = kept[parts[kept] == p]
        made[part] = Part(
            Rows(examples.stored, examples.rows[index]),
            classes[index].astype(np.int32),
            [examples.names[i] for i in index.tolist()],
            examples.hashes[index],
            None if groups is None else groups[index],
        )
    return made


def _group_hashes(groups: Sequence[str] | None) -> Array | None:
    """uint8 (N, 16): a hash of each example's group."""
    if groups is None:
        return None
    made = {
        name: hashlib.blake2b(name.encode(), digest_size=16).digest() for name in sorted({*groups})
    }
    joined = b"".join(made[name] for name in groups)
    return np.frombuffer(joined, np.uint8).reshape(-1, 16)


def _present(labels: tuple[str, ...], classes: Array) -> tuple[tuple[str, ...], Array]:
    """Without the labels that no readable example has."""
    counts = np.bincount(classes, minlength=len(labels))
    if counts.all():
        return labels, classes
    place = np.cumsum(counts > 0) - 1
    return tuple(np.array(labels, object)[counts > 0]), place[classes].astype(np.int32)


def _as_known(name: str, labels: tuple[str, ...], classes: Array, known: tuple[str, ...]) -> Array:
    """Classes numbered as the known labels are."""
    place = {label: i for i, label in enumerate(known)}
    strange = [labels[c] for c in np.unique(classes) if labels[c] not in place]
    if strange:
        raise DataError(
            f"{name}: the network does not know the label {strange[0]!r}"
            f"{did_you_mean(strange[0], known)}"
        )
    return np.array([place.get(label, -1) for label in labels], np.int32)[classes]
