"""One step of a model, or one batch judged: the part of a model that works with its engine."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from beak.errors import UsageError
from beak.keras import config, losses, optimizers
from beak.keras.arguments import ClassWeights, by_class, class_weights
from beak.keras.compiled import Compiled, alone, flat
from beak.keras.feeds import ArrayFeed, Batch, Feed, array_of
from beak.keras.losses import finish
from beak.keras.tensors import Array

if TYPE_CHECKING:
    from beak.keras.model import Model
    from beak.keras.runtime import Moments, Runtime


@dataclass
class Training:
    """What stays with a model between calls."""

    compiled: Compiled | None = None
    runtime: Runtime | None = None
    trainable: tuple[bool, ...] = ()
    moments: Moments | None = None
    """Those of a file, for the learner that comes."""
    examples: int = 0
    epoch: int = 0
    history: Any = field(default=None)


class Stepper:
    """What a model is compiled with, and its single steps."""

    _training: Training

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
        if loss_weights is not None and alone(loss_weights) not in (1, 1.0):
            raise config.refuse("loss_weights", "a loss for one output, its labels scaled")
        state = self._training
        said = {
            "optimizer": optimizer, "loss": loss, "metrics": metrics,
            "weighted_metrics": weighted_metrics,
        }  # fmt: skip
        loss = alone(loss)
        state.compiled = Compiled(
            optimizers.get(optimizer),
            None if loss is None else losses.get(loss),
            flat(metrics),
            flat(weighted_metrics),
            said,
        )
        state.moments = None
        if state.runtime is not None:
            state.runtime.learner = None

    @property
    def optimizer(self) -> Any:
        """The optimiser of ``compile``; None before it."""
        compiled = self._training.compiled
        return None if compiled is None else compiled.optimizer

    @property
    def loss(self) -> Any:
        """The loss of ``compile``, as given; None before it."""
        compiled = self._training.compiled
        return None if compiled is None else compiled.said["loss"]

    @property
    def metrics(self) -> list[Any]:
        """The metrics that have been counted."""
        compiled = self._training.compiled
        counted = [] if compiled is None else compiled.counted or []
        return [metric for metric, _ in counted]

    @property
    def metrics_names(self) -> list[str]:
        """The loss, then the metrics that have been counted."""
        return ["loss", *(metric.name for metric in self.metrics)]

    @property
    def history(self) -> Any:
        """The last ``fit``'s History."""
        return self._training.history

    # Steps.

    def _step(self, batch: Batch, class_weight: ClassWeights | None) -> None:
        state = self._training
        compiled, runtime = self._compiled(), self._running()
        loss = compiled.loss
        if loss is None:
            raise UsageError("no loss to train by; model.compile(loss=…)")
        if batch.labels is None:
            raise UsageError("no labels came; fit(x, y) was wanted")
        labels = batch.labels
        weights = batch.weights
        if class_weight is not None:
            weights = by_class(labels, class_weight)

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

    def _test(self, batch: Batch, compiled: Compiled, runtime: Runtime, penalty: float) -> None:
        if batch.labels is None:
            raise UsageError("no labels came; evaluate(x, y) was wanted")
        logits, answers = runtime.answers(batch.inputs)
        if compiled.loss is None:
            values = np.zeros(len(answers), np.float32)
        else:
            values = compiled.loss.judge(batch.labels, logits, runtime.end).values
        compiled.take(batch, batch.weights, values, answers, penalty)

    # One batch.

    def train_on_batch(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        class_weight: Any = None,
        return_dict: bool = False,
    ) -> Any:
        """One step on one batch; the loss and metrics that it saw before."""
        batch = self._one(x, y, sample_weight)
        compiled = self._compiled()
        compiled.reset()
        self._step(batch, class_weights(class_weight))
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
        state = self._training
        numbers = np.arange(state.examples, state.examples + len(made.inputs))
        state.examples += len(made.inputs)
        return Batch(made.inputs, made.labels, made.weights, numbers)

    # Getting ready.

    def _compiled(self) -> Compiled:
        compiled = self._training.compiled
        if compiled is None:
            raise UsageError("the model is not compiled; model.compile(optimizer, loss) first")
        return compiled

    def _ready(self, batches: Feed) -> None:
        """Built, compiled, and the engine up to date with the variables."""
        compiled = self._compiled()
        self._shape_from(batches)
        state, runtime = self._training, self._running()
        runtime.bring_in()
        trainable = tuple(layer.trainable for layer in runtime.layers.values())
        if runtime.learner is None or trainable != state.trainable:
            kept = None if runtime.learner is None else runtime.learner.state()
            learner = runtime.start(compiled.optimizer)
            state.trainable = trainable
            if kept is not None:
                learner.set_state(kept)
            elif state.moments is not None:
                runtime.remember(state.moments, compiled.optimizer.iterations)
            state.moments = None

    def _running(self) -> Runtime:
        state = self._training
        if state.runtime is None:
            from beak.keras.runtime import Runtime  # the engine: not before it is used

            state.runtime = Runtime(self)  # type: ignore[arg-type]
        return state.runtime

    def _first_batch(self, batches: Feed) -> Batch:
        first = batches.first()
        if first is None:
            raise UsageError("the generator gave no batch; is it used up already?")
        return first

    def _shape_from(self, batches: Feed) -> None:
        """Build a model that has no shape yet from the first batch's."""
        model: Model = self  # type: ignore[assignment]
        if model.built:
            return
        shape = getattr(getattr(batches, "source", None), "element_shape", None)
        model.build(
            (None, *(self._first_batch(batches).inputs.shape[1:] if shape is None else shape))
        )
