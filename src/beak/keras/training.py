"""fit, evaluate, predict: batches through a model, epoch by epoch, callbacks told."""

from __future__ import annotations

from typing import Any

import numpy as np

from beak.errors import UsageError
from beak.keras import arguments
from beak.keras.arguments import ClassWeights
from beak.keras.callbacks import CallbackList, History
from beak.keras.compiled import Logs
from beak.keras.feeds import Feed, feed
from beak.keras.progress import Progress
from beak.keras.stepping import Stepper
from beak.keras.tensors import Array


class Trainer(Stepper):
    """The part of a model that trains it."""

    stop_training = False

    # fit.

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: Any = "auto",
        callbacks: Any = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        class_weight: Any = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: Any = 1,
        **old: Any,
    ) -> History:
        """Train for epochs ``initial_epoch`` to ``epochs``; a History of what each came to.

        ``x``: an array, or a generator, PyDataset or dataset that gives (x, y) or (x, y, weights).
        ``validation_split``: the last part of the arrays, before any shuffling.
        """
        epochs = arguments.epochs_of(old, epochs)
        weights = arguments.class_weights(class_weight)
        if weights is not None and sample_weight is not None:
            raise UsageError("class_weight and sample_weight at once; one of them was wanted")
        if validation_split and validation_data is None:
            x, y, sample_weight, validation_data = arguments.split(
                x, y, sample_weight, validation_split
            )
        batches = feed(x, y, sample_weight, batch_size, steps_per_epoch, shuffle)
        checks = None
        if validation_data is not None:
            arguments.due(0, validation_freq)
            checks = arguments.validation(
                validation_data, validation_batch_size or batch_size, validation_steps
            )
        self._ready(batches)
        batches.begin()
        steps, level = batches.steps, arguments.level_of(verbose)
        history = History()
        params = {"verbose": level, "epochs": epochs, "steps": steps}
        told = CallbackList([*arguments.listed(callbacks), history], self, params)
        self._training.history = history
        self.stop_training = False
        told.tell("on_train_begin", {})
        logs: Logs = {}
        for epoch in range(initial_epoch, epochs):
            if level:
                print(f"Epoch {epoch + 1}/{epochs}")
            told.tell("on_epoch_begin", epoch, {})
            bar = Progress(level, batches.steps)
            logs = self._epoch(batches, weights, told, bar)
            if checks is not None and arguments.due(epoch, validation_freq):
                logs |= self._validated(checks, told)
            bar.finish(logs)
            told.tell("on_epoch_end", epoch, logs)
            if self.stop_training:
                break
        told.tell("on_train_end", logs)
        return history

    def _epoch(
        self, batches: Feed, weights: ClassWeights | None, told: CallbackList, bar: Progress
    ) -> Logs:
        compiled = self._compiled()
        compiled.reset()
        wanted = bool(told._heard["on_train_batch_end"]) or (bar.bar and bar.verbose == 1)
        logs: Logs = {}
        seen = 0
        for number, batch in enumerate(batches.batches()):
            told.tell("on_train_batch_begin", number, {})
            self._step(batch, weights)
            seen = number + 1
            if wanted:
                logs = compiled.logs()
                told.tell("on_train_batch_end", number, logs)
                bar.update(seen, logs)
            if self.stop_training:
                break
        bar.done = seen
        bar.steps = bar.steps or seen
        self._training.epoch += 1
        return compiled.logs() if seen else {}

    def _validated(self, checks: Feed, told: CallbackList) -> Logs:
        compiled = self._compiled()
        before = (compiled.total, compiled.count)
        found = self._tested(checks, told)
        compiled.total, compiled.count = before
        return {f"val_{name}": value for name, value in found.items()}

    # evaluate and predict.

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: Any = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Any = None,
        return_dict: bool = False,
        **old: Any,
    ) -> Any:
        """The loss and the metrics on examples: a list, or a dict by name."""
        if old:
            raise UsageError(f"evaluate: unknown field {next(iter(old))!r}")
        batches = feed(x, y, sample_weight, batch_size, steps)
        self._ready(batches)
        level = arguments.level_of(verbose)
        told = CallbackList(callbacks, self, {"steps": batches.steps, "verbose": level})
        bar = Progress(level, batches.steps)
        logs = self._tested(batches, told, bar)
        bar.finish(logs)
        return logs if return_dict else self._compiled().in_order(logs)

    def _tested(self, batches: Feed, told: CallbackList, bar: Progress | None = None) -> Logs:
        compiled, runtime = self._compiled(), self._running()
        compiled.reset()
        batches.begin()
        told.tell("on_test_begin", {})
        penalty = runtime._penalty_now()
        for number, batch in enumerate(batches.batches()):
            told.tell("on_test_batch_begin", number, {})
            self._test(batch, compiled, runtime, penalty)
            if told._heard["on_test_batch_end"]:
                told.tell("on_test_batch_end", number, compiled.logs())
            if bar is not None:
                bar.update(number + 1, compiled.logs() if bar.bar else {})
                bar.done = number + 1
        logs = compiled.logs()
        told.tell("on_test_end", logs)
        return logs

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: Any = "auto",
        steps: int | None = None,
        callbacks: Any = None,
    ) -> Array:
        """The model's answers, one row an example."""
        batches = feed(x, None, None, batch_size, steps)
        self._shape_from(batches)
        batches.begin()
        level = arguments.level_of(verbose)
        told = CallbackList(callbacks, self, {"steps": batches.steps, "verbose": level})
        bar = Progress(level, batches.steps)
        runtime, found = self._running(), []
        told.tell("on_predict_begin", {})
        for number, batch in enumerate(batches.batches()):
            told.tell("on_predict_batch_begin", number, {})
            found.append(runtime.answers(batch.inputs)[1])
            told.tell("on_predict_batch_end", number, {"outputs": found[-1]})
            bar.update(number + 1, {})
            bar.done = number + 1
        told.tell("on_predict_end", {})
        bar.finish({})
        return np.ascontiguousarray(np.concatenate(found))
