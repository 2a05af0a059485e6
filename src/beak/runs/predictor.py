"""From one raw input to an answer, prepared exactly as in training."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from beak.data.kinds import kind_of
from beak.engine.interface import Engine
from beak.engine.make import make_engine
from beak.engine.native import NativeEngine
from beak.errors import BeakError, DataError, RunError
from beak.runs.evaluate import log_softmax
from beak.runs.files import Array
from beak.runs.model import Model
from beak.runs.safe import one_line


@dataclass(frozen=True)
class Prediction:
    """The answer for one input."""

    input: str
    label: str
    probabilities: dict[str, float]
    """By label, the best first (a tie: the first class first)."""
    notes: tuple[str, ...] = ()
    """What was done to the input that a user may not expect, a line each."""

    @property
    def sure(self) -> float:
        """The label's own probability."""
        return self.probabilities[self.label]

    def to_json(self, top: int | None = None) -> dict[str, Any]:
        """As ``beak predict --json`` prints it; ``top``: only so many of the probabilities."""
        kept = dict(list(self.probabilities.items())[:top])
        found: dict[str, Any] = {"input": self.input, "label": self.label, "probabilities": kept}
        return {**found, "notes": list(self.notes)} if self.notes else found


class Predictor:
    """Answers for raw inputs of the network's kind, such as paths, bytes, arrays or PIL images."""

    engine: Engine

    def __init__(
        self,
        model: Model,
        threads: int | None = None,
        engine: str = "auto",
        exact: bool = False,
        device: str = "cpu",
    ) -> None:
        """``engine``: its kind; it and the rest as for ``make_engine``. RunError: memory short."""
        self.model = model
        try:
            self.engine = make_engine(
                model.network,
                model.parameters,
                threads=threads,
                kind=engine,
                device=device,
                exact=exact,
            )
        except MemoryError:
            raise RunError(f"{model.name} does not fit into memory; use a bigger machine") from None

    @property
    def at_once(self) -> int:
        """How many rows the engine likes to have at a time."""
        return int(getattr(self.engine, "at_once", 64))

    def make_ready(self, sizes: Iterable[int]) -> None:
        """Prepare for batches of these sizes, and answer once: the first one waits no longer."""
        kind = np.int32 if self.model.spec.kind == "texts" else np.float32
        self.engine.logits(np.zeros((1, *self.model.network.input), kind))
        if isinstance(self.engine, NativeEngine):
            for size in sizes:
                self.engine.plan("forward", size)

    def predict(self, raw: Any) -> Prediction:
        """The answer for one input. Raises DataError when the input cannot be read as one."""
        ((_, answer),) = self.predict_many([raw])
        if isinstance(answer, BeakError):
            raise answer
        return answer

    def predict_many(
        self, inputs: Iterable[Any], batch: int = 64
    ) -> Iterator[tuple[Any, Prediction | BeakError]]:
        """Each input with its answer, in order; with its error where it has none."""
        waiting: list[tuple[Any, Any]] = []
        for raw in inputs:
            waiting.append((raw, self.load(raw)))
            if len(waiting) == batch:
                yield from self._answer(waiting)
                waiting = []
        yield from self._answer(waiting)

    def load(self, raw: Any) -> tuple[Array, tuple[str, ...]] | BeakError:
        """The stored row and notes, or what is wrong with this input."""
        try:
            spec = self.model.spec
            kind = kind_of(spec.kind)
            return kind.load_raw(raw, spec, kind.one)
        except BeakError as error:
            return error
        except OSError as error:
            said = one_line(error.strerror or error)
            return DataError(f"{name_of(raw)} could not be read: {said}")

    def _answer(
        self, waiting: list[tuple[Any, Any]]
    ) -> Iterator[tuple[Any, Prediction | BeakError]]:
        """Answers for loaded inputs, in order, with errors in their places."""
        loaded = [found[0] for _, found in waiting if not isinstance(found, BeakError)]
        if loaded:
            rows = iter(self.shares(np.stack(loaded)))
        for raw, found in waiting:
            if isinstance(found, BeakError):
                yield raw, found
            else:
                yield raw, self.named(name_of(raw), next(rows), found[1])

    def shares(self, stored: Array) -> Array:
        """Stored rows (N, …) -> what each label has of each, float32 (N, labels)."""
        return np.exp(log_softmax(self.engine.logits(self.model.spec.prepare(stored))))

    def named(self, name: str, shares: Array, notes: tuple[str, ...]) -> Prediction | BeakError:
        """One row of ``shares`` as the answer for the input of that name."""
        if not np.isfinite(shares).all():
            return RunError(
                f"{self.model.name} answers NaN for {name}: its weights have diverged or "
                "are damaged; train again with a smaller learning rate"
            )
        order = np.argsort(-shares, kind="stable")
        probabilities = {self.model.labels[k]: float(shares[k]) for k in order}
        return Prediction(name, self.model.labels[order[0]], probabilities, notes)


def name_of(raw: Any) -> str:
    """What to call an input: its path, or what it is.

    >>> name_of("cat.jpg"), name_of(np.zeros((2, 3))), name_of(b"...")
    ('cat.jpg', 'array (2, 3)', '3 bytes')
    >>> name_of(("game.sgf", 57))
    'game.sgf move 57'
    """
    if isinstance(raw, tuple) and len(raw) == 2:
        return f"{name_of(raw[0])} move {raw[1]}"
    if isinstance(raw, str | Path):
        return str(raw)
    if isinstance(raw, bytes | bytearray | memoryview):
        return f"{len(raw)} bytes"
    if isinstance(raw, np.ndarray):
        return f"array {raw.shape}"
    return type(raw).__name__
