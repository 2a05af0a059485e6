"""The optimiser of the torch engine: torch's own fused steps, embeddings by their touched rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.optim.adam import adam as _adam
from torch.optim.sgd import sgd as _sgd

from beak.engine.checks import check_names
from beak.engine.interface import Array, Optimiser
from beak.engine.torch_module import to_numpy
from beak.errors import ShapeError, UsageError, did_you_mean
from beak.network.layers import Embedding
from beak.network.network import Network

adam: Any = _adam  # as they are at run time: their decorators lose the types
sgd: Any = _sgd
MOMENTS = {"sgd": ("velocity",), "adam": ("first", "second"), "adamw": ("first", "second")}


class TorchOptimiser:
    """Changes a module's parameters in place by the settings' rule; its state has native's names.

    Parameters share a step by what holds for them: weight decay or none. The rows of an embedding
    that a batch did not touch keep weights and moments.
    """

    def __init__(
        self, network: Network, settings: Optimiser, parameters: Mapping[str, Tensor]
    ) -> None:
        if settings.kind not in MOMENTS:
            raise UsageError(
                f"no optimiser '{settings.kind}'{did_you_mean(settings.kind, MOMENTS)}"
            )
        self.settings = settings
        self.step = 0
        self._specs = {name: p for name, p in network.parameters.items() if p.trainable}
        self.parameters = {name: parameters[name] for name in self._specs}
        self.words = {
            f"{node.name}.weight"
            for node in network.nodes
            if isinstance(node.layer, Embedding) and node.layer.trainable
        }
        whole = [name for name in self._specs if name not in self.words]
        decays = (True, False) if settings.weight_decay else (None,)
        self._groups = [
            [name for name in whole if decay in (None, self._specs[name].decay)] for decay in decays
        ]
        self._moments = {
            f"{moment}.{name}": torch.zeros_like(p)
            for moment in MOMENTS[settings.kind]
            for name, p in self.parameters.items()
        }
        averaged = self.parameters if settings.average is not None else {}
        self.average = {name: p.detach().clone() for name, p in averaged.items()}

    @torch.no_grad()
    def update(self, rate: float, touched: Mapping[str, Tensor]) -> None:
        """One step by the parameters' ``grad``; ``touched``: by embedding, the rows to change."""
        self.step += 1
        self._clip()
        for names in self._groups:
            if names:
                moments = [[self._moments[f"{m}.{n}"] for n in names] for m in self._kinds]
                own = [self.parameters[name] for name in names]
                self._move(rate, own, [p.grad for p in own], moments, self._specs[names[0]].decay)
        for name, rows in touched.items():
            whole = [self.parameters[name], *(self._moments[f"{m}.{name}"] for m in self._kinds)]
            p, *moments_of = [tensor[rows] for tensor in whole]
            gradient = self.parameters[name].grad
            assert gradient is not None
            decay = self._specs[name].decay
            self._move(rate, [p], [gradient[rows]], [[m] for m in moments_of], decay)
            for tensor, changed in zip(whole, [p, *moments_of], strict=True):
                tensor[rows] = changed
        self._after()

    def _move(
        self,
        rate: float,
        parameters: list[Tensor],
        gradients: Sequence[Tensor | None],
        moments: list[list[Tensor]],
        decayed: bool,
    ) -> None:
        """Torch's own step on some parameters and their moments."""
        given = self.settings
        decay = given.weight_decay if decayed else 0.0
        common: dict[str, Any] = {"lr": rate, "weight_decay": decay, "maximize": False}
        common["fused"] = all(p.device.type in ("cpu", "cuda", "mps") for p in parameters)
        if given.kind == "sgd":
            kept: list[Tensor | None] = list(moments[0])
            sgd(
                parameters, list(gradients), kept,
                momentum=given.momentum, dampening=0.0,
                nesterov=given.nesterov and given.momentum > 0, **common,
            )  # fmt: skip
            return
        steps = [torch.tensor(float(self.step - 1), device=p.device) for p in parameters[:1]]
        adam(
            parameters, list(gradients), *moments, [],
            [steps[0].clone() for _ in parameters], amsgrad=False, eps=given.epsilon,
            beta1=given.beta1, beta2=given.beta2, decoupled_weight_decay=given.kind == "adamw",
            **common,
        )  # fmt: skip

    def _clip(self) -> None:
        """Scale the whole gradient down where it is too long."""
        limit = self.settings.clip_norm
        gradients = [p.grad for p in self.parameters.values() if p.grad is not None]
        if limit is not None:
            norm = torch.nn.utils.get_total_norm(gradients)
            scale = limit / (norm + 1e-6)
            torch._foreach_mul_(gradients, torch.where(scale > 1, torch.ones_like(scale), scale))

    def _after(self) -> None:
        """The moving average, and rows that have grown too long."""
        names = list(self.average)
        if names:
            keep = self.settings.average or 0.0
            own = [self.parameters[name] for name in names]
            torch._foreach_lerp_([self.average[name] for name in names], own, 1 - keep)
        for name, spec in self._specs.items():
            if spec.max_norm is not None:
                for held in (self.parameters, self.average) if names else (self.parameters,):
                    long = held[name].flatten(1).norm(dim=1)
                    scale = torch.where(long > spec.max_norm, spec.max_norm / long, 1.0)
                    held[name].mul_(scale.reshape(-1, *(1,) * (held[name].ndim - 1)))

    @property
    def _kinds(self) -> tuple[str, ...]:
        return MOMENTS[self.settings.kind]

    def state(self) -> dict[str, Array]:
        """The step count, moments and average as the native engine names them."""
        kept = {**self._moments, **{f"average.{n}": p for n, p in self.average.items()}}
        state = {"step": np.array(self.step, np.int64)}
        state |= {key: to_numpy(tensor) for key, tensor in kept.items()}
        return state | self._average_steps()

    def _average_steps(self) -> dict[str, Array]:
        """The step that each row's average stands at: here always the last."""
        if not self.average:
            return {}
        names = [name for name in self.parameters if name in self.words]
        counts = {name: len(self.parameters[name]) for name in names}
        return {
            f"averaged.{name.rpartition('.')[0]}": np.full(count, self.step, np.int64)
            for name, count in counts.items()
        }

    def set_state(self, state: Mapping[str, Array]) -> None:
        """Take what ``state`` gave, or the native engine's; ShapeError where it does not fit."""
        wanted = self.state()
        check_names("training state", state, wanted)
        for key, array in wanted.items():
            if np.shape(state[key]) != array.shape:
                raise ShapeError(
                    f"training state '{key}' has shape {np.shape(state[key])}, {array.shape} was "
                    "wanted; it belongs to another network"
                )
        self.step = int(state["step"])
        held = {**self._moments, **{f"average.{n}": p for n, p in self.average.items()}}
        with torch.no_grad():
            for key, tensor in held.items():
                tensor.copy_(torch.from_numpy(np.ascontiguousarray(state[key])))
            self._catch_up(state)

    def _catch_up(self, state: Mapping[str, Array]) -> None:
        """Native averages a row when it is met again; here every row's stands at the last step."""
        for name in self.words if self.average else ():
            late = self.step - np.asarray(state[f"averaged.{name.rpartition('.')[0]}"])
            keep = torch.from_numpy((self.settings.average or 0.0) ** late.astype(np.float64))
            keep = keep.to(self.average[name])[:, None]
            self.average[name].lerp_(self.parameters[name], 1 - keep)
