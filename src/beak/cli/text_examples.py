"""Some texts of a source's test part with what a network reads in them."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from beak.cli.console import make_console, percent, plain, print_json
from beak.errors import BeakError, DataError

if TYPE_CHECKING:
    from beak.runs.model import Model


MOST_BYTES, MOST_FILES = 20_000_000, 2_000
"""A source larger than this is not read once more only to show some of it."""


def is_small(source: str) -> bool:
    """Whether reading a source again takes no time: a small file, or a folder of a few."""
    path = Path(source)
    if not path.is_dir():
        return size_of(path) <= MOST_BYTES
    files = list(itertools.islice(path.rglob("*"), MOST_FILES + 1))
    return len(files) <= MOST_FILES and sum(map(size_of, files)) <= MOST_BYTES


def size_of(path: Path) -> int:
    """Bytes of a file; 0 where there is none."""
    try:
        return path.stat().st_size if path.is_file() else 0
    except OSError:
        return 0


def show_texts(
    model: Model,
    source: str,
    wanted: int,
    *,
    data_dir: Path | None = None,
    threads: int | None = None,
    exact: bool = False,
    engine: str = "auto",
    device: str = "cpu",
    as_json: bool = False,
    reading: Mapping[str, Any] | None = None,
) -> None:
    """A line for each of ``wanted`` texts, spread evenly over the test part.

    Raises DataError where the source has no test part.
    """
    from rich.text import Text

    from beak.data.load import load_dataset
    from beak.runs.predictor import Predictor
    from beak.runs.report_texts import text_of

    dataset = load_dataset(source, data_dir=data_dir, spec=model.spec, **(reading or {}))
    part = dataset.parts["test"]
    if len(part) == 0:
        raise DataError(f"{source}: there is no test part to show examples of")
    places = np.unique(np.linspace(0, len(part) - 1, min(wanted, len(part))).astype(int)).tolist()
    texts = [text_of(part.inputs, place) or "" for place in places]
    predictor, console = Predictor(model, threads, engine, exact, device), make_console()
    width = max(len(plain(label)) for label in model.labels)
    for place, (_, answer) in zip(places, predictor.predict_many(texts), strict=True):
        if isinstance(answer, BeakError):
            raise answer
        label = dataset.labels[int(part.labels[place])]
        if as_json:
            print_json({**answer.to_json(None), "input": part.names[place], "truth": label})
            continue
        right = answer.label == label
        line = Text(" ")
        said = f"{'✓' if right else '✗'} {plain(answer.label)}"
        line.append(said.ljust(width + 3), "good" if right else "bad")
        line.append(percent(max(answer.probabilities.values())).rjust(7) + "  ", "dim")
        if not right:
            line.append(f"is {plain(label)}  ", "bad")
        line.append(plain(" ".join(answer.input.split())))
        line.truncate(console.width, overflow="ellipsis")
        console.print(line, no_wrap=True)
