"""One trained network = one directory: where its files lie, and how they are written and read."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Any

from beak.errors import RunError, UsageError, did_you_mean
from beak.runs.files import (
    Array,
    could_not_write,
    read_arrays,
    read_text,
    write_arrays,
    write_whole,
)
from beak.runs.history import append_history, cut_history, plain, read_history
from beak.runs.lock import locked
from beak.runs.machine import describe_machine
from beak.runs.safe import AGAIN, one_line, parse_json

MODEL = "model.safetensors"
CHECKPOINT = "checkpoint.safetensors"
RECIPE = "recipe.toml"
HISTORY = "history.jsonl"
MACHINE = "machine.json"
REPORT = "report.html"
EPOCHS = "epochs"
"""A folder with the weights of some epochs, each a file like model.safetensors."""
CARD = "README.md"
FILES = (MODEL, CHECKPOINT, RECIPE, HISTORY, MACHINE, REPORT)
CHECKPOINT_FORMAT = "1"


@dataclass(frozen=True)
class RunDirectory:
    """A run directory; make one with ``create``, ``create_numbered`` or ``open``.

    >>> import tempfile
    >>> run = RunDirectory.create(Path(tempfile.mkdtemp()) / "digits")
    >>> run.append_history({"epoch": 1, "train_loss": 0.5})
    >>> run.read_history(), run.finished
    ([{'epoch': 1, 'train_loss': 0.5}], False)
    """

    path: Path

    @classmethod
    def create(cls, path: str | Path, overwrite: bool = False) -> RunDirectory:
        """A new run directory, its parents included; an empty one that is there is taken.

        ``overwrite`` removes the files of an earlier run there, and no others.
        Raises UsageError where something lies there already, RunError where nothing can be
        written.
        """
        run = cls(Path(path))
        try:
            run.path.mkdir(parents=True, exist_ok=True)
            there = sorted(p.name for p in run.path.iterdir() if not _passing(p.name))
        except FileExistsError:
            raise UsageError(f"{run} is a file; give another place") from None
        except OSError as error:
            raise could_not_write(run.path, error) from None
        if not overwrite and any(name in FILES for name in there):
            more = f", or go on with --resume {quote(str(run))}" if CHECKPOINT in there else ""
            raise UsageError(f"{run} holds a run already; give another place or --overwrite{more}")
        if not overwrite and there:
            raise UsageError(f"{run} is not empty ({one_line(there[0])}); give another place")
        with locked(run.path):
            run._remove(*FILES)
            run._remove(*(str(kept.relative_to(run.path)) for kept in run._kept()))
            run.tidy()
        return run

    @classmethod
    def create_numbered(cls, parent: str | Path, name: str) -> RunDirectory:
        """A new directory ``parent/name``, or ``name-2``, ``name-3``, … where that is taken."""
        plain_name = re.sub(r"[^\w.+-]+", "-", name).strip("-.")[:60] or "run"
        try:
            Path(parent).mkdir(parents=True, exist_ok=True)
            for number in range(1, 1_000_000):
                path = Path(parent) / (plain_name if number == 1 else f"{plain_name}-{number}")
                with contextlib.suppress(FileExistsError):
                    path.mkdir()
                    return cls(path)
        except OSError as error:
            raise could_not_write(Path(parent) / plain_name, error) from None
        raise RunError(f"{one_line(parent)} holds too many runs; name the new one")

    @classmethod
    def open(cls, path: str | Path) -> RunDirectory:
        """A run directory that is there. UsageError: no such path; RunError: no run in it."""
        found = existing(path)
        if not found.is_dir():
            raise RunError(f"{one_line(found, 300)} is a file; give the run directory it lies in")
        run = cls(found)
        if not any((found / name).exists() for name in FILES):
            raise RunError(f"{run} holds no run (none of {', '.join(FILES)}); give a run directory")
        return run

    def __str__(self) -> str:
        return one_line(self.path, 300)

    @property
    def model_path(self) -> Path:
        """The weights with all that prediction needs."""
        return self.path / MODEL

    @property
    def checkpoint_path(self) -> Path:
        """Where training stands; only there while training is not done."""
        return self.path / CHECKPOINT

    @property
    def recipe_path(self) -> Path:
        """How the run was made, as TOML."""
        return self.path / RECIPE

    @property
    def history_path(self) -> Path:
        """One line an epoch."""
        return self.path / HISTORY

    @property
    def machine_path(self) -> Path:
        """On what it was made."""
        return self.path / MACHINE

    @property
    def report_path(self) -> Path:
        """The page that shows the run."""
        return self.path / REPORT

    @property
    def finished(self) -> bool:
        """Training came to its end: the weights are there and no checkpoint is left."""
        return self.model_path.exists() and not self.checkpoint_path.exists()

    def locked(self) -> AbstractContextManager[None]:
        """Hold the directory for one training; RunError at once where another holds it."""
        return locked(self.path)

    def tidy(self) -> None:
        """Remove what a killed write left beside; only under the lock."""
        for part in (*self.path.glob(".*.part"), *(self.path / EPOCHS).glob(".*.part")):
            if _passing(part.name):
                part.unlink(missing_ok=True)

    def save_recipe(self, text: str) -> None:
        """Write recipe.toml."""
        write_whole(self.recipe_path, (text.encode(),))

    def read_recipe(self) -> str:
        """The recipe's text; RunError where it is missing or no UTF-8."""
        return read_text(self.recipe_path)

    def append_history(self, record: Mapping[str, Any]) -> None:
        """Add one epoch's line; NaN and infinity become null."""
        append_history(self.history_path, record)

    def read_history(self) -> list[dict[str, Any]]:
        """All epochs so far; a line torn by a power cut is left out."""
        return read_history(self.history_path)

    def cut_history(self, lines: int) -> list[dict[str, Any]]:
        """Keep the first ``lines`` lines: on resume, those that the checkpoint knows of."""
        return cut_history(self.history_path, lines)

    def save_machine(
        self,
        machine: Mapping[str, Any] | None = None,
        *,
        threads: int | None = None,
        instructions: str | None = None,
        engine: str | None = None,
        device: str | None = None,
    ) -> None:
        """Write machine.json; by default what ``describe_machine`` finds."""
        found = machine or describe_machine(
            threads=threads, instructions=instructions, engine=engine, device=device
        )
        write_whole(self.machine_path, (json.dumps(plain(found), indent=2).encode(), b"\n"))

    def read_machine(self) -> dict[str, Any]:
        """What machine.json tells; nothing where it is missing."""
        if not self.machine_path.exists():
            return {}
        found = parse_json(read_text(self.machine_path), one_line(self.machine_path, 300))
        return found if isinstance(found, dict) else {}

    def epochs(self) -> dict[int, Path]:
        """The weights that were kept of epochs on the way, by epoch."""
        named = {p: re.fullmatch(r"epoch-(\d{1,6})\.safetensors", p.name) for p in self._kept()}
        found = {int(match[1]): path for path, match in named.items() if match}
        return dict(sorted(found.items()))

    def epoch_path(self, epoch: int) -> Path:
        """Where the weights after an epoch are kept; 0 is before the first."""
        return self.path / EPOCHS / f"epoch-{epoch}.safetensors"

    def _kept(self) -> list[Path]:
        try:
            return list((self.path / EPOCHS).glob("epoch-*.safetensors"))
        except OSError:
            return []

    def save_checkpoint(self, arrays: Mapping[str, Array], info: Mapping[str, Any]) -> None:
        """Write where training stands: arrays by name, and ``info`` (JSON; floats stay exact).

        Names begin with their group: ``parameters.``, ``state.`` (the engine's training_state),
        ``best.`` (the best parameters so far, where early stopping keeps them).
        """
        metadata = {"format": CHECKPOINT_FORMAT, "kind": "checkpoint", "info": json.dumps(info)}
        write_arrays(self.checkpoint_path, arrays, metadata)

    def load_checkpoint(self) -> tuple[dict[str, Array], dict[str, Any]]:
        """What ``save_checkpoint`` was given, to the last bit.

        Raises RunError: none there, damaged, or written by a later format.
        """
        name = one_line(self.checkpoint_path, 300)
        if not self.checkpoint_path.exists():
            done = "the run is finished" if self.finished else "train again"
            raise RunError(f"{name} is not there, so nothing can go on; {done}")
        arrays, metadata = read_arrays(self.checkpoint_path, checksum=True)
        if metadata.get("format") != CHECKPOINT_FORMAT:
            raise RunError(
                f"{name} is of format {one_line(metadata.get('format'))}, this beak goes on from "
                f"{CHECKPOINT_FORMAT}; go on with the beak that wrote it, or train again"
            )
        info = parse_json(metadata.get("info", ""), f"{name}: the info", finite=False)
        if not isinstance(info, dict):
            raise RunError(f"{name}: the info is no JSON object; {AGAIN}")
        return arrays, info

    def remove_checkpoint(self) -> None:
        """Training is done: only now does the run count as finished."""
        self._remove(CHECKPOINT)

    def _remove(self, *names: str) -> None:
        try:
            for name in names:
                (self.path / name).unlink(missing_ok=True)
        except OSError as error:
            raise could_not_write(self.path, error) from None


def group(arrays: Mapping[str, Array], prefix: str) -> dict[str, Array]:
    """The arrays of one group of a checkpoint, their group's name taken off.

    >>> group({"best.fc.bias": 1, "state.step": 2}, "best")
    {'fc.bias': 1}
    """
    begin = f"{prefix}."
    return {k.removeprefix(begin): v for k, v in arrays.items() if k.startswith(begin)}


def existing(path: str | Path) -> Path:
    """The path, when it is there; else UsageError with the nearest name beside it."""
    found = Path(path)
    try:
        if found.exists():
            return found
        beside = [p.name for p in found.parent.iterdir()][:10_000]
    except (OSError, ValueError):
        beside = []
    near = did_you_mean(found.name, beside)
    hint = near if "did you mean" in near else "; give a run directory or a model.safetensors"
    raise UsageError(f"{one_line(found, 300)} is not there{one_line(hint, 200)}")


def _passing(name: str) -> bool:
    """Names that come and go: the lock, and parts of files being written."""
    known = "|".join((*(re.escape(f) for f in (*FILES, CARD)), r"epoch-\d+\.safetensors"))
    return name == ".lock" or re.fullmatch(rf"\.({known})\.\d+\.[0-9a-f]+\.part", name) is not None
