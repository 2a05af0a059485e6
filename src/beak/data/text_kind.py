"""Sentences and longer texts as a kind of input."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, cast

import numpy as np

from beak.data.augment import Augmentation
from beak.data.dataset import Dataset
from beak.data.kinds import Kind
from beak.data.rows import Pixels
from beak.data.spec import InputSpec
from beak.data.streams import uniforms
from beak.data.text_rows import LONGEST
from beak.data.text_spec import FIRST_WORD, UNKNOWN_WORD, TextSpec
from beak.data.wishes import Wishes
from beak.errors import DataError, UsageError

Array = np.ndarray[Any, Any]


class Texts(Kind):
    """Labelled texts: tables, lines, class folders of .txt."""

    name: ClassVar[str] = "texts"
    one: ClassVar[str] = "text"
    suffixes: ClassVar[frozenset[str]] = frozenset({".txt", ".jsonl", ".ndjson"})
    spec_type: ClassVar[type[InputSpec]] = TextSpec

    def load_raw(self, raw: Any, spec: InputSpec, name: str) -> tuple[Array, tuple[str, ...]]:
        """A text, its bytes or its words as int32 (length,), and what of it is not used."""
        spec = cast(TextSpec, spec)
        if isinstance(raw, bytes | bytearray | memoryview):
            raw = _decoded(bytes(raw))
        elif isinstance(raw, Path):
            raw = _decoded(raw.read_bytes())
        if isinstance(raw, list | tuple) and all(isinstance(word, str) for word in raw):
            words, nothing = list(raw), not "".join(raw).strip()
        elif isinstance(raw, str):
            words, nothing = spec.split(raw), not raw.strip()
        else:
            wanted = "a text, or a list of its words, is wanted"
            raise DataError(f"{name}: {type(raw).__name__} came; {wanted}")
        if nothing:
            raise DataError(f"{name}: an empty text; nothing can be told from it")
        if len(words) > LONGEST:
            raise DataError(f"{name}: {len(words):,} words; at most {LONGEST:,} are taken")
        row = spec.row(raw if spec.unit == "bytes" else words)
        return row, tuple(_notes(spec, words, row))

    def augmented(
        self,
        inputs: Pixels,
        chosen: Array,
        spec: InputSpec,
        augmentation: Augmentation,
        *,
        seed: int,
        epoch: int,
        threads: int = 1,
    ) -> Array:
        """Some words taken for unknown ones."""
        rows = np.array(inputs[chosen], np.int32)
        if augmentation.drop_words and cast(TextSpec, spec).unit != "bytes":
            drawn = uniforms(seed, "augment", epoch, chosen, rows.shape[1])
            gone = (drawn < augmentation.drop_words) & (rows >= FIRST_WORD)
            rows[gone] = UNKNOWN_WORD
        return spec.prepare(rows)

    def read(self, source: Path, wishes: Wishes) -> Dataset:
        """Tables, lines of label and text, class folders, a file for each class."""
        from beak.data.text_source import read

        return read(source, wishes)

    def built_in(self, name: str, wishes: Wishes) -> Dataset:
        """There is no built-in set of texts."""
        raise UsageError(f"{name}: no built-in set of texts")


def _notes(spec: TextSpec, words: list[str], row: Array) -> list[str]:
    notes = []
    if len(words) > spec.length:
        unit = "bytes" if spec.unit == "bytes" else "words"
        notes.append(f"only the first {spec.length:,} of its {len(words):,} {unit} are read")
    if spec.unit != "bytes":
        heard, known = min(len(words), spec.length), int((row >= FIRST_WORD).sum())
        if not known:
            notes.append("none of its words was seen in training: the answer is a guess")
        elif known < heard / 2:
            notes.append(f"only {known} of its {heard} words were seen in training")
    return notes


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


KIND = Texts()
