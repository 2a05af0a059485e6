"""Batches of the network's input, prepared ahead by one background thread."""

from __future__ import annotations

import math
import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from beak.data.augment import Augmentation
from beak.data.dataset import Part
from beak.data.kinds import kind_of
from beak.data.spec import InputSpec
from beak.data.streams import shuffled
from beak.errors import UsageError

Array = np.ndarray[Any, Any]

AHEAD = 2
"""How many times what is prepared together waits, at most, for the network."""
TOGETHER = 256
"""So many examples are prepared in one go where batches are smaller: calls cost more than they."""
TOGETHER_BYTES = 8 << 20


@dataclass(frozen=True)
class Batch:
    """Some examples of a part, ready for the network."""

    inputs: Array
    """float32 (B, *spec.shape)."""
    labels: Array
    """int32 (B,)."""
    examples: Array
    """int64 (B,): their places in the part."""

    def __len__(self) -> int:
        return len(self.labels)


def batches(
    part: Part,
    spec: InputSpec,
    augmentation: Augmentation | None,
    *,
    seed: int,
    epoch: int,
    batch_size: int,
    start: int = 0,
    threads: int = 1,
    shuffle: bool = True,
    order: Array | None = None,
    share: Callable[[Array], Array] | None = None,
) -> Iterator[Batch]:
    """One epoch's batches from batch number ``start`` on; a shorter last batch is kept.

    The same bytes whatever ``threads``, ``start`` and timing. ``order`` (int64, examples in the
    order wanted) takes the place of the shuffle. ``threads`` prepare while the network waits, one
    while batches wait for it. ``share``: which of a batch's examples are wanted here, where others
    take the rest; there may be none. Leaving the loop early, or an error, ends the background
    thread before the caller goes on. Raises UsageError for a batch size below 1.
    """
    if batch_size < 1 or start < 0:
        raise UsageError(f"batches: size {batch_size} from batch {start} cannot be had")
    if order is None:
        order = shuffled(seed, epoch, len(part)) if shuffle else np.arange(len(part))

    def prepare(chosen: Array, threads: int) -> Batch:
        labels = part.labels[chosen]
        if not len(chosen):
            return Batch(np.empty((0, *spec.shape), np.float32), labels, chosen)
        if augmentation is None or augmentation.none:
            return Batch(spec.prepare(part.inputs[chosen]), labels, chosen)
        kind, when = kind_of(spec.kind), {"seed": seed, "epoch": epoch}
        inputs = kind.augmented(part.inputs, chosen, spec, augmentation, **when, threads=threads)
        return Batch(inputs, kind.changed_labels(labels, chosen, augmentation, **when), chosen)

    def prepared(awaited: Callable[[], bool]) -> Iterator[list[Batch]]:
        step = batch_size * batches_together(batch_size, 4 * math.prod(spec.shape))
        for first in range(start * batch_size, len(order), step):
            chosen = np.asarray(order[first : first + step], np.int64)
            each = [
                chosen[begin : begin + batch_size] for begin in range(0, len(chosen), batch_size)
            ]
            each = each if share is None else [share(one) for one in each]
            many = prepare(np.concatenate(each), threads if awaited() else 1)
            ends = np.cumsum([len(one) for one in each])
            parts = [slice(end - len(one), end) for one, end in zip(each, ends, strict=True)]
            yield [Batch(many.inputs[p], many.labels[p], many.examples[p]) for p in parts]

    return ahead(prepared, AHEAD)


def batches_together(batch_size: int, example_bytes: int) -> int:
    """How many batches are prepared in one go.

    >>> batches_together(32, 3136), batches_together(128, 12288), batches_together(32, 600_000)
    (8, 2, 1)
    """
    return max(1, min(TOGETHER // batch_size, TOGETHER_BYTES // (batch_size * example_bytes)))


def ahead(
    make: Callable[[Callable[[], bool]], Iterator[list[Batch]]], places: int
) -> Iterator[Batch]:
    """The batches of the lists that ``make(awaited)`` yields, made by a background thread.

    Up to ``places`` lists wait: handing over each batch by itself would wake a thread each time.

    ``awaited()``: whether nothing is left, so that the taker waits.
    """
    made: queue.Queue[list[Batch] | BaseException | None] = queue.Queue(places)
    stop = threading.Event()

    def put(item: list[Batch] | BaseException | None) -> bool:
        while not stop.is_set():
            try:
                made.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def work() -> None:
        try:
            for item in make(made.empty):
                if not put(item):
                    return
            put(None)
        except BaseException as error:
            put(error)

    worker = threading.Thread(target=work, name="beak-batches", daemon=True)
    worker.start()
    try:
        while (item := made.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield from item
    finally:
        stop.set()
        while worker.is_alive():
            try:
                made.get_nowait()
            except queue.Empty:
                worker.join(0.02)
