"""From a source of texts to a data set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np

from beak.data.assemble import Examples, assemble
from beak.data.augment import Augmentation
from beak.data.dataset import Dataset
from beak.data.found import in_order
from beak.data.report import NOTE, WARNING, Finding
from beak.data.split import PARTS, TRAIN, UNKNOWN
from beak.data.text_rows import Places, TextRows
from beak.data.text_spec import UNITS, TextSpec
from beak.data.texts import Reading, read_texts
from beak.data.wishes import Wishes
from beak.data.word_rows import MOST_WORDS, Numbered, WordRows, numbered_bytes, numbered_words
from beak.data.words import words_of
from beak.errors import DataError, UsageError, did_you_mean

Array = np.ndarray[Any, Any]


def read(source: Path, wishes: Wishes) -> Dataset:
    """The texts of a source; options: unit, lower, text, label, encoding, words, length."""
    options = wishes.options
    how = Reading(*(str(options.get(k, d)) for k, d in (
        ("text", ""), ("label", ""), ("encoding", "auto"),
    )))  # fmt: skip
    found = read_texts(source, how)
    spec = wishes.spec or _new_spec(options)
    assert isinstance(spec, TextSpec)
    findings = found.told()
    strict = next((f for f in findings if f.level == WARNING), None) if wishes.strict else None
    if strict:
        raise DataError(f"{source}: {strict.line()} (strict)")
    numbered = _numbered(found, spec)
    labels = in_order(found.labels)
    number = {label: i for i, label in enumerate(labels)}
    renumber = np.array([number[label] for label in found.labels], np.int32)
    classes = renumber[np.frombuffer(found.classes, np.int32)]
    given, places = np.frombuffer(found.parts, np.int8), found.places()
    hashes = np.frombuffer(bytes(found.hashes), np.uint8).reshape(-1, 16)
    kept = np.arange(len(found))
    if wishes.labels is None:
        kept, lone = _learnable(classes, given, labels, places)
        findings += lone
    examples = Examples(
        _rows(numbered, spec, options),
        kept, classes[kept], given[kept], cast(Sequence[str], places.take(kept)), hashes[kept],
        None, findings,
    )  # fmt: skip
    name = source.resolve().name or str(source)
    if wishes.spec is not None:
        scale: Any = lambda spec, parts: (spec, spec.numbered_as_known(parts))  # noqa: E731
    else:
        scale = lambda spec, parts: spec.fitted(parts)  # noqa: E731
    made = assemble(
        name, labels, spec, examples, scale=scale, suitable=_suitable, strict=wishes.strict,
        known=wishes.labels, things="texts",
    )  # fmt: skip
    return _told_cut(made)


def _suitable(spec: Any, labels: Any, examples: int) -> Augmentation:
    return Augmentation()


def _new_spec(options: Any) -> TextSpec:
    """A spec that has not learnt anything yet."""
    unit = str(options.get("unit", "auto"))
    unit = "pairs" if unit == "auto" else unit
    if unit not in UNITS:
        raise UsageError(f"data.unit: no {unit!r}{did_you_mean(unit, UNITS)}")
    lower = bool(options.get("lower", True))
    shape = (3,) if unit == "pairs" else (1,)
    return TextSpec("texts", shape, unit, lower, 2 if unit == "pairs" else 0)


def _numbered(found: TextRows, spec: TextSpec) -> Numbered:
    store = found.store()
    if spec.unit == "bytes":
        return numbered_bytes(store)
    return numbered_words(store, partial(words_of, lower=spec.lower))


def _rows(numbered: Numbered, spec: TextSpec, options: Any) -> WordRows:
    most = int(options.get("words", 0)) or MOST_WORDS
    length = int(options.get("length", 0))
    return WordRows(numbered, np.zeros(0, np.int32), length or spec.length, most, length)


def _learnable(
    classes: Array, given: Array, labels: tuple[str, ...], places: Places
) -> tuple[Array, list[Finding]]:
    """Examples whose label the training part has, where the source says what that part is."""
    everything = np.arange(len(classes))
    if (given == UNKNOWN).any() or not (given == TRAIN).any():
        return everything, []
    known = np.bincount(classes[given == TRAIN], minlength=len(labels)) > 0
    findings = []
    for c in np.flatnonzero(~known).tolist():
        mine = np.flatnonzero(classes == c)
        where = " and ".join(PARTS[p] for p in np.unique(given[mine]).tolist())
        text = f"left out, the label {labels[c]!r} is only in the {where} part ({len(mine)})"
        findings.append(Finding(WARNING, text, tuple(places[i] for i in mine.tolist())))
    return np.flatnonzero(known[classes]), findings


def _told_cut(dataset: Dataset) -> Dataset:
    """The data set with a note where texts are longer than what is read of them."""
    spec, train = dataset.spec, dataset.parts["train"].inputs
    assert isinstance(spec, TextSpec)
    base, index = getattr(train, "base", None), getattr(train, "index", None)
    if not isinstance(base, WordRows) or index is None or not len(index):
        return dataset
    lengths = base.source.lengths[index]
    longer = int((lengths > spec.length).sum())
    unit = "bytes" if spec.unit == "bytes" else "words"
    text = (
        f"{longer:,} of {len(index):,} training texts are longer than {spec.length:,} {unit} and "
        f"are cut there; --set data.length={int(lengths.max())} takes them whole"
    )
    if not longer:
        return dataset
    report = replace(dataset.report, findings=(*dataset.report.findings, Finding(NOTE, text)))
    return replace(dataset, report=report)
