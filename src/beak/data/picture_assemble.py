"""From pictures to a data set: what is particular to them is the scale and the augmentation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from beak.data.assemble import Examples, Fitted, assemble
from beak.data.augment import Augmentation
from beak.data.dataset import Dataset, Part
from beak.data.picture_augment import suitable
from beak.data.picture_spec import PictureSpec
from beak.data.rows import Rows
from beak.data.spec import InputSpec

Array = np.ndarray[Any, Any]

PIECE = 1 << 24
"""Bytes of pixels that are looked at at a time."""


def assemble_pictures(
    name: str,
    labels: tuple[str, ...],
    spec: PictureSpec,
    examples: Examples,
    *,
    plain_border: bool = False,
    strict: bool = False,
    known: tuple[str, ...] | None = None,
    keep_scale: bool = False,
) -> Dataset:
    """The data set of these pictures. ``keep_scale``: the spec's mean and std stay."""

    def scale(_: InputSpec, parts: dict[str, Part]) -> Fitted:
        return spec if keep_scale else scaled(spec, parts["train"], examples), parts

    def fits(_: InputSpec, present: Sequence[str], count: int) -> Augmentation:
        return suitable(spec, present, count, plain_border)

    return assemble(
        name, labels, spec, examples,
        scale=scale, suitable=fits, strict=strict, known=known, things="pictures",
    )  # fmt: skip


def scaled(spec: PictureSpec, train: Part, examples: Examples) -> PictureSpec:
    """The spec with the mean and standard deviation of the training part, exact and rounded."""
    rows = train.inputs.index if isinstance(train.inputs, Rows) else np.arange(len(train))
    if examples.sums is not None:
        total, squares = examples.sums[rows].sum(axis=0).T
    else:
        total, squares = _sums_of(np.asarray(examples.stored), rows)
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
