"""An optimiser's variables as Keras's files list them: steps, rate, moments.

Behind the step count and the rate (which is left out where a schedule gives it) comes an array for
each variable that is trained: Adam's two moments lie side by side, the others kind by kind.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from beak.keras import config
from beak.keras.optimizers import Optimizer, Rate
from beak.keras.tensors import Array, Variable

if TYPE_CHECKING:
    from beak.keras.model import Model

Slot = tuple[str, str]
"""What Keras calls a moment, and what the learner calls it."""


def slots_of(optimizer: Optimizer) -> list[Slot]:
    """Which moments an optimiser has, in Keras's order."""
    if optimizer.kind == "adam":
        return [("momentum", "first"), ("velocity", "second")]
    has_momentum = getattr(optimizer, "momentum", 0.0) > 0
    momentum = [("momentum", "velocity")] if has_momentum else []
    if optimizer.kind == "sgd":
        return momentum
    centred = [("average_gradient", "mean")] if getattr(optimizer, "centered", False) else []
    return [("velocity", "second"), *momentum, *centred]


def _places(optimizer: Optimizer, trained: Sequence[Variable]) -> list[tuple[Variable, Slot]]:
    """Each moment's variable and kind, in the order of a file."""
    slots = slots_of(optimizer)
    if optimizer.kind == "adam":
        return [(variable, slot) for variable in trained for slot in slots]
    return [(variable, slot) for slot in slots for variable in trained]


def listed(model: Model) -> list[tuple[str, Array]]:
    """The variables of a compiled model's optimiser, by their paths."""
    optimizer, state = model.optimizer, model._training
    found: list[tuple[str, Any]] = [("iteration", np.array(optimizer.iterations, np.int32))]
    if not optimizer.scheduled:
        found.append(("learning_rate", np.array(float(optimizer.learning_rate), np.float32)))
    runtime = state.runtime
    held = state.moments
    if runtime is not None and runtime.learner is not None:
        held = runtime.moments()
    if held is not None:
        found += [
            (
                f"{variable.path.replace('/', '_')}_{slot}",
                held.get((id(variable), kind), np.zeros(variable.shape, np.float32)),
            )
            for variable, (slot, kind) in _places(optimizer, model.trainable_weights)
        ]
    return [(f"{optimizer.name}/{name}", np.asarray(value)) for name, value in found]


def take(model: Model, arrays: Sequence[Array] | None, where: str, built: bool = True) -> None:
    """Let a compiled model's optimiser go on with these variables.

    Where they are others than it has, nothing is taken and that is said, as in Keras.
    ``built``: whether the optimiser has its moments already, be it at zero.
    """
    if not arrays:
        return
    optimizer, state = model.optimizer, model._training
    places = _places(optimizer, model.trainable_weights) if built else []
    wanted = [(), *([] if optimizer.scheduled else [()]), *(v.shape for v, _ in places)]
    if [array.shape for array in arrays] != wanted:
        if len(arrays) > 2 or built is False:
            config.note(
                f"{where}: the optimizer's {len(arrays)} variables are not taken, {len(wanted)} "
                f"were wanted for {type(optimizer).__name__}; it begins anew"
            )
        return
    optimizer.iterations = int(arrays[0])
    rate = optimizer._rate
    if isinstance(rate, Rate) and np.float32(rate.value) != np.float32(arrays[1]):
        rate.assign(arrays[1])  # else the file's config has said it in more digits
    behind = arrays[len(wanted) - len(places) :]
    state.moments = {
        (id(variable), kind): array
        for (variable, (_, kind)), array in zip(places, behind, strict=True)
    }
    if state.runtime is not None:
        state.runtime.learner = None
