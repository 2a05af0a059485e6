"""A module of PyTorch's as it is, made ready for the page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from beak.errors import UsageError
from beak.exchange.import_run import Preparation, as_run
from beak.exchange.torch_parts import read_boxed
from beak.runs.run import Run
from beak.runs.safe import one_line

WAY = "beak.look(beak.from_torch(module, (3, 224, 224), boxes=True), picture)"


def module_as_run(module: nn.Module, given: Any) -> tuple[Run, Any]:
    """The module as a run in memory, and the input as that takes it.

    ``given``: one input as the module takes it, a tensor or an array, with or without the batch of
    one. UsageError for anything else; RunError where the module cannot be traced at all.
    """
    values = given.detach().cpu() if hasattr(given, "detach") else given
    if values is None or isinstance(values, str | bytes | Path):
        raise UsageError(
            f"look: a module tells no input's shape; give a tensor that it takes, or write {WAY}"
        )
    array = np.asarray(values, np.float32)
    if array.ndim == 4 or (array.ndim == 3 and array.shape[0] == 1 and _reads_rows(module)):
        if len(array) != 1:
            raise UsageError(f"look: {len(array)} inputs came in; one was wanted, input[:1]")
        array = array[0]
    name = type(module).__name__
    imported = read_boxed(module, array.shape, name)
    found = as_run(imported, Path(one_line(name)), preparation=Preparation(numbers=True))
    return Run(found.model), array


def _reads_rows(module: nn.Module) -> bool:
    """Whether its first layer goes along one axis, so that three sizes hold a batch."""
    leaves = (part for part in module.modules() if not list(part.children()))
    return isinstance(next(leaves, None), nn.Conv1d)
