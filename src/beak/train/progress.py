"""Where a training stands: all that a checkpoint has to hold besides the engine's arrays."""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from beak.data.dataset import Dataset
from beak.engine.interface import Engine
from beak.errors import BeakError, RunError
from beak.runs.directory import RunDirectory, group
from beak.runs.machine import beak_version
from beak.train.recipe import Recipe

Array = np.ndarray[Any, Any]


class DivergedError(BeakError):
    """The loss or the weights are no finite numbers any more."""


@dataclass
class Progress:
    """Position in the data, the epoch's sums so far, and the best epoch so far."""

    epoch: int = 1
    step: int = 0
    """Steps that this epoch has behind it."""
    loss_sum: float = 0.0
    correct: int = 0
    seen: int = 0
    seconds: float = 0.0
    """Time that this epoch has taken so far; the one number that no result depends on."""
    best_epoch: int = 0
    best_loss: float = float("inf")
    ended: bool = False
    """Early stopping has ended the training."""
    best: dict[str, Array] = field(default_factory=dict)
    """The best epoch's weights, kept only where early stopping is on."""

    def next_epoch(self) -> None:
        """Forget the epoch's sums."""
        self.epoch += 1
        self.step, self.loss_sum, self.correct, self.seen, self.seconds = 0, 0.0, 0, 0, 0.0


def save_progress(
    directory: RunDirectory, engine: Engine, dataset: Dataset, recipe: Recipe, progress: Progress
) -> None:
    """Write the checkpoint; DivergedError, the one before kept, where weights are not finite."""
    parameters = engine.parameters()
    if not all(np.isfinite(value).all() for value in parameters.values()):
        raise DivergedError("the weights are not finite any more")
    arrays = {f"parameters.{name}": value for name, value in parameters.items()}
    arrays |= {f"state.{name}": value for name, value in engine.training_state().items()}
    arrays |= {f"best.{name}": value for name, value in progress.best.items()}
    position = {f.name: getattr(progress, f.name) for f in dataclasses.fields(progress)}
    del position["best"]
    position["best_loss"] = repr(progress.best_loss)  # infinity is no JSON
    made_on = {"fingerprint": dataset.fingerprint, **circumstances(engine, recipe)}
    directory.save_checkpoint(arrays, {"position": position, **made_on})


def restore_progress(
    directory: RunDirectory, engine: Engine, dataset: Dataset, recipe: Recipe
) -> tuple[Progress, list[str]]:
    """Bring engine and history to where the checkpoint stands; progress, and notes for the user.

    The engine has started training with the same recipe. Raises RunError where the checkpoint is
    damaged or was made with other data.
    """
    arrays, info = directory.load_checkpoint()
    if info.get("fingerprint") != dataset.fingerprint:
        raise RunError(
            f"{directory}: the examples or their split are not those that the training began "
            "with; bring them back, or train again"
        )
    try:
        progress = _position(info["position"], recipe)
        progress.best = group(arrays, "best")
        engine.set_parameters(group(arrays, "parameters"))
        engine.set_training_state(group(arrays, "state"))
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(
            f"{directory}: the checkpoint does not fit its recipe ({error}); train again"
        ) from None
    directory.cut_history(progress.epoch - 1)
    return progress, _differences(info, circumstances(engine, recipe), directory)


def _position(kept: Mapping[str, Any], recipe: Recipe) -> Progress:
    """The position as it was; ValueError where it is none that a training can be in."""
    whole = {name: kept[name] for name in ("epoch", "step", "correct", "seen", "best_epoch")}
    real: dict[str, Any] = {
        name: float(kept[name]) for name in ("loss_sum", "seconds", "best_loss")
    }
    if any(type(number) is not int or not 0 <= number < 2**53 for number in whole.values()):
        raise ValueError("its counts are no whole numbers")
    if any(math.isnan(number) for number in real.values()) or whole["epoch"] < 1:
        raise ValueError("its sums are no numbers")
    if whole["step"] and not whole["seen"]:
        raise ValueError("it has seen steps without examples")
    return Progress(**whole, **real, ended=bool(kept["ended"]))


def circumstances(engine: Engine, recipe: Recipe) -> dict[str, Any]:
    """What besides the data the last bit of a result depends on."""
    text = recipe.to_toml(comments=False).encode()
    return {
        "recipe": hashlib.sha256(text).hexdigest()[:12],
        "engine": engine.name,
        "instructions": instructions_of(engine),
        "version": beak_version(),
    }


def instructions_of(engine: Engine) -> str:
    """The instruction set that the engine's kernels use; torch and its device; or "numpy"."""
    if engine.name == "torch":
        return str(getattr(engine, "described", "torch"))
    if engine.name != "native":
        return "numpy"
    from beak.ops.kernel import instruction_set

    return instruction_set()


def _differences(
    before: Mapping[str, Any], now: Mapping[str, Any], directory: RunDirectory
) -> list[str]:
    changed = [
        f"{name} {before.get(name)} then, {value} now"
        for name, value in now.items()
        if before.get(name) != value
    ]
    if not changed:
        return []
    return [f"{directory} goes on, but not to the same bytes: {'; '.join(changed)}"]
