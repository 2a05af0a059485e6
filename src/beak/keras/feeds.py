"""Where batches come from: arrays, generators, and whatever can be gone through."""

from __future__ import annotations

import itertools
import math
import operator
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from beak.errors import ShapeError, UsageError
from beak.keras.config import note, refuse
from beak.keras.config import random as session_random

Array = np.ndarray[Any, Any]
REMEMBERED = 2
"""So many batches of a generator are kept, as in Keras: a pass begins with them."""


@dataclass(frozen=True)
class Batch:
    """What one step sees."""

    inputs: Array
    labels: Array | None
    weights: Array | None
    numbers: Array
    """int64: the examples' numbers, from which dropout is drawn."""


class Feed(ABC):
    """Batches by epoch, as Keras counts them.

    With ``given`` steps an epoch goes on where the one before stopped; when a pass over the data
    ends, the epoch ends too, and the next begins a new pass.
    """

    def __init__(self, given: Any = None) -> None:
        self.given = whole(given, "steps", 0) or None if given is not None else None
        self._going: Iterator[Batch] | None = None
        self._seen = 0
        self._count: int | None = None
        self._gave = False

    def begin(self) -> None:
        """Forget where the last epoch stopped; what is told of epochs' ends is told now too."""
        self._going, self._seen, self._count = None, 0, None
        self._ended()

    @abstractmethod
    def length(self) -> int | None:
        """How many batches a pass has, where that is known."""

    @abstractmethod
    def one_pass(self) -> Iterator[Batch]:
        """Everything, once."""

    def first(self) -> Batch | None:
        """The first batch of a pass."""
        return next(self.one_pass(), None)

    @property
    def steps(self) -> int | None:
        """How many batches an epoch has, where that is known."""
        return self.given or self._count or self.length()

    def batches(self) -> Iterator[Batch]:
        """An epoch's batches."""
        if self._count is None:
            self._count = self.length()
        wanted = self.given or self._count
        if self._going is None or self.given is None:
            self._going, self._seen = self.one_pass(), 0
        for _ in itertools.count() if wanted is None else range(wanted):
            if self._count is not None and self._seen >= self._count:
                self._ran_out()
                break
            self._seen += 1
            batch = next(self._going, None)
            if batch is None and not self._gave:
                raise UsageError("the generator gave no batch; is it used up already?")
            if batch is None:
                if wanted is not None:
                    self._ran_out()
                self._count = self._count or self._seen
                self._going = None
                self._ended()
                return
            self._gave = True
            yield batch
        if self._count is not None and self._seen >= self._count:
            self._going = None
        self._ended()

    def _ended(self) -> None:  # noqa: B027 - most have nothing to tell
        """An epoch is over."""

    def _ran_out(self) -> None:
        note(
            "the input ran out of data, so an epoch ends early; steps_per_epoch x epochs batches "
            "were wanted. As in Keras, the next epoch begins with the first batches again"
        )


class ArrayFeed(Feed):
    """Batches of arrays."""

    def __init__(
        self,
        inputs: Any,
        labels: Any = None,
        weights: Any = None,
        batch_size: Any = None,
        shuffle: bool = False,
        steps: Any = None,
    ) -> None:
        super().__init__(steps)
        self.inputs = array_of(inputs, "x")
        self.labels = None if labels is None else array_of(labels, "y")
        self.weights = None if weights is None else array_of(weights, "sample_weight")
        self.batch_size = 32 if batch_size is None else whole(batch_size, "batch_size", 1)
        self.shuffle = bool(shuffle)
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

    def length(self) -> int | None:
        """All examples, the last batch smaller."""
        return math.ceil(len(self.inputs) / self.batch_size)

    def one_pass(self) -> Iterator[Batch]:
        """All examples, in an order of its own where they are shuffled."""
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

    def first(self) -> Batch | None:
        """The first examples, unshuffled."""
        return Batch(self.inputs[:1], None, None, np.arange(1))


class StreamFeed(Feed):
    """Batches of a generator, a PyDataset, a Dataset, or anything else that gives them."""

    def __init__(self, source: Any, steps: Any = None, shuffle: bool = False) -> None:
        super().__init__(steps)
        self.source, self.shuffle = source, shuffle
        indexed = hasattr(source, "__getitem__") and hasattr(source, "__len__")
        self.by_index = indexed and (
            not hasattr(source, "__iter__") or hasattr(source, "on_epoch_end")
        )
        self.once = hasattr(source, "__next__")
        self._kept: list[Batch] = []

    def length(self) -> int | None:
        """What the source says."""
        try:
            return len(self.source)
        except TypeError:  # no __len__, or one that does not know
            return None

    def first(self) -> Batch | None:
        """The first batch; a generator's is kept for the pass that comes."""
        if self.once and self._kept:
            return self._kept[0]
        return next(self.one_pass(), None)

    def one_pass(self) -> Iterator[Batch]:
        """Everything once; of a generator what is left, behind what came first."""
        first = 0
        if self.once:
            for batch in list(self._kept):
                first += len(batch.inputs)
                yield batch
        for item in self._items():
            batch = _batch(item, first)
            first += len(batch.inputs)
            if self.once and len(self._kept) < REMEMBERED:
                self._kept.append(batch)
            yield batch

    def _items(self) -> Iterator[Any]:
        if not self.by_index:
            yield from iter(self.source)
            return
        order = np.arange(len(self.source))
        for index in session_random().permutation(order) if self.shuffle else order:
            yield self.source[int(index)]

    def _ended(self) -> None:
        if hasattr(self.source, "on_epoch_end"):
            self.source.on_epoch_end()

    def _ran_out(self) -> None:
        if self.once or self.given:
            super()._ran_out()


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
    batch_size: Any = None,
    steps: Any = None,
    shuffle: bool = False,
) -> Feed:
    """Whatever came as a feed."""
    if is_stream(x):
        if y is not None:
            raise UsageError("y beside a dataset or generator, which gives its own; leave it out")
        return StreamFeed(x, steps, shuffle)
    return ArrayFeed(x, y, weights, batch_size, shuffle, steps)


def is_stream(x: Any) -> bool:
    """Whether batches come from it by themselves."""
    if isinstance(x, np.ndarray | list | tuple | Mapping) or hasattr(x, "__array__"):
        return False
    return hasattr(x, "__next__") or hasattr(x, "__iter__") or hasattr(x, "__getitem__")


def whole(value: Any, what: str, least: int) -> int:
    """A whole number of at least ``least``; UsageError."""
    try:
        number = operator.index(value)
    except TypeError:
        number = least - 1
    if number < least or isinstance(value, bool | np.bool_):
        raise UsageError(f"{what}={value!r}; a whole number of at least {least} was wanted")
    return number


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
    try:
        array = np.asarray(value)
    except ValueError:
        array = np.empty(0, object)
    if array.dtype.kind in "USM":
        hint = "; np.unique(y, return_inverse=True)[1] numbers classes" if what == "y" else ""
        raise UsageError(f"{what}: {array.reshape(-1)[:1]} came, numbers were wanted{hint}")
    if array.dtype == object:
        raise ShapeError(f"{what}: rows of different lengths came; one shape for all was wanted")
    return array[:, None] if array.ndim == 0 else array
