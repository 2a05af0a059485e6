"""Losses: a number for each example, and its gradient by the model's answers.

``Loss.judge`` takes what stands before the model's last softmax or sigmoid, so that crossentropy
is exact where probabilities are near 0 (Keras on TensorFlow does so too; on JAX and PyTorch it
cuts probabilities off at 1e-7).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from beak.errors import ShapeError, UsageError, did_you_mean
from beak.keras import config
from beak.keras.named import Named

Array = np.ndarray[Any, Any]
EPSILON = 1e-7
END = Callable[[Array], Array]


def softmax_of(x: Array) -> Array:
    """Shares of 1 along the last axis."""
    raised = np.exp(x - x.max(axis=-1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=-1, keepdims=True))


def sigmoid_of(x: Array) -> Array:
    """1 / (1 + e^-x), without overflow."""
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + small), small / (1 + small)).astype(np.asarray(x).dtype)


def finish(end: str | None, logits: Array) -> Array:
    """What the model answers: logits through its last softmax or sigmoid."""
    if end == "softmax":
        return softmax_of(logits)
    return sigmoid_of(logits) if end == "sigmoid" else logits


def back_through(end: str | None, answers: Array, gradient: Array) -> Array:
    """A gradient by answers as one by logits."""
    if end == "softmax":
        return np.asarray(answers * (gradient - (gradient * answers).sum(axis=-1, keepdims=True)))
    return gradient * answers * (1 - answers) if end == "sigmoid" else gradient


@dataclass(frozen=True)
class Judgement:
    """What a loss says of a batch."""

    values: Array
    """(B,): each example's loss, unweighted."""
    gradient: Array
    """Of the sum of the values, by the logits."""


class Loss(Named):
    """A loss; ``judge`` is what training calls, the object itself gives the mean."""

    module = "losses"

    def __init__(self, name: str | None = None, reduction: str = "sum_over_batch_size") -> None:
        self.name = name or type(self).__name__.lower()
        if reduction not in ("sum_over_batch_size", "auto", "mean"):
            raise config.refuse(f"reduction={reduction!r}", "'sum_over_batch_size'")
        self.reduction = "sum_over_batch_size"

    def judge(self, labels: Array, logits: Array, end: str | None) -> Judgement:
        """Each example's loss and the gradient of their sum; ``end``: softmax, sigmoid or None."""
        answers = finish(end, logits)
        values, gradient = self.compare(self.targets(labels, answers), answers)
        return Judgement(_each(values), back_through(end, answers, gradient / _spread(values)))

    def targets(self, labels: Array, answers: Array) -> Array:
        """Labels as what answers should be, float32 of their shape."""
        return _fitted(labels, answers)

    def compare(self, labels: Array, answers: Array) -> tuple[Array, Array]:
        """Losses (B, …) of targets and answers, and the gradient of their sum by the answers."""
        raise config.lacks(
            self,
            "compare(targets, answers), which gives the losses and the gradient of their sum: "
            "nothing is differentiated by itself here",
        )

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> np.float32:
        """The mean loss of answers."""
        values = self.judge(np.asarray(y_true), np.asarray(y_pred, np.float32), None).values
        if sample_weight is not None:
            weights = np.asarray(sample_weight, np.float32)
            if weights.size != len(values):
                raise ShapeError(f"{weights.size} sample weights for {len(values)} examples")
            values = values * weights.reshape(-1, *(1,) * (values.ndim - 1))
        return np.float32(values.mean())


class _Crossentropy(Loss):
    """What the crossentropies share."""

    from_logits: bool
    label_smoothing: float
    end = "softmax"

    def judge(self, labels: Array, logits: Array, end: str | None) -> Judgement:
        """Each example's loss, exact from the logits where the model ends in the loss's own end."""
        if self.from_logits and end is not None:
            logits, outer = finish(end, logits), end
        elif not self.from_logits and end != self.end:
            return super().judge(labels, logits, end)
        else:
            outer = None
        values, gradient = self.from_their_logits(self.targets(labels, logits), logits)
        gradient = gradient / _spread(values)
        if outer is not None:
            gradient = back_through(outer, logits, gradient)
        return Judgement(_each(values), gradient)

    def from_their_logits(self, targets: Array, logits: Array) -> tuple[Array, Array]:
        """Losses and the gradient of their sum."""
        raise config.lacks(
            self,
            "from_their_logits(targets, logits), which gives losses and the gradient of their sum",
        )


class CategoricalCrossentropy(_Crossentropy):
    """Labels one-hot (or any shares), answers shares of 1 along the last axis."""

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str = "sum_over_batch_size",
        name: str = "categorical_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(name, reduction)
        _last(axis)
        self.from_logits, self.label_smoothing = bool(from_logits), float(label_smoothing)

    def targets(self, labels: Array, answers: Array) -> Array:
        """One-hot labels, smoothed."""
        if np.shape(labels) != answers.shape:
            raise ShapeError(
                f"{self.name}: labels {np.shape(labels)} and answers {answers.shape}; one-hot "
                "labels were wanted: to_categorical(y), or sparse_categorical_crossentropy"
            )
        shares = np.asarray(labels, np.float32)
        if self.label_smoothing:
            classes = answers.shape[-1]
            shares = shares * (1 - self.label_smoothing) + self.label_smoothing / classes
        return shares

    def from_their_logits(self, targets: Array, logits: Array) -> tuple[Array, Array]:
        """Losses and the gradient of their sum."""
        lowered = logits - logits.max(axis=-1, keepdims=True)
        raised = np.exp(lowered)
        total = raised.sum(axis=-1, keepdims=True)
        logs = lowered - np.log(total)
        whole = targets.sum(axis=-1, keepdims=True)
        return -(targets * logs).sum(axis=-1), raised / total * whole - targets

    def compare(self, labels: Array, answers: Array) -> tuple[Array, Array]:
        """Of answers that are no softmax: brought to a sum of 1, cut off at 1e-7."""
        total = answers.sum(axis=-1, keepdims=True)
        shares = answers / total
        inside = (shares > EPSILON) & (shares < 1 - EPSILON)
        cut = np.clip(shares, EPSILON, 1 - EPSILON)
        by_share = np.where(inside, -labels / cut, 0)
        gradient = (by_share - (by_share * shares).sum(axis=-1, keepdims=True)) / total
        return -(labels * np.log(cut)).sum(axis=-1), gradient


class SparseCategoricalCrossentropy(CategoricalCrossentropy):
    """Labels are class numbers, answers shares of 1 along the last axis."""

    def __init__(
        self,
        from_logits: bool = False,
        ignore_class: int | None = None,
        axis: int = -1,
        reduction: str = "sum_over_batch_size",
        name: str = "sparse_categorical_crossentropy",
        dtype: Any = None,
    ) -> None:
        if ignore_class is not None:
            raise config.refuse("ignore_class", "sample_weight=0 for those examples")
        super().__init__(from_logits, 0.0, axis, reduction, name)
        self.ignore_class = None

    def get_config(self) -> dict[str, Any]:
        """Its settings as plain values."""
        return {k: v for k, v in super().get_config().items() if k != "label_smoothing"}

    def targets(self, labels: Array, answers: Array) -> Array:
        """Class numbers as one-hot rows."""
        labels = np.asarray(labels)
        if labels.ndim == answers.ndim and labels.shape[-1] == 1:
            labels = labels[..., 0]
        if labels.shape != answers.shape[:-1]:
            raise ShapeError(
                f"{self.name}: labels {labels.shape} and answers {answers.shape}; a class number "
                "for each was wanted, or categorical_crossentropy for one-hot labels"
            )
        labels = labels.astype(np.int64)
        classes = answers.shape[-1]
        if labels.size and (labels.min() < 0 or labels.max() >= classes):
            raise ShapeError(
                f"{self.name}: labels from {labels.min()} to {labels.max()} for {classes} classes; "
                f"0 to {classes - 1} was wanted"
            )
        return np.asarray(np.eye(classes, dtype=np.float32)[labels])


class BinaryCrossentropy(_Crossentropy):
    """Each answer the chance that its label is 1."""

    end = "sigmoid"

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str = "sum_over_batch_size",
        name: str = "binary_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(name, reduction)
        _last(axis)
        self.from_logits, self.label_smoothing = bool(from_logits), float(label_smoothing)

    def targets(self, labels: Array, answers: Array) -> Array:
        """Labels, smoothed."""
        shares = _fitted(labels, answers)
        return shares * (1 - self.label_smoothing) + 0.5 * self.label_smoothing

    def from_their_logits(self, targets: Array, logits: Array) -> tuple[Array, Array]:
        """Losses (the mean over the last axis) and the gradient of their sum."""
        each = np.maximum(logits, 0) - logits * targets + np.log1p(np.exp(-np.abs(logits)))
        width = logits.shape[-1]
        return each.mean(axis=-1), (sigmoid_of(logits) - targets) / width

    def compare(self, labels: Array, answers: Array) -> tuple[Array, Array]:
        """Of answers that are no sigmoid: cut off at 1e-7."""
        inside = (answers > EPSILON) & (answers < 1 - EPSILON)
        p = np.clip(answers, EPSILON, 1 - EPSILON)
        each = -(labels * np.log(p) + (1 - labels) * np.log(1 - p))
        slope = np.where(inside, (p - labels) / (p * (1 - p)), 0)
        return each.mean(axis=-1), slope / answers.shape[-1]


class MeanSquaredError(Loss):
    """The mean of squared differences."""

    def __init__(
        self,
        reduction: str = "sum_over_batch_size",
        name: str = "mean_squared_error",
        dtype: Any = None,
    ) -> None:
        super().__init__(name, reduction)

    def compare(self, labels: Array, answers: Array) -> tuple[Array, Array]:
        """Losses and the gradient of their sum."""
        off = answers - labels
        return (off**2).mean(axis=-1), 2 * off / answers.shape[-1]


class MeanAbsoluteError(Loss):
    """The mean of differences' sizes."""

    def __init__(
        self,
        reduction: str = "sum_over_batch_size",
        name: str = "mean_absolute_error",
        dtype: Any = None,
    ) -> None:
        super().__init__(name, reduction)

    def compare(self, labels: Array, answers: Array) -> tuple[Array, Array]:
        """Losses and the gradient of their sum."""
        off = answers - labels
        return np.abs(off).mean(axis=-1), np.sign(off) / answers.shape[-1]


class Huber(Loss):
    """Squares of small differences, sizes of large ones."""

    def __init__(
        self,
        delta: float = 1.0,
        reduction: str = "sum_over_batch_size",
        name: str = "huber_loss",
        dtype: Any = None,
    ) -> None:
        super().__init__(name, reduction)
        self.delta = float(delta)

    def compare(self, labels: Array, answers: Array) -> tuple[Array, Array]:
        """Losses and the gradient of their sum."""
        off, far = answers - labels, self.delta
        size = np.abs(off)
        each = np.where(size <= far, 0.5 * off**2, far * size - 0.5 * far**2)
        return each.mean(axis=-1), np.clip(off, -far, far) / answers.shape[-1]


TABLE: dict[str, type[Loss]] = {
    "categorical_crossentropy": CategoricalCrossentropy,
    "sparse_categorical_crossentropy": SparseCategoricalCrossentropy,
    "binary_crossentropy": BinaryCrossentropy,
    "bce": BinaryCrossentropy,
    "mean_squared_error": MeanSquaredError,
    "mse": MeanSquaredError,
    "mean_absolute_error": MeanAbsoluteError,
    "mae": MeanAbsoluteError,
    "huber": Huber,
    "huber_loss": Huber,
}
NEAREST = {
    "kl_divergence": "CategoricalCrossentropy",
    "KLDivergence": "CategoricalCrossentropy",
    "hinge": "BinaryCrossentropy",
    "Hinge": "BinaryCrossentropy",
    "poisson": "MeanSquaredError",
    "Poisson": "MeanSquaredError",
    "cosine_similarity": "MeanSquaredError",
    "CosineSimilarity": "MeanSquaredError",
    "BinaryFocalCrossentropy": "BinaryCrossentropy with class_weight",
    "CategoricalFocalCrossentropy": "CategoricalCrossentropy with class_weight",
    "LogCosh": "Huber",
    "CTC": "CategoricalCrossentropy",
}
_CLASSES = {kind.__name__: kind for kind in TABLE.values()}


def get(value: Any) -> Loss:
    """A loss from a name, an object of beak's, or a config."""
    if isinstance(value, Loss):
        if type(value).judge is Loss.judge and type(value).compare is Loss.compare:
            raise _own()
        return value
    if isinstance(value, type) and issubclass(value, Loss):
        return value()
    if isinstance(value, dict):
        settings, value = value.get("config", {}), value.get("class_name")
        if value in _CLASSES and isinstance(settings, dict):
            made: Loss = _CLASSES[value].from_config(settings)
            return made
        value = settings if isinstance(settings, str) else value
    if callable(value):
        name = getattr(value, "__name__", "")
        if getattr(value, "__module__", "") != __name__ or name not in TABLE:
            raise _own()
        value = name
    if value in TABLE:
        return TABLE[value]()
    if value in _CLASSES:
        return _CLASSES[value]()
    near = f"; nearest: {NEAREST[value]}" if value in NEAREST else did_you_mean(str(value), TABLE)
    raise UsageError(f"the loss {value!r} is not in beak{near}")


def _own() -> Exception:
    return config.refuse(
        "a loss of your own (beak computes gradients layer by layer, not through Python code)",
        f"one of {', '.join(sorted(_CLASSES))}",
    )


def _fitted(labels: Array, answers: Array) -> Array:
    """Labels as float32 of the answers' shape."""
    labels = np.asarray(labels)
    if labels.shape != answers.shape:
        if labels.shape == answers.shape[:-1] and answers.shape[-1] == 1:
            labels = labels[..., None]
        elif labels.ndim == answers.ndim + 1 and labels.shape[-1] == 1:
            labels = labels[..., 0]
    if labels.shape != answers.shape:
        raise ShapeError(f"labels {labels.shape} and answers {answers.shape}: one shape was wanted")
    return labels.astype(np.float32)


def _each(values: Array) -> Array:
    """One number an example."""
    return values.reshape(len(values), -1).mean(axis=1) if values.ndim > 1 else values


def _spread(values: Array) -> float:
    """Over how many numbers an example's loss is the mean."""
    return float(values[0].size) if values.ndim > 1 else 1.0


def _last(axis: int) -> None:
    if axis != -1:
        raise config.refuse(f"axis={axis}", "axis=-1")


def _function(kind: type[Loss], name: str) -> Callable[..., Array]:
    def compared(y_true: Any, y_pred: Any, **options: Any) -> Array:
        answers = np.asarray(y_pred, np.float32)
        loss = kind(**options)
        found = loss.judge(np.asarray(y_true), answers, None)
        return found.values

    compared.__name__ = name
    compared.__doc__ = f"{kind.__name__} of each example."
    return compared


categorical_crossentropy = _function(CategoricalCrossentropy, "categorical_crossentropy")
sparse_categorical_crossentropy = _function(
    SparseCategoricalCrossentropy, "sparse_categorical_crossentropy"
)
binary_crossentropy = _function(BinaryCrossentropy, "binary_crossentropy")
mean_squared_error = mse = _function(MeanSquaredError, "mean_squared_error")
mean_absolute_error = mae = _function(MeanAbsoluteError, "mean_absolute_error")
__getattr__ = config.missing("losses", list(_CLASSES), NEAREST)
