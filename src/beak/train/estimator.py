"""A convolutional network as a scikit-learn classifier (extra ``sklearn``)."""

from __future__ import annotations

import math
import weakref
from collections.abc import Mapping
from typing import Any

import numpy as np

from beak.data.streams import shuffled
from beak.engine.interface import Engine, Loss, Optimiser, Randomness
from beak.engine.make import make_engine
from beak.errors import MissingExtraError, ShapeError
from beak.network.auto import choose_network
from beak.network.named import make_network
from beak.network.network import Network
from beak.runs.evaluate import log_softmax
from beak.train.defaults import average_for, batch_for, epochs_for
from beak.train.portions import leftover
from beak.train.progress import DivergedError
from beak.train.recipe import ScheduleRecipe
from beak.train.schedule import learning_rate as rate_at

try:
    from sklearn.base import BaseEstimator, ClassifierMixin  # type: ignore[import-untyped]
    from sklearn.utils import check_random_state, compute_class_weight  # type: ignore[import-untyped]
    from sklearn.utils.multiclass import check_classification_targets  # type: ignore[import-untyped]
    from sklearn.utils.validation import check_is_fitted, validate_data  # type: ignore[import-untyped]
except ImportError as error:
    raise MissingExtraError("beak.CNNClassifier", "sklearn") from error

Array = np.ndarray[Any, Any]

PREDICTED_AT_ONCE = 256
_ENGINES: weakref.WeakKeyDictionary[CNNClassifier, Engine] = weakref.WeakKeyDictionary()
"""A fitted classifier's engine, kept apart so that the classifier itself is plain data: it is
cloned, copied and pickled (by joblib) as arrays, and makes its engine again when it is used."""


class CNNClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Fits a network to rows or pictures; for ``cross_val_score``, ``GridSearchCV``, pipelines.

    Parameters
    ----------
    input_shape
        ``(channels, height, width)`` that each row of a 2-D ``X`` is reshaped to; None: one
        channel of one row, ``(1, 1, n_features)``. Not needed where ``X`` is (N, H, W) or
        (N, C, H, W) itself.
    network
        A name of the catalogue, a `Network`, or "auto", which chooses by shape and number.
    epochs, batch, average
        None: from the number of examples. ``average`` is the decay of the averaged weights.
    learning_rate, weight_decay
        Of AdamW with a one-cycle schedule.
    class_weight
        None, "balanced" or a dict of label to weight.
    threads
        None: all cores. Results do not depend on it.

    Values are standardised: by feature for rows, by channel for pictures. ``classes_``,
    ``n_features_in_``, ``network_``, ``parameters_``, ``mean_``, ``scale_`` and ``loss_curve_``
    (mean loss of each epoch) are there after ``fit``.
    """

    def __init__(
        self,
        input_shape: tuple[int, int, int] | None = None,
        network: str | Network = "auto",
        *,
        epochs: int | None = None,
        batch: int | None = None,
        learning_rate: float = 0.002,
        weight_decay: float = 0.01,
        average: float | None = None,
        label_smoothing: float = 0.0,
        class_weight: str | Mapping[Any, float] | None = None,
        threads: int | None = None,
        random_state: Any = None,
    ) -> None:
        self.input_shape = input_shape
        self.network = network
        self.epochs = epochs
        self.batch = batch
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.average = average
        self.label_smoothing = label_smoothing
        self.class_weight = class_weight
        self.threads = threads
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> CNNClassifier:
        """Train from scratch on X (N, features), (N, H, W) or (N, C, H, W) and labels y (N,).

        Raises ValueError for what scikit-learn's checks refuse and for one class only,
        ShapeError (a ValueError) where X does not fit ``input_shape`` or the network.
        """
        X, y = validate_data(self, X, y, dtype=np.float64, allow_nd=True)
        check_classification_targets(y)
        self.classes_, labels = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"only one class in y ({self.classes_[0]!r}); two or more are needed")
        self.shape_ = self._shape(X)
        pictures = X.reshape(len(X), *self.shape_)
        rows = self.shape_[0] == self.shape_[1] == 1
        axes = (0,) if rows else (0, 2, 3)
        self.mean_ = pictures.mean(axis=axes, keepdims=True)[0]
        spread = pictures.std(axis=axes, keepdims=True)[0]
        self.scale_ = np.where(spread > 0, spread, 1.0)
        self.network_ = self._network(len(X))
        seed = self.random_state
        if not isinstance(seed, int | np.integer):
            seed = check_random_state(seed).randint(2**31)
        engine = make_engine(self.network_, seed=int(seed), threads=self.threads)
        self._train(engine, self._standardised(pictures), labels.astype(np.int32), int(seed))
        engine.set_parameters(self.parameters_)
        _ENGINES[self] = engine
        return self

    def predict_proba(self, X: Any) -> Array:
        """The probability of each class, float64 (N, classes), in the order of ``classes_``."""
        logits = self._logits(X)
        found: Array = np.exp(log_softmax(logits))
        return found

    def predict(self, X: Any) -> Array:
        """The most probable class of each example (N,)."""
        strongest = self._logits(X).argmax(axis=1)
        found: Array = self.classes_[strongest]
        return found

    def _logits(self, X: Any) -> Array:
        check_is_fitted(self, "parameters_")
        X = validate_data(self, X, dtype=np.float64, allow_nd=True, reset=False)
        if self._shape(X) != self.shape_:
            raise ShapeError(f"X is {X.shape[1:]} an example but the network reads {self.shape_}")
        engine = _ENGINES.get(self)
        if engine is None:
            engine = make_engine(self.network_, self.parameters_, threads=self.threads)
            _ENGINES[self] = engine
        inputs = self._standardised(X.reshape(len(X), *self.shape_))
        parts = range(0, len(X), PREDICTED_AT_ONCE)
        found: Array = np.concatenate(
            [engine.logits(inputs[at : at + PREDICTED_AT_ONCE]) for at in parts]
        ).astype(np.float64)
        return found

    def _shape(self, X: Array) -> tuple[int, int, int]:
        """One example's shape, channels first."""
        own = {2: (1, 1, *X.shape[1:]), 3: (1, *X.shape[1:]), 4: X.shape[1:]}.get(X.ndim)
        if own is None:
            raise ShapeError(f"X has {X.ndim} dimensions; (N, features) or (N, C, H, W) was wanted")
        if self.input_shape is not None:
            wanted = tuple(int(size) for size in self.input_shape)
            if len(wanted) != 3 or math.prod(wanted) != math.prod(own):
                raise ShapeError(
                    f"input_shape={wanted} takes {math.prod(wanted)} values an example but X has "
                    f"{math.prod(own)}; give (channels, height, width) with as many"
                )
            own = wanted
        return own[0], own[1], own[2]

    def _network(self, examples: int) -> Network:
        classes = len(self.classes_)
        if isinstance(self.network, Network):
            if self.network.input != self.shape_ or self.network.output != (classes,):
                raise ShapeError(
                    f"the network goes from {self.network.input} to {self.network.output}; "
                    f"from {self.shape_} to ({classes},) was wanted"
                )
            return self.network
        if self.network == "auto":
            return choose_network(self.shape_, classes, examples).network
        return make_network(self.network, self.shape_, classes)

    def _standardised(self, pictures: Array) -> Array:
        return np.ascontiguousarray((pictures - self.mean_) / self.scale_, np.float32)

    def _weights(self, labels: Array) -> tuple[float, ...] | None:
        if self.class_weight is None:
            return None
        y = self.classes_[labels]
        found = compute_class_weight(self.class_weight, classes=self.classes_, y=y)
        return tuple(float(weight) for weight in found)

    def _train(self, engine: Engine, inputs: Array, labels: Array, seed: int) -> None:
        epochs = self.epochs or epochs_for(len(labels), photographs=False)
        batch = self.batch or batch_for(len(labels))
        used = len(labels) - leftover(len(labels), batch, self.network_)
        steps = math.ceil(used / batch)
        average = average_for(epochs * steps) if self.average is None else self.average
        engine.start_training(
            Optimiser("adamw", weight_decay=self.weight_decay, average=average or None),
            Loss(self.label_smoothing, self._weights(labels)),
        )
        self.loss_curve_: list[float] = []
        for epoch in range(1, epochs + 1):
            order, total = shuffled(seed, epoch, len(labels))[:used], 0.0
            for step in range(steps):
                chosen = order[step * batch : (step + 1) * batch]
                rate = rate_at(
                    ScheduleRecipe(), self.learning_rate, (epoch - 1) * steps + step, epochs * steps
                )
                random = Randomness(seed, epoch, chosen)
                result = engine.train_step(inputs[chosen], labels[chosen], rate, random)
                if not math.isfinite(result.loss):
                    raise DivergedError(
                        f"epoch {epoch}: the loss is {result.loss}; take a learning_rate below "
                        f"{self.learning_rate:g}"
                    )
                total += result.loss * result.examples
            self.loss_curve_.append(total / used)
        self.parameters_ = engine.parameters(average=bool(average))
