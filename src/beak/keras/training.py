"""compile, fit, evaluate, predict: a model's training, its sums done by the engine."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from beak.errors import UsageError
from beak.keras import config, losses, metrics, optimizers
from beak.keras.callbacks import CallbackList, History
from beak.keras.feeds import ArrayFeed, Batch, StreamFeed, array_of, feed, is_stream
from beak.keras.losses import finish
from beak.keras.metrics import Metric
from beak.keras.progress import Progress
from beak.keras.tensors import Array

if TYPE_CHECKING:
    from beak.keras.model import Model
    from beak.keras.runtime import Runtime

Logs = dict[str, float]


@dataclass
class Compiled:
    """What ``compile`` was given, and what is counted over an epoch."""

    optimizer: optimizers.Optimizer
    loss: losses.Loss | None
    metrics: list[Any]
    weighted: list[Any]
    said: dict[str, Any]
    """As given, for files."""
    counted: list[tuple[Metric, bool]] | None = None
    """Metrics once answers were seen, and whether each counts by weight."""
    total: float = 0.0
    count: int = 0

    def reset(self) -> None:
        """An epoch begins."""
        self.total, self.count = 0.0, 0
        for metric, _ in self.counted or ():
            metric.reset_state()

    def take(
        self, batch: Batch, weights: Array | None, values: Array, answers: Array, penalty: float
    ) -> None:
        """Count a batch in: its examples' losses, its answers."""
        size = len(values)
        weighted = values if weights is None else values * weights
        self.total += float(weighted.sum(dtype=np.float64)) + penalty * size
        self.count += size
        assert batch.labels is not None
        if self.counted is None:
            given = [(one, False) for one in self.metrics] + [(one, True) for one in self.weighted]
            self.counted = [(metrics.get(one, batch.labels, answers), by) for one, by in given]
            _name_apart([metric for metric, _ in self.counted])
        for metric, by_weight in self.counted:
            metric.update_state(batch.labels, answers, weights if by_weight else None)

    def logs(self) -> Logs:
        """What an epoch came to so far, by name, in the order of names."""
        found = {metric.name: float(metric.result()) for metric, _ in self.counted or ()}
        found["loss"] = float(np.float32(self.total / max(1, self.count)))
        return dict(sorted(found.items()))

    def in_order(self, logs: Logs) -> Any:
        """The loss, then the metrics as they were given; alone where it is only one."""
        names = ["loss", *(metric.name for metric, _ in self.counted or ())]
        found = [logs[name] for name in names]
        return found[0] if len(found) == 1 else found


@dataclass
class Training:
    """What stays with a model between calls."""

    compiled: Compiled | None = None
    runtime: Runtime | None = None
    trainable: tuple[bool, ...] = ()
    state: dict[str, Array] | None = None
    """Moments read from a file, for the learner that comes."""
    examples: int = 0
    epoch: int = 0
    history: Any = field(default=None)


class Trainer:
    """The part of a model that trains it."""

    stop_training = False

    # compile.

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: Any = "auto",
        auto_scale_loss: bool = True,
    ) -> None:
        """Choose optimiser, loss and metrics; training begins with fresh moments.

        ``run_eagerly``, ``steps_per_execution`` and ``jit_compile`` change nothing here.
        """
        if loss_weights is not None and _alone(loss_weights) not in (1, 1.0):
            raise config.refuse("loss_weights", "a loss for one output, its labels scaled")
        state: Training = self._training  # type: ignore[attr-defined]
        said = {
            "optimizer": optimizer, "loss": loss, "metrics": metrics,
            "weighted_metrics": weighted_metrics,
        }  # fmt: skip
        loss = _alone(loss)
        state.compiled = Compiled(
            optimizers.get(optimizer),
            None if loss is None else losses.get(loss),
            _flat(metrics),
            _flat(weighted_metrics),
            said,
        )
        state.state = None
        if state.runtime is not None:
            state.runtime.learner = None

    @property
    def optimizer(self) -> Any:
        """The optimiser of ``compile``; None before it."""
        compiled = self._training.compiled  # type: ignore[attr-defined]
        return None if compiled is None else compiled.optimizer

    @property
    def loss(self) -> Any:
        """The loss of ``compile``, as given; None before it."""
        compiled = self._training.compiled  # type: ignore[attr-defined]
        return None if compiled is None else compiled.said["loss"]

    @property
    def metrics_names(self) -> list[str]:
        """The loss, then the metrics that have been counted."""
        compiled = self._training.compiled  # type: ignore[attr-defined]
        counted = [] if compiled is None else compiled.counted or []
        return ["loss", *(metric.name for metric, _ in counted)]

    @property
    def history(self) -> Any:
        """The last ``fit``'s History."""
        return self._training.history  # type: ignore[attr-defined]

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
        class_weight: dict[int, float] | None = None,
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
        epochs = _old_words(old, epochs)
        if not 0.0 <= validation_split < 1.0:
            raise UsageError(f"validation_split={validation_split}; from 0 to below 1 was wanted")
        if class_weight is not None and sample_weight is not None:
            raise UsageError("class_weight and sample_weight at once; one of them was wanted")
        if validation_split and validation_data is None:
            x, y, sample_weight, validation_data = _split(x, y, sample_weight, validation_split)
        batches = feed(x, y, sample_weight, batch_size, steps_per_epoch, shuffle)
        checks = None
        if validation_data is not None:
            checks = _validation(
                validation_data, validation_batch_size or batch_size, validation_steps
            )
        self._ready(batches)
        steps, level = batches.steps, 1 if verbose == "auto" else int(verbose)
        history = History()
        params = {"verbose": level, "epochs": epochs, "steps": steps}
        told = CallbackList([*_listed(callbacks), history], self, params)
        self._training.history = history  # type: ignore[attr-defined]
        self.stop_training = False
        told.tell("on_train_begin", {})
        logs: Logs = {}
        for epoch in range(initial_epoch, epochs):
            if level:
                print(f"Epoch {epoch + 1}/{epochs}")
            told.tell("on_epoch_begin", epoch, {})
            bar = Progress(level, steps)
            logs = self._epoch(batches, class_weight, told, bar)
            if checks is not None and _due(epoch, validation_freq):
                logs |= self._validated(checks, told)
            bar.finish(logs)
            told.tell("on_epoch_end", epoch, logs)
            if self.stop_training:
                break
            if isinstance(batches, StreamFeed) and batches.once and batches.given is None:
                break
        told.tell("on_train_end", logs)
        return history

    def _epoch(
        self,
        batches: ArrayFeed | StreamFeed,
        class_weight: dict[int, float] | None,
        told: CallbackList,
        bar: Progress,
    ) -> Logs:
        compiled = self._compiled()
        compiled.reset()
        wanted = bool(told._heard["on_train_batch_end"]) or (bar.bar and bar.verbose == 1)
        logs: Logs = {}
        seen = 0
        for number, batch in enumerate(batches.batches()):
            told.tell("on_train_batch_begin", number, {})
            self._step(batch, class_weight)
            seen = number + 1
            if wanted:
                logs = compiled.logs()
                told.tell("on_train_batch_end", number, logs)
                bar.update(seen, logs)
            if self.stop_training:
                break
        if not seen:
            raise UsageError("the generator gave no batch; is it used up already?")
        bar.done = seen
        bar.steps = bar.steps or seen
        self._training.epoch += 1  # type: ignore[attr-defined]
        return compiled.logs()

    def _step(self, batch: Batch, class_weight: dict[int, float] | None) -> None:
        state: Training = self._training  # type: ignore[attr-defined]
        compiled, runtime = self._compiled(), self._running()
        loss = compiled.loss
        if loss is None:
            raise UsageError("no loss to train by; model.compile(loss=…)")
        if batch.labels is None:
            raise UsageError("no labels came; fit(x, y) was wanted")
        labels = batch.labels
        weights = batch.weights
        if class_weight is not None:
            weights = _by_class(labels, class_weight)

        def judge(logits: Array) -> Array:
            found = loss.judge(labels, logits, runtime.end)
            answers = finish(runtime.end, logits)
            compiled.take(batch, weights, found.values, answers, runtime.penalty())
            gradient = found.gradient / len(labels)
            if weights is not None:
                gradient = gradient * np.asarray(weights, np.float32).reshape(
                    -1, *(1,) * (gradient.ndim - 1)
                )
            return gradient

        optimizer = compiled.optimizer
        rate = float(optimizer.learning_rate)
        runtime.step(batch.inputs, judge, rate, state.epoch, batch.numbers)
        runtime.take_over()
        optimizer.iterations += 1

    def _validated(self, checks: ArrayFeed | StreamFeed, told: CallbackList) -> Logs:
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
        level = 1 if verbose == "auto" else int(verbose)
        told = CallbackList(callbacks, self, {"steps": batches.steps, "verbose": level})
        bar = Progress(level, batches.steps)
        logs = self._tested(batches, told, bar)
        bar.finish(logs)
        return logs if return_dict else self._compiled().in_order(logs)

    def _tested(
        self, batches: ArrayFeed | StreamFeed, told: CallbackList, bar: Progress | None = None
    ) -> Logs:
        compiled, runtime = self._compiled(), self._running()
        compiled.reset()
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

    def _test(self, batch: Batch, compiled: Compiled, runtime: Runtime, penalty: float) -> None:
        if batch.labels is None:
            raise UsageError("no labels came; evaluate(x, y) was wanted")
        logits, answers = runtime.answers(batch.inputs)
        if compiled.loss is None:
            values = np.zeros(len(answers), np.float32)
        else:
            values = compiled.loss.judge(batch.labels, logits, runtime.end).values
        compiled.take(batch, batch.weights, values, answers, penalty)

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
        level = 1 if verbose == "auto" else int(verbose)
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

    # One batch.

    def train_on_batch(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        class_weight: dict[int, float] | None = None,
        return_dict: bool = False,
    ) -> Any:
        """One step on one batch; the loss and metrics that it saw before."""
        batch = self._one(x, y, sample_weight)
        compiled = self._compiled()
        compiled.reset()
        self._step(batch, class_weight)
        logs = compiled.logs()
        return logs if return_dict else compiled.in_order(logs)

    def test_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False
    ) -> Any:
        """The loss and metrics of one batch."""
        batch = self._one(x, y, sample_weight)
        compiled, runtime = self._compiled(), self._running()
        compiled.reset()
        self._test(batch, compiled, runtime, runtime._penalty_now())
        logs = compiled.logs()
        return logs if return_dict else compiled.in_order(logs)

    def predict_on_batch(self, x: Any) -> Array:
        """The answers of one batch."""
        self._shape_from(ArrayFeed(x))
        return np.ascontiguousarray(self._running().answers(array_of(x, "x"))[1])

    def _one(self, x: Any, y: Any, weights: Any) -> Batch:
        made = ArrayFeed(x, y, weights)
        self._ready(made)
        state: Training = self._training  # type: ignore[attr-defined]
        numbers = np.arange(state.examples, state.examples + len(made.inputs))
        state.examples += len(made.inputs)
        return Batch(made.inputs, made.labels, made.weights, numbers)

    # Getting ready.

    def _compiled(self) -> Compiled:
        compiled: Compiled | None = self._training.compiled  # type: ignore[attr-defined]
        if compiled is None:
            raise UsageError("the model is not compiled; model.compile(optimizer, loss) first")
        return compiled

    def _ready(self, batches: ArrayFeed | StreamFeed) -> None:
        """Built, compiled, and the engine up to date with the variables."""
        self._shape_from(batches)
        state: Training = self._training  # type: ignore[attr-defined]
        compiled, runtime = self._compiled(), self._running()
        runtime.bring_in()
        trainable = tuple(layer.trainable for layer in runtime.layers.values())
        if runtime.learner is None or trainable != state.trainable:
            kept = None if runtime.learner is None else runtime.learner.state()
            runtime.start(compiled.optimizer)
            state.trainable = trainable
            wanted = kept if kept is not None else state.state
            if wanted is not None and runtime.learner is not None:
                runtime.learner.set_state(wanted)
                state.state = None

    def _running(self) -> Runtime:
        state: Training = self._training  # type: ignore[attr-defined]
        if state.runtime is None:
            from beak.keras.runtime import Runtime  # the engine: not before it is used

            state.runtime = Runtime(self)  # type: ignore[arg-type]
        return state.runtime

    def _shape_from(self, batches: ArrayFeed | StreamFeed) -> None:
        """Build a model that has no shape yet from the first batch's."""
        model: Model = self  # type: ignore[assignment]
        if model.built:
            return
        if not isinstance(batches, ArrayFeed):
            shape = getattr(batches.source, "element_shape", None)
            if shape is None:
                raise UsageError("the model has no input shape; begin it with keras.Input(shape=…)")
            model.build((None, *shape))
            return
        model.build((None, *batches.inputs.shape[1:]))


def _alone(value: Any) -> Any:
    """One thing out of a list or dict of one."""
    if isinstance(value, dict) and "class_name" not in value:
        value = list(value.values())
    if isinstance(value, list | tuple):
        if len(value) != 1:
            raise config.refuse(f"{len(value)} outputs", "one Model for each output")
        return value[0]
    return value


def _flat(value: Any) -> list[Any]:
    """Metrics as a list, whatever they are nested in."""
    if value is None:
        return []
    if isinstance(value, dict) and "class_name" not in value:
        value = list(value.values())
    if isinstance(value, list | tuple):
        return [one for item in value for one in _flat(item)]
    return [value]


def _listed(callbacks: Any) -> list[Any]:
    if callbacks is None:
        return []
    if isinstance(callbacks, CallbackList):
        return callbacks.callbacks
    return list(callbacks) if isinstance(callbacks, list | tuple) else [callbacks]


def _name_apart(counted: list[metrics.Metric]) -> None:
    taken: set[str] = set()
    for metric in counted:
        base, number = metric.name, 1
        while metric.name in taken:
            metric.name, number = f"{base}_{number}", number + 1
        taken.add(metric.name)


def _old_words(old: dict[str, Any], epochs: int) -> int:
    if "nb_epoch" in old:
        config.note("fit: nb_epoch is called epochs today")
        epochs = old.pop("nb_epoch")
    for gone in ("workers", "use_multiprocessing", "max_queue_size"):
        if gone in old:
            old.pop(gone)
            config.note(f"fit: {gone} is gone in Keras 3, and changes nothing here")
    if old:
        raise UsageError(f"fit: unknown field {next(iter(old))!r}")
    return int(epochs)


def _due(epoch: int, frequency: Any) -> bool:
    if isinstance(frequency, int):
        return (epoch + 1) % frequency == 0
    return epoch + 1 in frequency


def _split(x: Any, y: Any, weights: Any, share: float) -> tuple[Any, Any, Any, Any]:
    """The first part for training, the last for validation, as Keras splits."""
    if is_stream(x):
        raise UsageError("validation_split wants arrays; give validation_data beside a generator")
    inputs, labels = array_of(x, "x"), None if y is None else array_of(y, "y")
    count = len(inputs)
    at = int(np.floor(count * (1.0 - share)))
    if at == 0 or at == count:
        raise UsageError(f"validation_split={share} of {count} examples leaves a part empty")
    given = None if weights is None else array_of(weights, "sample_weight")
    parts = [(a[:at], a[at:]) if a is not None else (None, None) for a in (inputs, labels, given)]
    (x1, x2), (y1, y2), (w1, w2) = parts
    return x1, y1, w1, (x2, y2) if w2 is None else (x2, y2, w2)


def _validation(data: Any, batch_size: int | None, steps: int | None) -> ArrayFeed | StreamFeed:
    if isinstance(data, tuple | list):
        if not 2 <= len(data) <= 3:
            raise UsageError(f"validation_data of {len(data)} parts; (x, y) was wanted")
        return feed(data[0], data[1], data[2] if len(data) > 2 else None, batch_size, steps)
    return feed(data, None, None, batch_size, steps)


def _by_class(labels: Array, class_weight: dict[int, float]) -> Array:
    """Each example's weight from its class's; 1 for a class that is not there."""
    if labels.ndim > 1 and labels.shape[-1] > 1:
        labels = labels.argmax(axis=-1)
    labels = labels.reshape(-1).astype(np.int64)
    table = np.ones(max([int(labels.max()), *map(int, class_weight)]) + 1, np.float32)
    for label, weight in class_weight.items():
        if int(label) < 0:
            raise UsageError(f"class_weight: {label} is no class number")
        table[int(label)] = weight
    return np.asarray(table[labels])
