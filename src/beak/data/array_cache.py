"""Array files (idx, .npz, CIFAR's batches) prepared once, into the same kind of cache."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from beak.data.arrays import ArrayPart
from beak.data.assemble import Examples
from beak.data.cache import DEFINITION
from beak.data.found import in_order, numbered
from beak.data.kept import made_store
from beak.data.manifest import Manifest, file_key
from beak.data.memory import channels_first, fitted, label_words, row_hashes
from beak.data.picture_assemble import channel_sums
from beak.data.picture_spec import PictureSpec
from beak.data.report import NOTE, Finding
from beak.data.split import PARTS, UNKNOWN
from beak.data.store import DamagedStoreError, Store, StoreWriter, open_store
from beak.data.survey import SAMPLE, Survey, look_at
from beak.errors import DataError

Array = np.ndarray[Any, Any]
Read = Callable[[], list[ArrayPart]]


def manifest_of_files(source: Path, files: Sequence[Path], cache: Path) -> Manifest:
    """The manifest of the files that an array source is made of."""
    told = [file.stat() for file in files]
    return Manifest.of(source, cache).brought_up_to_date(
        [file.name for file in files],
        np.array([t.st_size for t in told], np.int64),
        np.array([t.st_mtime_ns for t in told], np.int64),
        lambda i: file_key(files[i]),
        1,
    )


def are_pictures(parts: Sequence[ArrayPart]) -> bool:
    """Whether all parts hold bytes in the shape of pictures of one size."""
    return all(
        p.inputs.dtype == np.uint8
        and (
            len(p.inputs.shape) == 3 or (len(p.inputs.shape) == 4 and _channels(p.inputs.shape) > 0)
        )
        and p.inputs.shape[1:] == parts[0].inputs.shape[1:]
        and min(p.inputs.shape) > 0
        for p in parts
    )


def _channels(shape: tuple[int, ...]) -> int:
    return next((n for n in (shape[3], shape[1]) if n in (1, 3)), 0)


def survey_arrays(read: Read, manifest: Manifest) -> Survey:
    """The survey of the first part's first pictures, remembered in the manifest."""
    try:
        if manifest.info["surveyed"] == manifest.content():
            return Survey.from_json(manifest.info["survey"])
    except (KeyError, TypeError, ValueError):
        pass
    first = next(read()[0].inputs.pieces())[:SAMPLE]
    survey = look_at(p.transpose(1, 2, 0) for p in channels_first(first))
    manifest.note(survey=survey.to_json(), surveyed=manifest.content())
    return survey


def array_examples(
    read: Read, manifest: Manifest, spec: PictureSpec, cache: Path, names: Sequence[str] | None
) -> tuple[tuple[str, ...], Examples]:
    """Labels and examples of an array source, from the cache or prepared into it.

    ``names``: what the label numbers mean, where the files do not say.
    """
    told = json.dumps(
        [DEFINITION, manifest.content(), spec.shape, spec.fit, spec.background, names]
    )
    path = cache / "arrays" / f"{hashlib.blake2b(told.encode(), digest_size=16).hexdigest()}.beak"
    again: list[Finding] = []
    try:
        labels, examples = _from_store(open_store(path), spec)
        examples.findings += manifest.save()
        return labels, examples
    except FileNotFoundError:
        pass
    except (DamagedStoreError, KeyError, TypeError) as error:
        again = [Finding(NOTE, f"the cache {path.name} was made again: {error}")]
    store, unkept = made_store(path, lambda to: _build(to, read(), spec, names))
    labels, examples = _from_store(store, spec)
    examples.findings += unkept or [*again, *manifest.save()]
    return labels, examples


def _from_store(store: Store, spec: PictureSpec) -> tuple[tuple[str, ...], Examples]:
    a, labels = store.arrays, tuple(store.info["labels"])
    given = np.asarray(a["given"])
    if a["pixels"].shape[1:] != spec.shape or not all(isinstance(w, str) for w in labels):
        raise DamagedStoreError("it holds something else")
    names = [
        f"{PARTS[part] if part != UNKNOWN else 'example'}[{i}]"
        for part, count in _runs(given)
        for i in range(count)
    ]
    rows = np.arange(len(given))
    classes, hashes = np.asarray(a["classes"]), np.asarray(a["hashes"])
    if not len(a["pixels"]) == len(given) == len(classes) == len(hashes) == len(a["sums"]):
        raise DamagedStoreError("its arrays do not fit each other")
    if len(classes) and not 0 <= classes.min() <= classes.max() < len(labels):
        raise DamagedStoreError("its labels go beyond their list")
    return labels, Examples(a["pixels"], rows, classes, given, names, hashes, np.asarray(a["sums"]))


def _runs(given: Array) -> list[tuple[int, int]]:
    return [(int(part), len(list(group))) for part, group in itertools.groupby(given.tolist())]


def _build(
    path: Path, parts: list[ArrayPart], spec: PictureSpec, names: Sequence[str] | None
) -> None:
    words: list[str] = []
    for part in parts:
        told = label_words(part.labels)
        if len(told) != part.inputs.shape[0]:
            raise DataError(
                f"{part.inputs.name}: {part.inputs.shape[0]} inputs, but {len(told)} labels"
            )
        words += told
    if names is None:
        labels = in_order(words)
    else:
        labels, words = tuple(names), [_named(word, names) for word in words]
    given = np.repeat([p.part for p in parts], [p.inputs.shape[0] for p in parts]).astype(np.int8)
    hashes, sums = [], []
    with StoreWriter(path, len(words) * int(np.prod(spec.shape))) as writer:
        writer.start("pixels", "|u1", spec.shape)
        for part in parts:
            for piece in part.inputs.pieces():
                pictures = channels_first(piece)
                pixels = fitted(pictures, spec)
                writer.append(pixels)
                hashes.append(row_hashes(pictures))
                sums.append(channel_sums(pixels))
        writer.end()
        writer.add("classes", numbered(words, labels))
        writer.add("given", given)
        writer.add("hashes", np.concatenate(hashes))
        writer.add("sums", np.concatenate(sums))
        writer.finish({"labels": list(labels), "input": spec.to_json()})


def _named(word: str, names: Sequence[str]) -> str:
    if not word.isdigit() or int(word) >= len(names):
        raise DataError(f"the label {word} is not from 0 to {len(names) - 1}")
    return names[int(word)]
