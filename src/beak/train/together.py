"""Several processes that train one network: who they are, and what the first does for all.

torchrun (or Slurm, Kubernetes) starts the processes and sets WORLD_SIZE, RANK, MASTER_ADDR and
MASTER_PORT; each then runs the same command. The recipe's batch is the batch of all together, so
the learning rate stays what it is and the result does not depend on how many they are.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from beak.engine.choice import Choice, has_torch
from beak.engine.group import Group
from beak.errors import BeakError, MissingExtraError, UsageError
from beak.ops.kernel import default_threads
from beak.runs.directory import RECIPE
from beak.train.recipe import Recipe

Found = TypeVar("Found")
KEPT = "BEAK_PROCESSES_RUN"
"""Names the file in which the first process leaves where its run lies, if it is set."""


def processes() -> int:
    """How many processes were started to train together; 1 for one alone.

    >>> processes()
    1
    """
    said = os.environ.get("WORLD_SIZE", "1")
    together = said.isdigit() and "RANK" in os.environ and "MASTER_ADDR" in os.environ
    return int(said) if together else 1


def is_first() -> bool:
    """Whether this process prints and writes."""
    return processes() == 1 or os.environ["RANK"] == "0"


def restarted() -> bool:
    """Whether torchrun has started the processes again after one of them was lost."""
    return processes() > 1 and os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") != "0"


def begun_before(out: str | Path | None) -> Path | None:
    """The run that these processes had begun before one of them was lost; None: a fresh start."""
    if not restarted():
        return None
    kept = os.environ.get(KEPT)
    if out is None and kept and Path(kept).exists():
        out = Path(kept).read_text()
    return Path(out) if out is not None and Path(out, RECIPE).exists() else None


def remember(run: Path) -> None:
    """Keep where the run lies for the processes that may be started again."""
    kept = os.environ.get(KEPT)
    if kept and is_first():
        Path(kept).write_text(str(run))


def join(choice: Choice) -> tuple[Group | None, Choice]:
    """The group of all processes, and this one's device; None for one process alone."""
    if processes() == 1:
        return None, choice
    if choice.kind == "reference":
        raise UsageError("the reference engine computes in one process alone")
    if not has_torch():
        raise MissingExtraError("training with several processes", "torch")
    from beak.engine.torch_group import TorchGroup, local_device

    group: Group = TorchGroup(choice.device)
    return group, replace(choice, device=local_device(choice.device))


def threads_each(threads: int | None) -> int | None:
    """How many threads one of a machine's processes takes."""
    here = os.environ.get("LOCAL_WORLD_SIZE", "1")
    if threads is not None or processes() == 1 or not here.isdigit():
        return threads
    return max(1, default_threads() // max(1, int(here)))


def for_all(group: Group | None, make: Callable[[], Found]) -> Found:
    """What ``make`` gives in the first process, in all of them; its error, too, is everybody's."""
    if group is None:
        return make()
    given: Any = None
    if group.rank == 0:
        try:
            given = make(), None
        except BeakError as error:
            given = None, error
    found, wrong = group.told(given)
    if wrong is not None:
        raise wrong
    kept: Found = found
    return kept


def check_together(recipe: Recipe) -> None:
    """Raise UsageError for what several processes do not do."""
    for name, value in (("--folds", recipe.folds), ("--compare", recipe.compare)):
        if value:
            raise UsageError(
                f"{name} trains one network after another; with several processes leave it out"
            )
