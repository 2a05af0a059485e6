"""What an export is compared on: raw files, examples of the run's own data, inputs made up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from beak.data.decode import decode_file
from beak.data.kinds import kind_of
from beak.data.load import is_run, load_dataset
from beak.data.picture_spec import PictureSpec
from beak.data.pictures import load_raw
from beak.data.sound_spec import SoundSpec
from beak.data.spec import InputSpec
from beak.data.text_spec import TextSpec
from beak.errors import BeakError, DataError, RunError
from beak.exchange.onnx_model import exported_input
from beak.runs.run import Run
from beak.runs.safe import one_line

if TYPE_CHECKING:
    from beak.data.dataset import Dataset

Array = np.ndarray[Any, Any]
LEAST = 200
"""Inputs that every export is compared on."""
FEW_GAMES = 100
"""Games of Go that are read for a comparison; their planes are made by the run's own code."""
SIDES = ((28, 28), (17, 40), (64, 48), (120, 90), (31, 97), (8, 8), (200, 150), (33, 33))
"""Sizes of pictures that are made up; the network's own is another."""


@dataclass(frozen=True, eq=False)
class Pair:
    """One input twice: as the export takes it, and as the run's own code prepared it."""

    name: str
    exported: Array
    prepared: Array
    """The network's input, without the batch."""


def examples(
    run: Run,
    source: str | None = None,
    data_dir: Path | None = None,
    least: int = LEAST,
    notes: list[str] | None = None,
) -> list[Pair]:
    """Inputs of the source, or else of what the run was trained on, spread over it; then made ones.

    A source that was asked for must be there; DataError or UsageError where it cannot be read.
    ``notes`` gets a line where the run's own is not.
    """
    said: list[str] = [] if notes is None else notes
    found = list(islice(_of_source(run, source, data_dir, least, said), least))
    made = max(least - len(found), LEAST // 4)
    return found + [made_pair(run.spec, number) for number in range(made)]


def _of_source(
    run: Run, source: str | None, data_dir: Path | None, most: int, notes: list[str]
) -> Iterator[Pair]:
    chosen = source or trained_on(run)
    if chosen is None:
        return
    try:
        path = Path(chosen)
        if path.is_dir() and not is_run(path) and run.spec.kind in ("pictures", "sounds", "go"):
            yield from _of_files(run, path, most)
        else:
            yield from _of_dataset(run, chosen, data_dir, most)
    except BeakError as error:
        if source is not None:
            raise
        notes.append(f"compared on made inputs alone: {one_line(error, 300)}")


def _of_files(run: Run, folder: Path, most: int) -> Iterator[Pair]:
    """Raw files, spread over the folder, those that cannot be read left out."""
    kind = kind_of(run.spec.kind)
    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in kind.suffixes)
    if not files:
        raise DataError(f"{one_line(folder)} holds no {kind.one}; give a folder of files")
    for path in [files[i] for i in np.unique(np.linspace(0, len(files) - 1, most).astype(int))]:
        try:
            stored, _ = kind.load_raw(path, run.spec, str(path))
            if run.spec.kind == "pictures":
                exported = decode_file(path, str(path)).pixels
            else:
                exported = exported_input(run.spec, stored[None])[0]
        except BeakError:
            continue
        yield Pair(str(path), exported, run.spec.prepare(stored[None])[0])


def _of_dataset(run: Run, source: str, data_dir: Path | None, most: int) -> Iterator[Pair]:
    few = {"games": FEW_GAMES} if run.spec.kind == "go" else {}
    part = dataset_of(run, source, data_dir, **few).parts["test"]
    for number in np.unique(np.linspace(0, len(part) - 1, min(most, len(part))).astype(int)):
        stored = np.asarray(part.inputs[np.array([number])])
        exported = exported_input(run.spec, stored)[0]
        yield Pair(part.names[int(number)], exported, run.spec.prepare(stored)[0])


def trained_on(run: Run) -> str | None:
    """The recipe's source; None for a weights file alone."""
    source = run.recipe_data.get("source")
    return source if isinstance(source, str) and source else None


def dataset_of(run: Run, source: str | None, data_dir: Path | None = None, **more: Any) -> Dataset:
    """The data set that a run was trained on, or another, with its labels and preparation.

    ``more``: of the recipe's [data] keys, instead of what the run's own say.
    """
    chosen = source or trained_on(run)
    if chosen is None:
        raise RunError(
            f"{run.model.name}: what it was trained on is not known here; give it: --data SOURCE"
        )
    said = run.recipe_data if source is None or source == trained_on(run) else {}
    names: tuple[str, ...] = ("text", "label", "encoding") if run.spec.kind == "texts" else ()
    if run.spec.kind == "go":
        names = ("games", "min_moves", "min_rank", "decided", "handicap", "passes", "held_out")
    how = {name: said[name] for name in names if said.get(name) not in (None, "")}
    where = data_dir or said.get("directory") or None
    how |= more
    return load_dataset(chosen, data_dir=where, spec=run.spec, labels=run.labels, **how)


def made_pair(spec: InputSpec, number: int) -> Pair:
    """An input from a seed: every size, colour and loudness in turn."""
    random = np.random.default_rng([7, number])
    if isinstance(spec, PictureSpec) and spec.kind == "pictures":
        pixels = _picture(random, number, spec)
        stored, _ = load_raw(pixels, spec)
        return Pair(f"made picture {number}", pixels, spec.prepare(stored[None])[0])
    if isinstance(spec, SoundSpec):
        row = _sound(random, spec)
    elif isinstance(spec, TextSpec):
        row = _words(random, spec)
    elif spec.kind == "go":
        planes = (random.random(spec.shape) < 0.2).astype(np.float32)
        return Pair(f"made planes {number}", planes, planes)
    else:
        row = random.normal(0, 2, spec.shape).astype(np.float32)
    exported = exported_input(spec, row[None])[0]
    return Pair(f"made {spec.kind} {number}", exported, spec.prepare(row[None])[0])


def _picture(random: np.random.Generator, number: int, spec: PictureSpec) -> Array:
    """Blots on noise, uint8 (H, W, 1, 3 or 4)."""
    height, width = (*SIDES, spec.shape[1:])[number % (len(SIDES) + 1)]
    channels = (1, 3, 4)[number // 3 % 3]
    y, x = np.mgrid[:height, :width]
    blot = np.hypot(y / height - random.random(), x / width - random.random()) < random.random()
    levels = random.integers(0, 256, (2, channels))
    noise = random.normal(0, random.choice([2.0, 40.0]), (height, width, channels))
    values = np.where(blot[..., None], levels[0], levels[1]) + noise
    return np.asarray(np.clip(values, 0, 255), np.uint8)


def _sound(random: np.random.Generator, spec: SoundSpec) -> Array:
    """A few tones in noise, loud or quiet, int16 (samples,)."""
    time = np.arange(spec.samples) / spec.rate
    tones = random.uniform(60, spec.rate / 2, 4)
    values = sum(random.random() * np.sin(2 * np.pi * tone * time) for tone in tones)
    values = values + random.normal(0, 10.0 ** random.uniform(-3, 0), spec.samples)
    values = values * 10.0 ** random.uniform(-2, 0) / max(float(np.abs(values).max()), 1e-9)
    return np.asarray(np.rint(32767 * values), np.int16)


def _words(random: np.random.Generator, spec: TextSpec) -> Array:
    """Words of which few are frequent, int32 (length,)."""
    row = np.zeros(spec.length, np.int32)
    count = int(random.integers(1, spec.length + 1))
    row[:count] = 1 + (random.random(count) ** 3 * (spec.numbers - 1)).astype(np.int32)
    return row
