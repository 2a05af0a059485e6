"""Several processes that train one network: what an engine and the loop need of them.

Each process computes its share of every batch; one sum over all of them makes the gradient of the
whole batch, so that N processes train as one does. ``engine/torch_group.py`` is the one that
speaks between processes, through torch.distributed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from beak.errors import BeakError

Array = np.ndarray[Any, Any]


class LostProcessError(BeakError):
    """Another process of the training does not answer any more."""


class Group(Protocol):
    """The processes of a training; all of them call the same methods in the same order."""

    rank: int
    """This process, from 0; 0 alone prints and writes."""
    size: int
    asked: Callable[[], bool]
    """Whether this process was asked to stop; the answers are gathered with every step."""
    stopped: bool
    """Whether one of them had been asked, as of the last step: the same in all."""

    def add_up(self, values: Array) -> None:
        """Replace the values by their sum over all processes, the same bytes in each."""

    def told(self, what: Any) -> Any:
        """What process 0 gives, in every process."""

    def finish(self) -> None:
        """Wait until the first process, too, is done, be it hours: it works on alone at the end."""


def own_share(examples: Array, group: Group | None) -> Array:
    """What one process takes of a batch: stretches in order, as even as they can be.

    >>> from types import SimpleNamespace
    >>> [own_share(np.arange(5), SimpleNamespace(rank=r, size=3)).tolist() for r in range(3)]
    [[0], [1, 2], [3, 4]]
    """
    if group is None:
        return examples
    begin, end = (len(examples) * rank // group.size for rank in (group.rank, group.rank + 1))
    return examples[begin:end]


class Sums:
    """What a step adds up over all processes, in one message: a flat float32 array."""

    def __init__(self, group: Group, *parts: Array) -> None:
        """``parts``: by what they are weighed with already; see ``add_up``."""
        self.group = group
        sizes = [part.size for part in parts]
        self._ends = np.cumsum(sizes)
        self._message = np.empty(sum(sizes) + 5, np.float32)
        for part, end in zip(parts, self._ends, strict=True):
            self._message[end - part.size : end] = part.reshape(-1)

    def add_up(self, loss: float, weight: float, correct: int, examples: int) -> list[Array]:
        """The parts, summed; then ``loss`` (a sum), ``weight``, ``correct``, ``examples``."""
        self._message[-5:] = loss, weight, correct, examples, self.group.asked()
        self.group.add_up(self._message)
        *sums, asked = self._message[-5:].tolist()
        self.group.stopped = asked > 0
        begins = [0, *self._ends[:-1]]
        parts = [self._message[a:b] for a, b in zip(begins, self._ends, strict=True)]
        return [*parts, np.array(sums)]
