"""Arrays in memory as a data set: what a notebook or an estimator has at hand."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from beak.data.assemble import Examples
from beak.data.dataset import Dataset
from beak.data.decode import to_bytes
from beak.data.found import in_order, numbered
from beak.data.picture_assemble import assemble_pictures
from beak.data.picture_spec import PictureSpec
from beak.data.pictures import fit as fit_picture
from beak.data.report import Finding
from beak.data.split import UNKNOWN
from beak.data.survey import choose_spec, look_at
from beak.errors import DataError

Array = np.ndarray[Any, Any]

SAMPLE = 256


def load_arrays(
    inputs: Any,
    labels: Any,
    *,
    name: str = "arrays",
    kind: str = "auto",
    given: Any = None,
    names: Sequence[str] | None = None,
    size: int | tuple[int, int] | None = None,
    channels: int | None = None,
    fit: str | None = None,
    spec: PictureSpec | None = None,
    known: tuple[str, ...] | None = None,
    strict: bool = False,
) -> Dataset:
    """A data set from arrays.

    ``inputs``: (N, H, W), (N, H, W, 1 or 3), (N, 1 or 3, H, W) or rows (N, F), taken as one
    channel of one row. kind "pictures" makes bytes of them (16-bit numbers scaled, floats from 0
    to 1 times 255); kind "numbers" keeps float32 and standardises; "auto" takes bytes and floats
    from 0 to 1 that are whole 255ths as pictures. ``labels`` (N,): numbers or words. ``given``
    (N,): 0 train, 1 validation, 2 test, where that is decided. ``spec`` and ``known`` labels of a
    trained network make inputs and labels as it knows them. Raises DataError.
    """
    values, words = np.asarray(inputs), label_words(labels)
    if len(values) != len(words):
        raise DataError(f"{name}: {len(values)} inputs but {len(words)} labels")
    if values.dtype.kind not in "buif" or values.ndim not in (2, 3, 4) or not values.size:
        raise DataError(f"{name}: {values.dtype} {values.shape} are no examples; see load_arrays")
    found = in_order(words)
    values = channels_first(values)
    if kind == "auto":
        kind = spec.kind if spec else "pictures" if _are_pictures(values) else "numbers"
    findings: list[Finding] = []
    plain = False
    if kind == "numbers":
        raw = pixels = np.ascontiguousarray(values, np.float32)
        if not np.isfinite(pixels).all():
            raise DataError(f"{name}: NaN or infinity among the inputs")
        made = spec or _numbers_spec(pixels)
        if pixels.shape[1:] != made.shape:
            raise DataError(f"{name}: inputs of {pixels.shape[1:]}, the network takes {made.shape}")
    else:
        raw = np.ascontiguousarray(to_bytes(values))
        sample = [p.transpose(1, 2, 0) for p in raw[:: max(1, len(raw) // SAMPLE)]]
        survey = look_at(sample)
        made, findings = choose_spec(survey, len(raw), size, channels, fit)
        if spec is not None:
            made, findings = spec, []
        plain = survey.plain_border
        pixels = fitted(raw, made)
    examples = Examples(
        pixels,
        np.arange(len(pixels)),
        numbered(words, found),
        np.full(len(values), UNKNOWN, np.int8) if given is None else np.asarray(given, np.int8),
        names if names is not None else [f"{name}[{i}]" for i in range(len(values))],
        row_hashes(raw),
        None,
        findings,
    )
    return assemble_pictures(
        name,
        found,
        made,
        examples,
        plain_border=plain,
        strict=strict,
        known=known,
        keep_scale=spec is not None,
    )


def _numbers_spec(values: Array) -> PictureSpec:
    channels, height, width = values.shape[1:]
    return PictureSpec(
        "numbers", (channels, height, width), mean=(0.0,) * channels, std=(1.0,) * channels
    )


def label_words(labels: Any) -> list[str]:
    """Labels (N,), (N, 1) or one-hot (N, K) as text.

    >>> label_words([3, 1.0, 7]), label_words(np.eye(2, dtype=int))
    (['3', '1', '7'], ['0', '1'])
    """
    values = np.asarray(labels)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    elif values.ndim == 2 and values.shape[1] > 1 and values.dtype.kind in "buif":
        values = values.argmax(axis=1)
    if values.ndim != 1 or values.dtype.kind not in "buifUSO":
        raise DataError(
            f"labels of {values.dtype} {values.shape}; one word or number each is wanted"
        )
    if values.dtype.kind == "f":
        if not np.isfinite(values).all():
            raise DataError("NaN or infinity among the labels")
        if (values == np.rint(values)).all():
            values = values.astype(np.int64)
    if values.dtype.kind == "S":
        values = np.char.decode(values, "utf-8", "replace")
    return [str(value) for value in values.tolist()]


def channels_first(values: Array) -> Array:
    """(N, F), (N, H, W), (N, H, W, C) or (N, C, H, W) as (N, C, H, W), without copying."""
    if values.ndim == 2:
        return values[:, None, None, :]
    if values.ndim == 3:
        return values[:, None]
    if values.shape[1] not in (1, 3) and values.shape[3] in (1, 3):
        return values.transpose(0, 3, 1, 2)
    return values


def _are_pictures(values: Array) -> bool:
    if values.shape[1] not in (1, 3) or min(values.shape[2:]) < 2:
        return False
    if values.dtype in (np.uint8, np.uint16):
        return True
    low, high = values.min(), values.max()
    if values.dtype.kind in "iu":
        return bool(low >= 0 and high <= 255)
    if not (low >= 0 and high <= 1 and high > 0):
        return False
    steps = values[:64] * 255.0
    return bool(np.abs(steps - np.rint(steps)).max() < 1e-3)


def fitted(pixels: Array, spec: PictureSpec) -> Array:
    """Pictures of one size uint8 (N, C, H, W) as the spec wants them."""
    if pixels.shape[1:] == spec.shape:
        return pixels
    out = np.empty((len(pixels), *spec.shape), np.uint8)
    for i, picture in enumerate(pixels):
        out[i] = fit_picture(picture.transpose(1, 2, 0), spec)[0]
    return out


def row_hashes(pixels: Array) -> Array:
    """uint8 (N, 16): hash of each row (N, C, H, W), the same as ``Decoded.content_hash``."""
    shown = pixels.transpose(0, 2, 3, 1)
    start = hashlib.blake2b(repr(shown.shape[1:]).encode(), digest_size=16)
    out = np.empty((len(pixels), 16), np.uint8)
    for i, row in enumerate(shown):
        digest = start.copy()
        digest.update(np.ascontiguousarray(row).data)
        out[i] = np.frombuffer(digest.digest(), np.uint8)
    return out
