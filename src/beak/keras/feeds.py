"""Where batches come from: arrays, generators, and whatever can be gone through."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from beak.errors import ShapeError, UsageError
from beak.keras.config import note, refuse
from beak.keras.config import random as session_random

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Batch:
    """What one step sees."""

    inputs: Array
    labels: Array | None
    weights: Array | None
    numbers: Array
    """int64: the examples' numbers, from which dropout is drawn."""


class ArrayFeed:
    """Batches of arrays."""

    def __init__(
        self,
        inputs: Any,
        labels: Any = None,
        weights: Any = None,
        batch_size: int | None = None,
        shuffle: bool = False,
    ) -> None:
        self.inputs = array_of(inputs, "x")
        self.labels = None if labels is None else array_of(labels, "y")
        self.weights = None if weights is None else array_of(weights, "sample_weight")
        self.batch_size = 32 if batch_size is None else int(batch_size)
        self.shuffle = bool(shuffle)
        if self.batch_size < 1:
            raise UsageError(f"batch_size={batch_size}; at least 1 was wanted")
        for what, array in (("y", self.labels), ("sample_weight", self.weights)):
            if array is not None and len(array) != len(self.inputs):
                raise ShapeError(
                    f"{len(self.inputs)} examples in x but {len(array)} in {what}; "
                    "as many were wanted"
                )
        if self.weights is not None and self.weights.ndim > 1:
            self.weights = self.weights.reshape(len(self.weights), -1)
            if self.weights.shape[1] != 1:
                raise refuse("a sample_weight for each place", "one for each example")
            self.weights = self.weights[:, 0]
        if not len(self.inputs):
            raise ShapeError("no examples came; at least one was wanted")

    @property
    def steps(self) -> int | None:
        """How many batches an epoch has."""
        return math.ceil(len(self.inputs) / self.batch_size)

    def batches(self) -> Iterator[Batch]:
        """An epoch's batches."""
        count = len(self.inputs)
        order = session_random().permutation(count) if self.shuffle else None
        for begin in range(0, count, self.batch_size):
            end = min(begin + self.batch_size, count)
            at: Any = slice(begin, end) if order is None else order[begin:end]
            yield Batch(
                self.inputs[at],
                None if self.labels is None else self.labels[at],
                None if self.weights is None else self.weights[at],
                np.arange(begin, end) if order is None else at,
            )


class StreamFeed:
    """Batches of a generator, a PyDataset, a Dataset, or anything else that gives them."""

    def __init__(self, source: Any, steps: int | None = None, shuffle: bool = False) -> None:
        self.source, self.given = source, steps
        self.by_index = hasattr(source, "__getitem__") and hasattr(source, "__len__")
        self.once = hasattr(source, "__next__")
        self._going: Iterator[Any] | None = None
        self.shuffle = shuffle
        if self.once and steps is None:
            note(
                "a generator without steps_per_epoch: one epoch goes to its end, for more give "
                "steps_per_epoch"
            )

    @property
    def steps(self) -> int | None:
        """How many batches an epoch has, where that is known."""
        if self.given is not None:
            return self.given
        if hasattr(self.source, "__len__"):
            return len(self.source)
        return None

    def batches(self) -> Iterator[Batch]:
        """An epoch's batches."""
        first = 0
        for count, item in enumerate(self._items()):
            if self.given is not None and count >= self.given:
                return
            batch = _batch(item, first)
            first += len(batch.inputs)
            yield batch
            if self.given is not None and count + 1 >= self.given:
                return

    def _items(self) -> Iterator[Any]:
        if (self.by_index and not hasattr(self.source, "__iter__")) or (
            self.by_index and hasattr(self.source, "on_epoch_end")
        ):
            yield from self._indexed()
        elif self.given is None:
            yield from iter(self.source)
        else:
            yield from self._onward()

    def _indexed(self) -> Iterator[Any]:
        order = np.arange(len(self.source))
        if self.shuffle:
            order = session_random().permutation(order)
        for index in order:
            yield self.source[int(index)]
        if hasattr(self.source, "on_epoch_end"):
            self.source.on_epoch_end()

    def _onward(self) -> Iterator[Any]:
        """From where the last epoch stopped; from the start again where it can begin anew."""
        while True:
            if self._going is None:
                self._going = iter(self.source)
            empty = True
            for item in self._going:
                empty = False
                yield item
            if empty or self.once:
                return
            self._going = None


def _batch(item: Any, first: int) -> Batch:
    parts = list(item) if isinstance(item, tuple | list) else [item]
    if not 1 <= len(parts) <= 3:
        raise UsageError(f"a batch of {len(parts)} parts; (x, y) or (x, y, sample_weight) wanted")
    inputs = array_of(parts[0], "x")
    labels = array_of(parts[1], "y") if len(parts) > 1 and parts[1] is not None else None
    weights = array_of(parts[2], "sample_weight") if len(parts) > 2 else None
    return Batch(inputs, labels, weights, np.arange(first, first + len(inputs)))


def feed(
    x: Any,
    y: Any = None,
    weights: Any = None,
    batch_size: int | None = None,
    steps: int | None = None,
    shuffle: bool = False,
) -> ArrayFeed | StreamFeed:
    """Whatever came as a feed."""
    if is_stream(x):
        if y is not None:
            raise UsageError("y beside a dataset or generator, which gives its own; leave it out")
        return StreamFeed(x, steps, shuffle)
    made = ArrayFeed(x, y, weights, batch_size, shuffle)
    return made if steps is None else Shortened(made, steps)


class Shortened(ArrayFeed):
    """The first so many batches of an epoch."""

    def __init__(self, whole: ArrayFeed, steps: int) -> None:
        self.__dict__.update(vars(whole))
        self.given = min(int(steps), whole.steps or 0)

    @property
    def steps(self) -> int | None:
        """As given."""
        return self.given

    def batches(self) -> Iterator[Batch]:
        """An epoch's batches."""
        for count, batch in enumerate(super().batches()):
            if count >= self.given:
                return
            yield batch


def is_stream(x: Any) -> bool:
    """Whether batches come from it by themselves."""
    if isinstance(x, np.ndarray | list | tuple | Mapping) or hasattr(x, "__array__"):
        return False
    return hasattr(x, "__next__") or hasattr(x, "__iter__") or hasattr(x, "__getitem__")


def array_of(value: Any, what: str) -> Array:
    """An array of whatever came: NumPy's, a tensor, lists, a data frame; one of them."""
    if isinstance(value, Mapping):
        if len(value) != 1:
            raise refuse(f"{what} with {len(value)} parts", "one input and one output")
        value = next(iter(value.values()))
    if isinstance(value, list) and value and hasattr(value[0], "shape") and len(value) == 1:
        value = value[0]
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    array = np.asarray(value)
    if array.dtype == object:
        raise ShapeError(f"{what}: rows of different lengths came; one shape for all was wanted")
    return array[:, None] if array.ndim == 0 else array
