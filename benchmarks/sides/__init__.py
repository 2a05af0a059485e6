"""One file for each side: ``steps(work, threads)`` gives (setting, function of one step) pairs.

A side's file is imported in a process of its own (``worker.py``), so that each library has its own
threads and memory, and one that fails takes nothing else down. A step is one training step (Adam)
or one batch of answers, each time on the next of the work's batches, which lie ready in the form
that the side likes best.
"""

from __future__ import annotations

from collections.abc import Callable

Step = Callable[[], object]


class CannotError(Exception):
    """Why a side has no way to do a work, in a line: it is left out of that work."""


Settings = list[tuple[str, Step]]
