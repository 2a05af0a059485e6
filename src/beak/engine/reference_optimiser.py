"""The optimiser of the reference engine: moments, clipping, the moving average, in float64."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from beak.engine.checks import check_names
from beak.engine.interface import Optimiser
from beak.errors import ShapeError, UsageError, did_you_mean
from beak.network.network import Network
from beak.ops.optimiser import reference

Array = np.ndarray[Any, Any]
MOMENTS = {"sgd": ("velocity",), "adam": ("first", "second"), "adamw": ("first", "second")}


class ReferenceOptimiser:
    """Changes a network's trainable parameters by the settings' rule; remembers what that needs."""

    def __init__(
        self, network: Network, settings: Optimiser, parameters: Mapping[str, Array]
    ) -> None:
        if settings.kind not in MOMENTS:
            raise UsageError(
                f"no optimiser '{settings.kind}'{did_you_mean(settings.kind, MOMENTS)}"
            )
        self.settings = settings
        self.step = 0
        self._specs = {name: p for name, p in network.parameters.items() if p.trainable}
        kept = [f"{moment}.{name}" for name in self._specs for moment in MOMENTS[settings.kind]]
        self._moments = {key: np.zeros(self._specs[key.partition(".")[2]].shape) for key in kept}
        averaged = self._specs if settings.average is not None else ()
        self.average = {name: parameters[name].copy() for name in averaged}

    def update(
        self,
        parameters: dict[str, Array],
        gradients: Mapping[str, Array],
        learning_rate: float,
        touched: Mapping[str, Array],
    ) -> None:
        """One step on all trainable parameters, in place of the old ones in the dict.

        ``touched``: for embeddings, which rows the batch read, bool (words,); the other rows keep
        weights and moments, weight decay included.
        """
        clip = self.settings.clip_norm
        own = {name: gradients[name] for name in self._specs}
        scale = 1.0 if clip is None else reference.clip_scale(own.values(), clip)
        self.step += 1
        for name, gradient in own.items():
            old = [parameters[name], *(self._moments[key] for key in self._keys(name))]
            new = self._rule(name, gradient * scale, old, learning_rate)
            if name in touched:
                rows = touched[name][:, None]
                new = [np.where(rows, n, o) for n, o in zip(new, old, strict=True)]
            parameters[name] = new[0]
            self._moments.update(zip(self._keys(name), new[1:], strict=True))
        for name, average in self.average.items():
            decay = self.settings.average or 0.0
            self.average[name] = reference.moving_average(average, parameters[name], decay)
        for name, limit in ((n, p.max_norm) for n, p in self._specs.items() if p.max_norm):
            for arrays in (parameters, self.average) if self.average else (parameters,):
                arrays[name] = reference.max_norm(arrays[name], limit)

    def _rule(
        self, name: str, gradient: Array, old: list[Array], learning_rate: float
    ) -> list[Array]:
        """The new parameter and its new moments."""
        given, (parameter, *moments) = self.settings, old
        decay = given.weight_decay if self._specs[name].decay else 0.0
        if given.kind == "sgd":
            options = (given.momentum, given.nesterov, decay)
            return list(reference.sgd(parameter, gradient, moments[0], learning_rate, *options))
        rule = reference.adam if given.kind == "adam" else reference.adamw
        first, second = moments
        betas = (given.beta1, given.beta2, given.epsilon)
        known = (parameter, gradient, first, second, self.step, learning_rate)
        return list(rule(*known, *betas, decay))

    def _keys(self, name: str) -> list[str]:
        return [f"{moment}.{name}" for moment in MOMENTS[self.settings.kind]]

    def state(self) -> dict[str, Array]:
        """The step count, moments and average, as arrays by name."""
        averages = {f"average.{name}": array for name, array in self.average.items()}
        arrays = {key: array.copy() for key, array in {**self._moments, **averages}.items()}
        return {"step": np.array(self.step, np.int64), **arrays}

    def set_state(self, state: Mapping[str, Array]) -> None:
        """Take what ``state`` gave; ShapeError where names or shapes are others."""
        wanted = self.state()
        check_names("training state", state, wanted)
        for key, array in wanted.items():
            if np.shape(state[key]) != array.shape:
                raise ShapeError(
                    f"training state '{key}' has shape {np.shape(state[key])}, {array.shape} was "
                    "wanted; it belongs to another network"
                )
        self.step = int(state["step"])
        self._moments = {key: np.array(state[key], np.float64) for key in self._moments}
        self.average = {n: np.array(state[f"average.{n}"], np.float64) for n in self.average}
