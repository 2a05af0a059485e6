"""Batches of the network's input, prepared ahead by one background thread."""

from __future__ import annotations

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

AHEAD = 3
"""How many batches wait, at most, for the network."""


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
    order wanted) takes the place of the shuffle. ``share``: which of a batch's examples are wanted
    here, where others take the rest; there may be none. Leaving the loop early, or an error, ends
    the background thread before the caller goes on. Raises UsageError for a batch size below 1.
    """
    if batch_size < 1 or start < 0:
        raise UsageError(f"batches: size {batch_size} from batch {start} cannot be had")
    if order is None:
        order = shuffled(seed, epoch, len(part)) if shuffle else np.arange(len(part))

    def prepared() -> Iterator[Batch]:
        for first in range(start * batch_size, len(order), batch_size):
            chosen = np.asarray(order[first : first + batch_size], np.int64)
            chosen = chosen if share is None else share(chosen)
            labels = part.labels[chosen]
            if not len(chosen):
                inputs = np.empty((0, *spec.shape), np.float32)
            elif augmentation is None or augmentation.none:
                inputs = spec.prepare(part.inputs[chosen])
            else:
                kind, when = kind_of(spec.kind), {"seed": seed, "epoch": epoch}
                inputs = kind.augmented(
                    part.inputs, chosen, spec, augmentation, **when, threads=threads
                )
                labels = kind.changed_labels(labels, chosen, augmentation, **when)
            yield Batch(inputs, labels, chosen)

    return ahead(prepared, AHEAD)


def ahead(make: Callable[[], Iterator[Batch]], places: int) -> Iterator[Batch]:
    """What ``make()`` yields, made by a background thread up to ``places`` items early."""
    made: queue.Queue[Batch | BaseException | None] = queue.Queue(places)
    stop = threading.Event()

    def put(item: Batch | BaseException | None) -> bool:
        while not stop.is_set():
            try:
                made.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def work() -> None:
        try:
            for item in make():
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
            yield item
    finally:
        stop.set()
        while worker.is_alive():
            try:
                made.get_nowait()
            except queue.Empty:
                worker.join(0.02)
