"""From decoded examples to a data set: checks, copies, parts, the input's scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from beak.data.augment import suitable
from beak.data.dataset import Dataset, Part, fingerprint
from beak.data.doctor import check_counts, check_duplicates, check_labels, count_line
from beak.data.report import Finding, Report
from beak.data.rows import Rows
from beak.data.spec import InputSpec
from beak.data.split import PARTS, TRAIN, split
from beak.errors import DataError, did_you_mean

Array = np.ndarray[Any, Any]

PIECE = 1 << 24
"""Bytes of pixels that are looked at at a time."""


@dataclass
class Examples:
    """Decoded examples, before they are split: columns of one table."""

    pixels: Array
    """uint8 or float32 (M, C, H, W); may be memory-mapped."""
    rows: Array
    """int64 (N,): which row of ``pixels`` each example is; exact copies may share one."""
    classes: Array
    given: Array
    names: Sequence[str]
    hashes: Array
    """uint8 (N, 16)."""
    sums: Array | None = None
    """int64 (M, C, 2): sum and sum of squares of each row's values; None: not known yet."""
    findings: list[Finding] = field(default_factory=list)


def assemble(
    name: str,
    labels: tuple[str, ...],
    spec: InputSpec,
    examples: Examples,
    *,
    plain_border: bool = False,
    strict: bool = False,
    known: tuple[str, ...] | None = None,
    keep_scale: bool = False,
) -> Dataset:
    """The data set of these examples. Raises DataError for one class only, and with ``strict``
    for every warning.

    ``known``: the labels of a trained network, in its order; then one class is enough, and a label
    that it does not know is an error. ``keep_scale``: the spec's mean and std stay.
    """
    findings = list(examples.findings)
    if known is None:
        counts = np.bincount(examples.classes, minlength=len(labels)).tolist()
        findings += check_labels(labels, counts)
        labels, classes = _present(labels, examples.classes)
    else:
        labels, classes = known, _as_known(name, labels, examples.classes, known)
    parts, told = split(examples.hashes, examples.given, classes, labels)
    keep, copies = check_duplicates(examples.names, examples.hashes, classes, parts, labels)
    kept = np.flatnonzero(keep)
    findings += [*told, *copies]
    if known is None:
        findings += check_counts(labels, classes[kept], parts[kept])
        if not (parts[kept] == TRAIN).any():
            raise DataError(f"{name}: no training examples are left; more pictures are needed")
    findings.insert(0, count_line(parts[kept], labels))
    made = {}
    for p, part in enumerate(PARTS):
        index = kept[parts[kept] == p]
        made[part] = Part(
            Rows(examples.pixels, examples.rows[index]),
            classes[index].astype(np.int32),
            [examples.names[i] for i in index.tolist()],
            examples.hashes[index],
        )
    report = Report(tuple(findings))
    if strict and report.warnings:
        raise DataError(f"{name}: {report.warnings[0].line()} (strict)")
    if not keep_scale:
        spec = scaled(spec, made["train"], examples)
    return Dataset(
        name=name,
        kind=spec.kind,
        labels=labels,
        spec=spec,
        parts=made,
        report=report,
        augmentation=suitable(spec, labels, len(kept), plain_border),
        fingerprint=fingerprint(labels, examples.hashes[kept], classes[kept], parts[kept]),
    )


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


def scaled(spec: InputSpec, train: Part, examples: Examples) -> InputSpec:
    """The spec with the mean and standard deviation of the training part, exact and rounded."""
    rows = train.inputs.index if isinstance(train.inputs, Rows) else np.arange(len(train))
    if examples.sums is not None:
        total, squares = examples.sums[rows].sum(axis=0).T
    else:
        total, squares = _sums_of(examples.pixels, rows)
    count = len(rows) * spec.shape[1] * spec.shape[2]
    one = 255.0 if spec.kind == "pictures" else 1.0
    mean = total / count / one
    spread = np.sqrt(np.maximum(squares / count / one**2 - mean**2, 0.0))
    digits = 4 if spec.kind == "pictures" else 9
    std = np.where(spread > 1e-3 / one, spread, 1.0)
    return replace(
        spec,
        mean=tuple(round(float(m), digits) for m in mean),
        std=tuple(max(round(float(s), digits), 10.0**-digits) for s in std),
    )


def _sums_of(pixels: Array, rows: Array) -> tuple[Array, Array]:
    step = max(1, PIECE // max(1, pixels[:1].nbytes))
    total: Any = 0
    squares: Any = 0
    for first in range(0, len(rows), step):
        sums = channel_sums(pixels[rows[first : first + step]])
        total, squares = total + sums[:, :, 0].sum(axis=0), squares + sums[:, :, 1].sum(axis=0)
    return total, squares


def channel_sums(pixels: Array) -> Array:
    """Sum and sum of squares over each picture's channels: (N, C, H, W) to (N, C, 2).

    Whole numbers (int64) for bytes, so that no order of adding changes a digit.
    """
    flat = pixels.reshape(*pixels.shape[:2], -1)
    if pixels.dtype == np.uint8:
        squares = np.arange(256, dtype=np.uint32) ** 2
        return np.stack(
            [flat.sum(axis=2, dtype=np.int64), squares[flat].sum(axis=2, dtype=np.int64)], axis=2
        )
    exact = flat.astype(np.float64)
    return np.stack([exact.sum(axis=2), (exact**2).sum(axis=2)], axis=2)
