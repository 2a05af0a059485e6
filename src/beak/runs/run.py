"""One trained network, as Python users hold it: ``run = beak.load("runs/digits")``."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from beak.errors import BeakError, DataError, RunError, UsageError, did_you_mean
from beak.network.network import Network
from beak.network.summary import Summary, summarise
from beak.runs.directory import HISTORY, MACHINE, RECIPE, RunDirectory
from beak.runs.evaluate import Evaluation, evaluate
from beak.runs.model import Model, load_model
from beak.runs.safe import one_line, strict_toml

if TYPE_CHECKING:
    from beak.data.dataset import Dataset, Part
    from beak.data.spec import InputSpec
    from beak.runs.opened import Examples, OpenedInput
    from beak.runs.predictor import Prediction, Predictor


class Run:
    """A run directory or weights file, opened and checked; any number of threads may ask it."""

    def __init__(
        self,
        path: str | Path | Model,
        threads: int | None = None,
        engine: str = "auto",
        exact: bool = False,
        device: str = "cpu",
    ) -> None:
        """Open a trained network. UsageError: no such path; RunError: no network there.

        ``path``: or a model that is no run's yet, such as one made elsewhere. ``exact``: direct
        sums, without Winograd's kernels and folded batch norms; slower.
        """
        self.model: Model = path if isinstance(path, Model) else load_model(path)
        """The weights and all that prediction needs."""
        self.threads = threads
        self.engine = engine
        self.exact = exact
        self.device = device
        file = self.model.path or Path(os.devnull)
        self._directory = RunDirectory(file if isinstance(path, Model) else file.parent)
        self._making = threading.Lock()

    @property
    def path(self) -> Path:
        """The run directory, or the weights file where it stands alone."""
        alone = self.model.path
        inside = any((self._directory.path / name).exists() for name in (RECIPE, HISTORY, MACHINE))
        return self._directory.path if inside or alone is None else alone

    @property
    def network(self) -> Network:
        """What is computed."""
        return self.model.network

    @property
    def labels(self) -> tuple[str, ...]:
        """What the answers are called."""
        return self.model.labels

    @property
    def spec(self) -> InputSpec:
        """How an input is prepared."""
        return self.model.spec

    @property
    def info(self) -> dict[str, Any]:
        """How the network came about: its name, seed, versions, test result."""
        return self.model.info

    @property
    def history(self) -> list[dict[str, Any]]:
        """One record an epoch; empty for a weights file alone."""
        return self._directory.read_history() if self.path == self._directory.path else []

    @property
    def recipe(self) -> str:
        """The recipe's text; empty for a weights file alone."""
        whole = self.path == self._directory.path and self._directory.recipe_path.exists()
        return self._directory.read_recipe() if whole else ""

    @property
    def recipe_data(self) -> dict[str, Any]:
        """The recipe's [data] table; empty where there is none that can be read."""
        try:
            found = strict_toml(self.recipe).get("data", {})
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    @property
    def epochs(self) -> dict[int, Path]:
        """Weights that were kept of epochs on the way, by epoch; empty where none were."""
        return self._directory.epochs() if self.path == self._directory.path else {}

    @property
    def predictor(self) -> Predictor:
        """What answers; made at first use, once, whichever thread comes first."""
        with self._making:
            return self._predictor

    @cached_property
    def _predictor(self) -> Predictor:
        from beak.runs.predictor import Predictor

        return Predictor(self.model, self.threads, self.engine, self.exact, self.device)

    def predict(self, raw: Any) -> Any:
        """The Prediction for one input; a list of them for a list, tuple or stack of arrays.

        An input is a path, the bytes of a file, an array, a PIL image, or a sound's ``(samples,
        rate)``; for Go (record, 57) is the position before move 57 of a record, a record alone that
        at its end. Raises DataError for one that cannot be read; ``predict_many`` goes on after it.
        """
        if _several(raw):
            answers = []
            for _, answer in self.predict_many(raw):
                if isinstance(answer, BeakError):
                    raise answer
                answers.append(answer)
            return answers
        return self.predictor.predict(raw)

    def predict_many(
        self, inputs: Iterable[Any], batch: int = 64
    ) -> Iterator[tuple[Any, Prediction | BeakError]]:
        """Each input with its Prediction, in order; with its error where it has none."""
        return self.predictor.predict_many(inputs, batch)

    def evaluate(
        self,
        source: Any,
        *,
        part: str = "test",
        data_dir: str | Path | None = None,
        batch: int = 256,
        worst: int = 24,
        listen: Callable[[int, int], None] | None = None,
        reading: Mapping[str, Any] | None = None,
        averaged: bool = True,
    ) -> Evaluation:
        """How good it is on a source as in training, or on a Dataset.

        ``part``: "test" (the given one, or the tenth that training leaves out), "validation",
        "train", or "all" of it. ``averaged``: boards of Go also by the mean of the answers to their
        eight symmetries, which takes eight times as long again. ``reading``: how a table of texts
        is read, such as {"text": "review", "label": "stars"}. Raises DataError for labels that the
        network does not know.
        """
        dataset = self._dataset(source, data_dir, reading)
        chosen, notes = _chosen(dataset, part)
        known = self._numbered(chosen, dataset)
        engine = self.predictor.engine
        found = evaluate(
            engine, known, self.spec, self.labels, batch=batch, worst=worst, listen=listen,
            averaged=averaged,
        )  # fmt: skip
        told = (finding.line() for finding in dataset.report.warnings)
        return replace(
            found, notes=(*self._other_preparation(dataset), *notes, *told, *found.notes)
        )

    def opened(self, raw: Any) -> OpenedInput:
        """One raw input as the network reads it, for ``beak.explain``. Raises DataError."""
        from beak.runs.opened import open_input

        return open_input(self.spec, raw)

    def examples(
        self,
        source: Any,
        *,
        part: str = "test",
        most: int | None = None,
        data_dir: str | Path | None = None,
    ) -> Examples:
        """A part of a source (or of a Dataset), prepared example by example, labels as here.

        ``most``: only so many, spread evenly. Raises as ``evaluate`` does.
        """
        from beak.runs.opened import spread

        dataset = self._dataset(source, data_dir)
        chosen, _ = _chosen(dataset, part)
        self._other_preparation(dataset)
        return spread(self._numbered(chosen, dataset), self.spec, most)

    def summary(self) -> Summary:
        """Shapes, parameters, multiply-adds and receptive fields, layer by layer."""
        return summarise(self.network)

    def __repr__(self) -> str:
        said = f"{self.network.parameter_count:,} parameters, {len(self.labels)} labels"
        test = self.info.get("test")
        share = test.get("accuracy") if isinstance(test, dict) else None
        good = f", test accuracy {100 * share:.1f} %" if isinstance(share, int | float) else ""
        return f"Run('{one_line(self.path, 200)}': {said}{good})"

    def _dataset(
        self, source: Any, data_dir: str | Path | None, reading: Mapping[str, Any] | None = None
    ) -> Dataset:
        from beak.data.dataset import Dataset

        if isinstance(source, Dataset):
            return source
        from beak.data.load import load_dataset

        how = reading or {}
        return load_dataset(source, data_dir=data_dir, spec=self.spec, labels=self.labels, **how)

    def _numbered(self, part: Part, dataset: Dataset) -> Part:
        """The part with its labels numbered as the network's answers."""
        if dataset.labels == self.labels:
            return part
        place = {label: k for k, label in enumerate(self.labels)}
        for label in dataset.labels:
            if label not in place:
                near = did_you_mean(label, self.labels[:50])
                raise DataError(
                    f"{one_line(dataset.name)}: the label '{one_line(label)}' is none that the "
                    f"network knows{one_line(near, 300)}"
                )
        numbers = np.array([place[label] for label in dataset.labels], np.int32)
        return replace(part, labels=numbers[np.asarray(part.labels)])

    def _other_preparation(self, dataset: Dataset) -> tuple[str, ...]:
        """A note where the loaded inputs were prepared otherwise than in training."""
        mine, its = self.spec, dataset.spec
        if mine.shape != its.shape:
            raise RunError(
                f"{one_line(dataset.name)} is prepared as {list(its.shape)}, the network reads "
                f"{list(mine.shape)}; load it with that size"
            )
        told = mine.difference(its)
        return (told,) if told else ()


def _several(raw: Any) -> bool:
    """Whether these are several inputs; (samples, rate) or (record, number of a move) is one."""
    if isinstance(raw, np.ndarray):
        return raw.ndim == 4
    pair = isinstance(raw, tuple) and len(raw) == 2 and isinstance(raw[1], int | np.integer)
    return isinstance(raw, list | tuple) and not pair


def _chosen(dataset: Dataset, part: str) -> tuple[Part, tuple[str, ...]]:
    """The part to evaluate, and what to say about the choice."""
    if part == "all":
        return dataset.together(), ()
    if part not in dataset.parts:
        raise UsageError(f"no part '{one_line(part)}'{did_you_mean(part, [*dataset.parts, 'all'])}")
    chosen, whole = dataset.parts[part], sum(len(p) for p in dataset.parts.values())
    if len(chosen) == 0:
        raise DataError(f"{one_line(dataset.name)} has no {part} part; evaluate part='all' of it")
    return chosen, (f"{len(chosen):,} of {whole:,} examples are counted: the {part} part",)


def load(path: str | Path, threads: int | None = None, exact: bool = False) -> Run:
    """A trained network from a run directory or a model.safetensors; ``exact`` as in ``Run``."""
    return Run(path, threads, exact=exact)
