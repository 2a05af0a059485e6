"""The kinds of raw input: which there are, which one a source holds, how each is read.

A kind is one object in a module of its own, imported when it is wanted: readers of sound or Go
records cost nothing where pictures are trained on.
"""

from __future__ import annotations

import csv
import os
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar, cast

import numpy as np

from beak.data.augment import Augmentation
from beak.data.dataset import Dataset, Part
from beak.data.found import is_junk
from beak.data.rows import Pixels
from beak.data.spec import InputSpec
from beak.data.unpack import is_archive, names_in
from beak.data.wishes import Wishes
from beak.errors import DataError, did_you_mean

Array = np.ndarray[Any, Any]

MODULES = {
    "pictures": "beak.data.picture_kind",
    "numbers": "beak.data.picture_kind",
    "sounds": "beak.data.sound_kind",
    "texts": "beak.data.text_kind",
    "go": "beak.data.go_kind",
}
"""Where each kind's ``KIND`` is."""
CHOICES = tuple(name for name in MODULES if name != "numbers")
"""What a user can ask for; numbers are arrays, never files."""
TABLES = {".csv": ",", ".tsv": "\t"}
SAMPLE = 500
"""Names looked at to tell what a source holds."""
LONGEST_LINE = 1 << 16
MANY_NOTES = 50
"""So many .txt weigh as one picture: often they are notes beside something else."""


class Kind(ABC):
    """One kind of raw input."""

    name: ClassVar[str]
    one: ClassVar[str]
    """What one input is called: "picture"."""
    suffixes: ClassVar[frozenset[str]]
    """Endings of its files, in small letters, with the dot."""
    spec_type: ClassVar[type[InputSpec]]

    @abstractmethod
    def load_raw(self, raw: Any, spec: InputSpec, name: str) -> tuple[Array, tuple[str, ...]]:
        """One raw input (path, bytes, array, …) as the row that ``spec.prepare`` takes, and notes.

        Raises DataError, one line with ``name``.
        """

    @abstractmethod
    def read(self, source: Path, wishes: Wishes) -> Dataset:
        """The examples of a folder or file. Raises DataError or UsageError."""

    @abstractmethod
    def built_in(self, name: str, wishes: Wishes) -> Dataset:
        """A built-in set of this kind."""

    def sound(self, row: Array, spec: InputSpec) -> bytes | None:
        """A stored row as a wav file, for people to hear; None where it is no sound."""
        return None

    def drawn(self, row: Array, spec: InputSpec) -> Array | None:
        """A stored sound as a picture uint8 (1, H, W), for people to see; None for other kinds."""
        return None

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
        """The chosen examples as the network sees them in this epoch: float32 (B, *shape).

        Each example's random numbers come from (seed, epoch, its number) alone. A kind that knows
        no change of its inputs prepares them as they are.
        """
        return spec.prepare(inputs[chosen])

    def changed_labels(
        self, labels: Array, chosen: Array, augmentation: Augmentation, *, seed: int, epoch: int
    ) -> Array:
        """The chosen examples' labels int32 (B,) as ``augmented`` changes their inputs.

        The same random numbers tell both: a move turns with its board. Most labels stay.
        """
        return labels

    def views(self, spec: InputSpec) -> int:
        """In how many equal ways one example can be seen: a board of Go in eight."""
        return 1

    def view(
        self, stored: Array, spec: InputSpec, number: int, classes: int
    ) -> tuple[Array, Array]:
        """Stored rows in one of these ways, float32 (B, *shape), and the place int64 (classes,)
        that each answer has in it: ``answers[:, place]`` are those of the example itself.
        """
        return spec.prepare(stored), np.arange(classes)

    def strata(self, part: Part) -> tuple[tuple[str, ...], Array] | None:
        """What examples are counted apart by, such as phases of a game: names, and which each
        example is of; None: by nothing.
        """
        return None


@cache
def kind_of(name: str) -> Kind:
    """The kind of that name. Raises DataError with the nearest known one.

    >>> kind_of("pictures").one
    'picture'
    """
    if name not in MODULES:
        raise DataError(f"input: no kind {name!r}{did_you_mean(str(name), MODULES)}")
    return cast(Kind, import_module(MODULES[name]).KIND)


def read_spec(data: Any) -> InputSpec:
    """The spec of any kind from its ``to_json``; anything else raises DataError."""
    if not isinstance(data, Mapping):
        raise DataError(f"input: wanted a table of fields, got {type(data).__name__}")
    if "kind" not in data:
        raise DataError("input: the field 'kind' is missing")
    return kind_of(str(data["kind"])).spec_type.from_json(data)


def kind_at(source: Path) -> str:
    """Which kind of files a source holds: what most of a sample of their names end in.

    Text files that lie beside pictures or sounds are notes about them.
    """
    names = list(islice(_names(source), SAMPLE))
    endings = [Path(name).suffix.lower() for name in names]
    counts = {name: sum(ending in kind_of(name).suffixes for ending in endings) for name in CHOICES}
    notes = endings.count(".txt")
    counts["texts"] -= notes - -(-notes // MANY_NOTES)
    best = max(counts, key=lambda name: counts[name])
    return best if counts[best] or not _speaks(source) else "texts"


def _speaks(source: Path) -> bool:
    """Whether these can be texts, where no name tells what they are."""
    from beak.data.texts import claims

    return claims(source) > 0


def _names(source: Path) -> Sequence[str] | Any:
    """Names of files under a folder, or in a table's cells, in the order in which they come."""
    if source.is_file():
        if source.suffix.lower() in TABLES:
            yield from _cells(source)
        elif is_archive(source.name):
            yield from names_in(source)
        else:
            yield source.name
        return
    for folder, folders, files in os.walk(source):
        folders[:] = sorted(name for name in folders if not is_junk(name))
        for name in sorted(files):
            if not is_junk(name):
                yield name
            if Path(name).suffix.lower() in TABLES:
                yield from islice(_cells(Path(folder, name)), 50)
            elif is_archive(name):
                yield from islice(names_in(Path(folder, name)), 50)


def _cells(table: Path) -> Any:
    """The cells of a table's first rows, as far as they can be read."""
    try:
        with table.open(encoding="utf-8", errors="replace", newline="") as file:
            lines = (line for line in iter(lambda: file.readline(LONGEST_LINE), ""))
            rows = csv.reader(lines, delimiter=TABLES[table.suffix.lower()])
            for row in islice(rows, 50):
                yield from (cell.strip() for cell in row)
    except (OSError, csv.Error):
        return
