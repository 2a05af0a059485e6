"""Metrics: what is counted over an epoch besides the loss."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from beak.errors import ShapeError, UsageError, did_you_mean
from beak.exchange.keras_names import snake
from beak.keras import config
from beak.keras import losses as losses_
from beak.keras.named import Named

Array = np.ndarray[Any, Any]


class Metric(Named):
    """A mean of one number an example, weighted where weights come."""

    module = "metrics"
    direction: str | None = None
    """"up" where more is better, "down" where less is."""

    def __init__(self, name: str | None = None, dtype: Any = None, **more: Any) -> None:
        self.name = name or config.unique_name(snake(type(self).__name__))
        self._total = self._count = 0.0

    def each(self, labels: Array, answers: Array) -> Array:
        """A number for each example (or for each place of each)."""
        raise config.lacks(
            self,
            "each(labels, answers), a number for each example, or update_state and result",
        )

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take a batch in."""
        values = np.asarray(self.each(np.asarray(y_true), np.asarray(y_pred)), np.float64)
        if sample_weight is None:
            self._total += float(values.sum())
            self._count += values.size
            return
        weights = _spread(sample_weight, values.shape)
        self._total += float((values * weights).sum())
        self._count += float(weights.sum())

    def result(self) -> np.float32:
        """The mean so far; 0 of nothing."""
        return np.float32(self._total / self._count if self._count else 0.0)

    def reset_state(self) -> None:
        """Begin anew."""
        self._total = self._count = 0.0

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> np.float32:
        """The mean with a batch taken in."""
        self.update_state(y_true, y_pred, sample_weight)
        return self.result()

    def get_config(self) -> dict[str, Any]:
        """Its settings as plain values."""
        return {k: v for k, v in vars(self).items() if not k.startswith("_")}


def _spread(sample_weight: Any, shape: tuple[int, ...]) -> Array:
    """Weights of examples as weights of all their numbers; ShapeError where they do not fit."""
    weights = np.asarray(sample_weight, np.float64)
    if weights.shape not in ((), shape):
        if not shape or weights.size != shape[0]:
            raise ShapeError(f"sample weights {weights.shape} for {shape}; one an example wanted")
        weights = weights.reshape(-1, *(1,) * (len(shape) - 1))
    return np.broadcast_to(weights, shape)


class Mean(Metric):
    """The mean of the numbers themselves."""

    def __init__(self, name: str = "mean", dtype: Any = None) -> None:
        super().__init__(name)

    def update_state(self, values: Any, sample_weight: Any = None, *more: Any) -> None:  # type: ignore[override]
        """Take numbers in."""
        array = np.asarray(values, np.float64)
        weights = np.broadcast_to(
            1.0 if sample_weight is None else np.asarray(sample_weight), array.shape
        )
        self._total += float((array * weights).sum())
        self._count += float(weights.sum())


def _beside(labels: Array, answers: Array) -> Array:
    """Labels in the shape of the answers, a last axis of 1 added or taken off; ShapeError."""
    came = labels.shape
    if labels.ndim == answers.ndim - 1:
        labels = labels[..., None]
    elif labels.ndim == answers.ndim + 1 and labels.shape[-1] == 1:
        labels = labels[..., 0]
    if labels.shape != answers.shape:
        raise ShapeError(
            f"labels of {came} for answers of {answers.shape}; one shape was wanted: "
            "to_categorical(y) of class numbers"
        )
    return labels


class Accuracy(Metric):
    """How many answers equal their labels."""

    direction = "up"

    def __init__(self, name: str = "accuracy", dtype: Any = None) -> None:
        super().__init__(name)

    def each(self, labels: Array, answers: Array) -> Array:
        """1 where equal."""
        return np.asarray(_beside(labels, answers) == answers)


class BinaryAccuracy(Metric):
    """How many answers lie on their label's side of the threshold."""

    direction = "up"

    def __init__(
        self, name: str = "binary_accuracy", dtype: Any = None, threshold: float = 0.5
    ) -> None:
        super().__init__(name)
        self.threshold = threshold

    def each(self, labels: Array, answers: Array) -> Array:
        """1 for each answer that is right."""
        return np.asarray((answers > self.threshold) == (_beside(labels, answers) == 1))


class CategoricalAccuracy(Metric):
    """How often the strongest answer is the label's, labels one-hot."""

    direction = "up"

    def __init__(self, name: str = "categorical_accuracy", dtype: Any = None) -> None:
        super().__init__(name)

    def each(self, labels: Array, answers: Array) -> Array:
        """1 where right."""
        return np.asarray(labels.argmax(axis=-1) == answers.argmax(axis=-1))


class SparseCategoricalAccuracy(Metric):
    """How often the strongest answer is the label's, labels class numbers."""

    direction = "up"

    def __init__(self, name: str = "sparse_categorical_accuracy", dtype: Any = None) -> None:
        super().__init__(name)

    def each(self, labels: Array, answers: Array) -> Array:
        """1 where right."""
        if labels.ndim == answers.ndim and labels.shape[-1] == 1:
            labels = labels[..., 0]
        return np.asarray(labels == answers.argmax(axis=-1))


class TopKCategoricalAccuracy(Metric):
    """How often the label's is among the k strongest answers, labels one-hot."""

    direction = "up"

    def __init__(
        self, k: int = 5, name: str = "top_k_categorical_accuracy", dtype: Any = None
    ) -> None:
        super().__init__(name)
        self.k = int(k)

    def each(self, labels: Array, answers: Array) -> Array:
        """1 where it is."""
        return _among(labels.argmax(axis=-1), answers, self.k)


class SparseTopKCategoricalAccuracy(Metric):
    """How often the label's is among the k strongest answers, labels class numbers."""

    direction = "up"

    def __init__(
        self, k: int = 5, name: str = "sparse_top_k_categorical_accuracy", dtype: Any = None
    ) -> None:
        super().__init__(name)
        self.k = int(k)

    def each(self, labels: Array, answers: Array) -> Array:
        """1 where it is."""
        if labels.ndim == answers.ndim and labels.shape[-1] == 1:
            labels = labels[..., 0]
        return _among(labels.astype(np.int64), answers, self.k)


def _among(labels: Array, answers: Array, k: int) -> Array:
    own = np.take_along_axis(answers, labels[..., None], axis=-1)
    finite = np.isfinite(own[..., 0])
    return np.asarray(((answers > own).sum(axis=-1) < k) & finite)


class _OfLoss(Metric):
    """A loss counted as a metric."""

    direction = "down"
    loss: type[losses_.Loss] = losses_.MeanSquaredError

    def __init__(self, name: str | None = None, dtype: Any = None, **options: Any) -> None:
        made = self.loss(**options)
        super().__init__(name or made.name)
        self._loss = made

    def each(self, labels: Array, answers: Array) -> Array:
        """Each example's loss."""
        answers = np.atleast_1d(np.asarray(answers, np.float32))
        return self._loss.judge(np.atleast_1d(labels), answers, None).values

    def get_config(self) -> dict[str, Any]:
        """Its settings as plain values, the loss's among them."""
        loss = self._loss.get_config()
        return {**{k: v for k, v in loss.items() if k != "reduction"}, **super().get_config()}

    @classmethod
    def from_config(cls, settings: dict[str, Any]) -> Any:
        """One made of ``get_config``'s values."""
        return cls(**{k: v for k, v in settings.items() if k != "dtype"})


class MeanSquaredError(_OfLoss):
    """The mean of squared differences."""


class MeanAbsoluteError(_OfLoss):
    """The mean of differences' sizes."""

    loss = losses_.MeanAbsoluteError


class BinaryCrossentropy(_OfLoss):
    """The loss of this name."""

    loss = losses_.BinaryCrossentropy


class CategoricalCrossentropy(_OfLoss):
    """The loss of this name."""

    loss = losses_.CategoricalCrossentropy


class SparseCategoricalCrossentropy(_OfLoss):
    """The loss of this name."""

    loss = losses_.SparseCategoricalCrossentropy


class _Counted(Metric):
    """Right and wrong answers above a threshold, over all places or those of one class.

    ``top_k``: of each row the k strongest answers alone count as said.
    """

    direction = "up"

    def __init__(
        self,
        thresholds: Any = None,
        top_k: int | None = None,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(name)
        if isinstance(thresholds, list | tuple) and len(thresholds) == 1:
            thresholds = thresholds[0]
        if not isinstance(thresholds, int | float | None):
            raise config.refuse("several thresholds", "one metric for each")
        if thresholds is not None and not 0 <= thresholds <= 1:
            raise UsageError(f"thresholds={thresholds}; from 0 to 1 was wanted")
        self.thresholds, self.top_k, self.class_id = thresholds, top_k, class_id

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take a batch in."""
        answers = np.asarray(y_pred)
        labels = _beside(np.asarray(y_true), answers).astype(bool)
        if self.top_k is not None:
            kth = -np.partition(-answers, self.top_k - 1, axis=-1)[..., self.top_k - 1, None]
            answers = np.where(answers >= kth, answers, -np.inf)
        if self.class_id is not None:
            labels, answers = labels[..., self.class_id], answers[..., self.class_id]
        default = 0.5 if self.top_k is None else -np.inf
        said = answers > (default if self.thresholds is None else self.thresholds)
        weights = _spread(1.0 if sample_weight is None else sample_weight, answers.shape)
        self._total += float((weights * (said & labels)).sum())
        self._count += float((weights * (said if isinstance(self, Precision) else labels)).sum())


class Precision(_Counted):
    """Of what was said to be so, how much is."""


class Recall(_Counted):
    """Of what is so, how much was said to be."""


TABLE: dict[str, type[Metric]] = {
    kind.__name__: kind
    for kind in (
        Accuracy, BinaryAccuracy, CategoricalAccuracy, SparseCategoricalAccuracy,
        TopKCategoricalAccuracy, SparseTopKCategoricalAccuracy, MeanSquaredError,
        MeanAbsoluteError, BinaryCrossentropy, CategoricalCrossentropy,
        SparseCategoricalCrossentropy, Precision, Recall, Mean,
    )
}  # fmt: skip
WORDS = {
    "binary_accuracy": BinaryAccuracy,
    "categorical_accuracy": CategoricalAccuracy,
    "sparse_categorical_accuracy": SparseCategoricalAccuracy,
    "top_k_categorical_accuracy": TopKCategoricalAccuracy,
    "sparse_top_k_categorical_accuracy": SparseTopKCategoricalAccuracy,
    "mse": MeanSquaredError,
    "mean_squared_error": MeanSquaredError,
    "mae": MeanAbsoluteError,
    "mean_absolute_error": MeanAbsoluteError,
    "binary_crossentropy": BinaryCrossentropy,
    "categorical_crossentropy": CategoricalCrossentropy,
    "sparse_categorical_crossentropy": SparseCategoricalCrossentropy,
    "precision": Precision,
    "recall": Recall,
}
BY_SHAPE = ("accuracy", "acc", "crossentropy", "ce")
NEAREST = {
    "AUC": "beak evaluate, which shows what confuses what",
    "F1Score": "Precision and Recall",
    "FBetaScore": "Precision and Recall",
    "MeanIoU": "CategoricalAccuracy",
    "ConfusionMatrix": "beak evaluate",
    "RootMeanSquaredError": "MeanSquaredError",
}


def get(value: Any, labels: Array, answers: Array) -> Metric:
    """A metric from a name, an object or a config; "accuracy" is the one that fits the answers."""
    if isinstance(value, Metric):
        if type(value).each is Metric.each and type(value).update_state is Metric.update_state:
            raise UsageError(f"{type(value).__name__} defines neither each nor update_state")
        return value
    if isinstance(value, type) and issubclass(value, Metric):
        return value()
    if isinstance(value, dict):
        settings, name = value.get("config", {}), value.get("class_name")
        if name in TABLE:
            made: Metric = TABLE[name].from_config(settings if isinstance(settings, dict) else {})
            return made
        value = settings if isinstance(settings, str) else name
    if isinstance(value, str) and value in BY_SHAPE:
        kind = _by_shape(value, labels, answers)
        return kind(name=value)
    if isinstance(value, str) and (value in WORDS or value in TABLE):
        made = WORDS[value]() if value in WORDS else TABLE[value]()
        made.name = value
        return made
    if getattr(value, "__module__", "") == __name__ and value.__name__ in WORDS:
        return get(value.__name__, labels, answers)
    if callable(value):
        return _OfFunction(value)
    near = f"; nearest: {NEAREST[value]}" if value in NEAREST else ""
    known = [*BY_SHAPE, *WORDS]
    raise UsageError(
        f"the metric {value!r} is not in beak{near or did_you_mean(str(value), known)}"
    )


def _by_shape(word: str, labels: Array, answers: Array) -> type[Metric]:
    sparse = labels.ndim < answers.ndim or labels.shape[-1] == 1
    accuracy = word in ("accuracy", "acc")
    if answers.shape[-1] == 1:
        return BinaryAccuracy if accuracy else BinaryCrossentropy
    if sparse:
        return SparseCategoricalAccuracy if accuracy else SparseCategoricalCrossentropy
    return CategoricalAccuracy if accuracy else CategoricalCrossentropy


class _OfFunction(Metric):
    """A function of labels and answers that gives a number, or one an example."""

    def __init__(self, function: Any) -> None:
        super().__init__(getattr(function, "__name__", "metric"))
        self._function = function

    def each(self, labels: Array, answers: Array) -> Array:
        """What the function says; one number stands for every example."""
        found = np.asarray(self._function(labels, answers))
        return np.full(len(answers), float(found)) if found.ndim == 0 else found


def _function(kind: type[Metric], name: str) -> Callable[..., Array]:
    def counted(y_true: Any, y_pred: Any, **options: Any) -> Array:
        found = kind(**options).each(np.asarray(y_true), np.asarray(y_pred))
        return np.asarray(found, np.float32)

    counted.__name__ = name
    counted.__doc__ = f"{kind.__name__} of each example."
    return counted


def binary_accuracy(y_true: Any, y_pred: Any, threshold: float = 0.5) -> Array:
    """The share of each example's answers on their label's side of the threshold."""
    answers = np.asarray(y_pred)
    right = BinaryAccuracy(threshold=threshold).each(np.asarray(y_true), answers)
    return np.asarray(right.mean(axis=-1), np.float32)


categorical_accuracy = _function(CategoricalAccuracy, "categorical_accuracy")
sparse_categorical_accuracy = _function(SparseCategoricalAccuracy, "sparse_categorical_accuracy")
top_k_categorical_accuracy = _function(TopKCategoricalAccuracy, "top_k_categorical_accuracy")
sparse_top_k_categorical_accuracy = _function(
    SparseTopKCategoricalAccuracy, "sparse_top_k_categorical_accuracy"
)
mean_squared_error = mse = losses_.mean_squared_error
mean_absolute_error = mae = losses_.mean_absolute_error
categorical_crossentropy = losses_.categorical_crossentropy
sparse_categorical_crossentropy = losses_.sparse_categorical_crossentropy
binary_crossentropy = losses_.binary_crossentropy
__getattr__ = config.missing("metrics", list(TABLE), NEAREST)
