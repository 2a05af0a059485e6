"""What the caller of ``load_dataset`` asked for, as every kind's reader gets it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from beak.data.spec import InputSpec

Progress = Callable[[int, int], None]
"""Called with how much is done and how much there is; while files are still looked for, with how
many entries of folders were seen, and 0."""


@dataclass(frozen=True)
class Wishes:
    """Where to cache, with how many threads, and what of the input is not left to the data."""

    cache: Path
    threads: int = 1
    spec: InputSpec | None = None
    """A trained network's: inputs are made as it knows them."""
    labels: tuple[str, ...] | None = None
    """A trained network's, in its order."""
    strict: bool = False
    """A warning of the report is an error."""
    progress: Progress | None = None
    data_dir: str | Path | None = None
    """Where the files of built-in sets lie."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """The recipe's [data] keys of this kind that the caller gave, such as size or encoding."""
