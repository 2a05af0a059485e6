"""The training loop: a generator of records; whoever listens prints, writes or draws.

The same data, recipe and seed give the same bytes, however often the training was stopped and
went on: the order of the examples, augmentation and dropout are functions of (seed, epoch,
example), and a checkpoint holds the weights, the optimiser's moments and the epoch's sums.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from shlex import quote
from typing import Any, cast

import numpy as np

from beak.data.batches import Batch, batches
from beak.data.dataset import Dataset, Part
from beak.data.streams import shuffled
from beak.engine.group import Group, own_share
from beak.engine.interface import Engine, Randomness
from beak.errors import BeakError, DataError
from beak.runs.directory import RunDirectory
from beak.runs.evaluate import evaluate
from beak.train.portions import class_weights, leftover
from beak.train.progress import DivergedError, Progress, restore_progress, save_progress
from beak.train.recipe import Recipe
from beak.train.records import EpochRecord, StepRecord
from beak.train.schedule import learning_rate
from beak.train.together import for_all

Array = np.ndarray[Any, Any]

CHECKPOINT_SECONDS = 20.0
"""At most this long between checkpoints (and a step): well below the 30 seconds promised.
``BEAK_CHECKPOINT_SECONDS`` sets another; no result depends on it."""


class StoppedError(BeakError):
    """The user stopped the training; it can go on."""


@dataclass(frozen=True)
class Trained:
    """What a training ends with."""

    parameters: dict[str, Array]
    """The weights to ship: the best epoch's with early stopping, else the last; averaged if so."""
    epoch: int
    """Which epoch's they are."""
    stopped_early: bool = False


@dataclass
class Fit:
    """One network being trained; iterate over it, then read ``trained``."""

    engine: Engine
    dataset: Dataset
    recipe: Recipe
    directory: RunDirectory | None = None
    """Where checkpoints and history go; None: nowhere."""
    judge: Engine | None = None
    """A second engine with the same network, which validates; None: no validation."""
    threads: int = 1
    """For preparing batches; changes no result."""
    stopping: Callable[[], bool] = lambda: False
    """Asked after each step: True writes a checkpoint and raises StoppedError."""
    kept: Callable[[int, dict[str, Array]], None] = lambda epoch, weights: None
    """Given the weights before the first epoch, as 0, and after each."""
    run: RunDirectory | None = None
    """What the user would resume, where it is not ``directory`` itself."""
    clock: Callable[[], float] = time.monotonic
    group: Group | None = None
    """Processes that share every batch, each with an engine of the group; the first has the
    directory."""

    def __post_init__(self) -> None:
        part, batch = self.dataset.parts["train"], self.recipe.batch
        if len(part.labels) == 0:
            raise DataError("the training part holds no examples")
        self.checkpoint_seconds = float(
            os.environ.get("BEAK_CHECKPOINT_SECONDS") or CHECKPOINT_SECONDS
        )
        self.trained: Trained | None = None
        self.notes: list[str] = []
        self._progress = Progress()
        if self.group is not None:
            self.group.asked = self.stopping
        wanted = self.recipe.drawn(len(part.labels))
        left = leftover(wanted, batch, self.engine.network)
        self._examples = wanted - left
        self.steps = math.ceil(self._examples / batch)
        if left:
            self.notes.append(
                f"one example, another each epoch, is left out: {wanted} examples in "
                f"batches of {batch} would end in a batch of one, which BatchNorm cannot use"
            )

    def restore(self) -> None:
        """Go on from the directory's checkpoint, if it has one; adds to ``notes``."""
        self._start()
        if self.group is None:
            self._restore()
            return
        engine, group = self.engine, self.group
        self._progress, parameters, state = for_all(
            group, lambda: (self._restore(), engine.parameters(), engine.training_state())
        )
        if group.rank > 0:
            engine.set_parameters(parameters)
            engine.set_training_state(state)

    def _restore(self) -> Progress:
        """The checkpoint's progress; the engine is brought there."""
        if self.directory is None:
            return self._progress
        if not self.directory.checkpoint_path.exists():
            self.directory.cut_history(0)
            return self._progress
        self._progress, notes = restore_progress(
            self.directory, self.engine, self.dataset, self.recipe
        )
        self.notes += notes
        return self._progress

    def _start(self) -> None:
        loss = self.recipe.engine_loss(class_weights(self.dataset, self.recipe))
        self.engine.start_training(self.recipe.engine_optimiser(), loss)
        self._started = True

    def __iter__(self) -> Iterator[StepRecord | EpochRecord]:
        """Train to the end. Raises StoppedError, DivergedError."""
        if not getattr(self, "_started", False):
            self._start()
        now, recipe = self._progress, self.recipe
        if (now.epoch, now.step) == (1, 0):
            self.kept(0, self.engine.parameters())
        while now.epoch <= recipe.epochs and not now.ended:
            yield from self._epoch()
            record = self._close_epoch()
            if self.directory is not None:
                self.directory.append_history(record.to_json())
            now.next_epoch()
            self._save()
            yield record
            if self._stop():
                raise StoppedError(self._stopped_text())
        self.trained = self._end()

    def _epoch(self) -> Iterator[StepRecord]:
        now, recipe = self._progress, self.recipe
        order = shuffled(recipe.seed, now.epoch, len(self.dataset.parts["train"].labels))
        rest = order[: self._examples][now.step * recipe.batch :]
        self._saved = self._begun = self.clock()
        self._before = now.seconds
        if len(rest) == 0:  # stopped between the epoch's last step and its end
            return
        prepared = batches(
            self.dataset.parts["train"], self.dataset.spec, recipe.augmentation, seed=recipe.seed,
            epoch=now.epoch, batch_size=recipe.batch, threads=self.threads, order=rest,
            share=partial(own_share, group=self.group),
        )  # fmt: skip
        with closing(cast("Generator[Batch]", prepared)):  # ends its thread with the loop
            for batch in prepared:
                random = Randomness(recipe.seed, now.epoch, batch.examples)
                result = self.engine.train_step(batch.inputs, batch.labels, self.rate(), random)
                now.step += 1
                now.loss_sum += result.loss * result.examples
                now.correct += result.correct
                now.seen += result.examples
                if not math.isfinite(result.loss):
                    raise self._diverged(f"the loss is {result.loss}")
                yield StepRecord(now.epoch, now.step, self.steps, now.loss_sum / now.seen)
                self._after_step()

    def _after_step(self) -> None:
        now = self._progress
        now.seconds = self._before + self.clock() - self._begun
        if self._stop():
            self._save()
            raise StoppedError(self._stopped_text())
        if self.clock() - self._saved >= self.checkpoint_seconds:
            self._save()

    def _stop(self) -> bool:
        """Whether to stop now: of several processes all, after the same step."""
        return self.group.stopped if self.group is not None else self.stopping()

    def rate(self) -> float:
        """The learning rate of the next step."""
        done = (self._progress.epoch - 1) * self.steps + self._progress.step
        peak, whole = self.recipe.optimiser.learning_rate, self.recipe.epochs * self.steps
        return learning_rate(self.recipe.schedule, peak, min(done, whole - 1), whole)

    def _close_epoch(self) -> EpochRecord:
        now = self._progress
        weights = self.engine.parameters(average=self.recipe.average > 0)
        loss, accuracy = self._validate(weights)
        self.kept(now.epoch, weights)
        patience = self.recipe.early_stopping.patience
        if patience and loss is not None:
            if loss < now.best_loss:
                now.best_loss, now.best_epoch, now.best = loss, now.epoch, weights
            now.ended = now.epoch - now.best_epoch >= patience
        now.step -= 1  # the rate of the last step, not of the one to come
        rate = self.rate()
        now.step += 1
        now.seconds = self._before + self.clock() - self._begun
        return EpochRecord(
            now.epoch, self.recipe.epochs, now.loss_sum / now.seen, now.correct / now.seen,
            loss, accuracy, rate, round(now.seconds, 3),
        )  # fmt: skip

    def _validate(self, weights: dict[str, Array]) -> tuple[float | None, float | None]:
        part: Part | None = self.dataset.parts.get("validation")
        if self.judge is None or part is None or len(part.labels) == 0:
            return None, None
        self.judge.set_parameters(weights)
        found = evaluate(
            self.judge, part, self.dataset.spec, self.dataset.labels, worst=0, group=self.group
        )
        if not math.isfinite(found.loss):
            raise self._diverged(f"the validation loss is {found.loss}")
        return found.loss, found.accuracy

    def _end(self) -> Trained:
        now = self._progress
        if now.best:
            return Trained(now.best, now.best_epoch, stopped_early=now.ended)
        weights = self.engine.parameters(average=self.recipe.average > 0)
        return Trained(weights, now.epoch - 1)

    def _save(self) -> None:
        if self.directory is not None:
            try:
                save_progress(
                    self.directory, self.engine, self.dataset, self.recipe, self._progress
                )
            except DivergedError as error:
                raise self._diverged(str(error)) from None
        self._saved = self.clock()

    def _diverged(self, what: str) -> DivergedError:
        now, rate = self._progress, self.recipe.optimiser.learning_rate
        return DivergedError(
            f"epoch {now.epoch}, step {now.step} of {self.steps}: {what}; the learning rate is too "
            f"high: train again with --set optimiser.learning_rate={rate / 10:g}"
        )

    def _stopped_text(self) -> str:
        epoch = min(self._progress.epoch, self.recipe.epochs)  # it may have just ended
        where = f"stopped in epoch {epoch} of {self.recipe.epochs}"
        run = self.run or self.directory
        return f"{where}; go on with: beak train --resume {quote(str(run))}" if run else where


def fit(
    engine: Engine,
    dataset: Dataset,
    recipe: Recipe,
    *,
    directory: RunDirectory | None = None,
    judge: Engine | None = None,
    resume: bool = False,
    threads: int = 1,
) -> Iterator[StepRecord | EpochRecord]:
    """Train ``engine`` on ``dataset``; its weights are the last ones at the end.

    ``Fit`` is the same with the weights to ship kept apart.
    """
    fitting = Fit(engine, dataset, recipe, directory, judge, threads)
    if resume:
        fitting.restore()
    return iter(fitting)
