"""The torch engine: the same network, interface and numbers as the native one, by PyTorch.

For GPUs, for several processes, and as a second opinion on a CPU. It is imported only when it is
wanted; the files of this room whose names begin with ``torch`` alone import torch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from beak.engine.checks import (
    check_inputs,
    check_labels,
    check_output_gradient,
    check_parameters,
    reads_words,
)
from beak.engine.group import Group, Sums
from beak.engine.interface import Array, Gradients, Loss, Optimiser, Randomness, StepResult
from beak.engine.torch_device import has_bfloat16
from beak.engine.torch_group import summed
from beak.engine.torch_module import TorchNetwork, load_parameters, parameters_of, to_numpy
from beak.engine.torch_optimiser import TorchOptimiser
from beak.engine.torch_parts import BatchNorm
from beak.engine.torch_random import masks
from beak.errors import UsageError
from beak.network.initial import initial_parameters
from beak.network.network import Network

AT_ONCE = {"cpu": 128}
"""Answers are computed for at most so many examples at a time, by device; elsewhere 1024."""


class TorchEngine:
    """Runs, differentiates and trains a network by PyTorch; see ``engine/interface.py``."""

    name = "torch"

    def __init__(
        self,
        network: Network,
        parameters: Mapping[str, Array] | None = None,
        seed: int = 0,
        threads: int | None = None,
        exact: bool = False,
        device: str = "cpu",
        group: Group | None = None,
    ) -> None:
        """``exact``: float32 throughout; else a GPU that has bfloat16 trains its products in it.

        ``threads``: torch keeps one number for the whole process. ``group``: processes that share
        each training step; batch norms then normalise by all of their examples.
        """
        self.network = network
        self.device = torch.device(device)
        self.exact = exact
        self._half = not exact and has_bfloat16(self.device)
        self.group = group
        if threads and self.device.type == "cpu":
            torch.set_num_threads(threads)
        self.module = TorchNetwork(network).to(self.device)
        if len(network.input) == 3:
            self.module = self.module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.module.eval()
        if group is not None:
            for part in self.module.modules():
                if isinstance(part, BatchNorm):
                    part.reduce = partial(summed, add_up=group.add_up)
        self._words = reads_words(network)
        self._optimiser: TorchOptimiser | None = None
        self._loss = Loss()
        self.set_parameters(initial_parameters(network, seed) if parameters is None else parameters)

    @property
    def described(self) -> str:
        """What its last bits depend on: 'torch 2.13.0 on cpu'."""
        return f"torch {torch.__version__.partition('+')[0]} on {self.device.type}"

    # Parameters.

    def parameters(self, average: bool = False) -> dict[str, Array]:
        """Copies of all parameters under the network's names and in its shapes."""
        averaged: dict[str, Tensor] = {}
        if average:
            averaged = self._training().average
            if not averaged:
                raise UsageError("no average is kept; train with Optimiser(average=0.999)")
        own = parameters_of(self.module)
        return own | {name: to_numpy(value) for name, value in averaged.items()}

    def set_parameters(self, parameters: Mapping[str, Array]) -> None:
        """Take parameters; a missing, unknown or misshapen name raises ShapeError."""
        check_parameters(self.network, parameters)
        load_parameters(self.module, parameters)

    # Answers.

    def forward(self, inputs: Array) -> Array:
        """The network's answers (B, *output)."""
        return self._answers(inputs, logits=False)

    def logits(self, inputs: Array) -> Array:
        """What stands before the final softmax."""
        return self._answers(inputs, logits=True)

    def _answers(self, inputs: Array, logits: bool) -> Array:
        check_inputs(self.network, inputs)
        answers = np.empty((len(inputs), *self.network.output), np.float32)
        self.module.logits = logits and self.network.classifies
        step = AT_ONCE.get(self.device.type, 1024)
        self._mode(training=False)
        with torch.inference_mode():
            for begin in range(0, len(inputs), step):
                found = self.module(self._in(inputs[begin : begin + step]))
                answers[begin : begin + step] = found.cpu().numpy()
        return answers

    def activations(self, inputs: Array) -> dict[str, Array]:
        """Every node's output by name, "input" first."""
        check_inputs(self.network, inputs)
        self._mode(training=False)
        with torch.inference_mode():
            values, _ = self.module.values(self._in(inputs))
        dtype = np.int32 if self._words else np.float32
        found = {name: to_numpy(value) for name, value in values.items() if name != "input"}
        return {"input": np.array(inputs, dtype), **found}

    def fast_activations(self, inputs: Array) -> dict[str, Array]:
        """Every node's output: nothing is fused here."""
        return {name: value for name, value in self.activations(inputs).items() if name != "input"}

    # Gradients and training.

    def gradients(
        self,
        inputs: Array,
        output_gradient: Array,
        node: str | None = None,
        at: Sequence[str] = (),
    ) -> Gradients:
        """Gradients of sum(node's output x output_gradient), as in prediction."""
        shape = self.network.output if node is None else self.network.node(node).output
        check_inputs(self.network, inputs)
        check_output_gradient(output_gradient, len(inputs), shape)
        for name in at:
            self.network.node(name)
        x = self._in(inputs).requires_grad_(not self._words)
        self._mode(training=False)
        values, logits = self.module.values(x)
        start = logits if node is None else values[node]
        slope = torch.from_numpy(np.array(output_gradient, np.float32)).to(self.device)
        by_node = {name: values[name] for name in at}
        found = self._slopes(start, slope, x, by_node)
        if node is None and self.network.nodes[-1].name in at:  # what it is given is its gradient
            found.nodes[self.network.nodes[-1].name] = np.array(output_gradient, np.float32)
        return found

    def loss_gradients(
        self, inputs: Array, labels: Array, loss: Loss, randomness: Randomness
    ) -> tuple[StepResult, Gradients]:
        """One training-mode pass without changing parameters or running statistics."""
        check_inputs(self.network, inputs)
        check_labels(self.network, labels, len(inputs))
        before = {name: b.clone() for name, b in self.module.named_buffers()}
        x = self._in(inputs).requires_grad_(not self._words)
        self._mode(training=True)
        logits = self._training_logits(x, randomness)
        mean = loss_of(logits, self._labels(labels), loss)
        found = self._slopes(mean, torch.ones_like(mean), x, {})
        for name, buffer in self.module.named_buffers():
            buffer.copy_(before[name])
        return self._result(mean, logits, labels), found

    def start_training(self, optimiser: Optimiser, loss: Loss) -> None:
        """Prepare moments and the average; steps count from 0."""
        self._optimiser = TorchOptimiser(self.network, optimiser, self._named())
        self._loss = loss

    def train_step(
        self, inputs: Array, labels: Array, learning_rate: float, randomness: Randomness
    ) -> StepResult:
        """Forward, backward and update for one batch; labels are int32 (B,)."""
        optimiser = self._training()
        check_inputs(self.network, inputs)
        if self.group is None or len(inputs):
            check_labels(self.network, labels, len(inputs))
        x = self._in(inputs)
        self.module.zero_grad(set_to_none=True)
        if self.group is not None:
            return self._shared_step(self.group, x, labels, learning_rate, randomness)
        self._mode(training=True)
        logits = self._training_logits(x, randomness)
        mean = loss_of(logits, self._labels(labels), self._loss)
        mean.backward()  # type: ignore[no-untyped-call]
        touched = {name: rows for name, (rows, _) in self._touched(x).items()}
        optimiser.update(learning_rate, touched)
        return self._result(mean, logits, labels)

    def _shared_step(
        self, group: Group, x: Tensor, labels: Array, rate: float, randomness: Randomness
    ) -> StepResult:
        """A step on this process's share; one sum over all; the same change in each."""
        optimiser = self._training()
        self._mode(training=True)
        logits = self._training_logits(x, randomness)
        total, weight = loss_sums(logits, self._labels(labels), self._loss)
        total.backward()  # type: ignore[no-untyped-call]
        gradients = [p.grad for p in optimiser.parameters.values() if p.grad is not None]
        flat = torch.cat([gradient.flatten() for gradient in gradients]).cpu().numpy()
        masks_of = self._touched(x)
        read = [np.bincount(rows.cpu().numpy(), minlength=n) for rows, n in masks_of.values()]
        right = int((logits.argmax(1) == self._labels(labels)).sum()) if len(x) else 0
        sums = Sums(group, flat, *read)
        flat, *read, totals = sums.add_up(float(total.detach()), float(weight), right, len(labels))
        whole = torch.from_numpy(flat / (totals[1] or 1.0)).to(self.device)
        parts = torch.split(whole, [gradient.numel() for gradient in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view(gradient.shape))
        touched = [torch.from_numpy(np.flatnonzero(mask)).to(self.device) for mask in read]
        optimiser.update(rate, dict(zip(masks_of, touched, strict=True)))
        return StepResult(totals[0] / (totals[1] or 1.0), round(totals[2]), round(totals[3]))

    def training_state(self) -> dict[str, Array]:
        """Moments, the average and the step count, under the native engine's names."""
        return self._training().state()

    def set_training_state(self, state: Mapping[str, Array]) -> None:
        """Take what ``training_state`` of any engine gave, after ``start_training``."""
        self._training().set_state(state)

    def _training(self) -> TorchOptimiser:
        if self._optimiser is None:
            raise UsageError("training has not begun; call start_training first")
        return self._optimiser

    def _named(self) -> dict[str, Tensor]:
        return dict(self.module.named_parameters())

    def _in(self, inputs: Array) -> Tensor:
        """Inputs on the device, pictures channels last in memory."""
        kind = np.int32 if self._words else np.float32
        x = torch.from_numpy(np.ascontiguousarray(inputs, kind)).to(self.device)
        return x.contiguous(memory_format=torch.channels_last) if x.ndim == 4 else x

    def _labels(self, labels: Array) -> Tensor:
        return torch.from_numpy(np.asarray(labels, np.int64)).to(self.device)

    def _training_logits(self, x: Tensor, randomness: Randomness) -> Tensor:
        self.module.logits = self.network.classifies
        kept = masks(self.network, len(x), randomness, self.device)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self._half):
            logits: Tensor = self.module(x, kept)
        return logits.float()

    def _mode(self, training: bool) -> None:
        """As in training or as in prediction; it costs a walk through all modules, so only once."""
        if self.module.training is not training:
            self.module.train(training)

    def _touched(self, x: Tensor) -> dict[str, tuple[Tensor, int]]:
        """By trained embedding: the numbers of the rows that the batch read, of how many."""
        found = {}
        for step in self.module.steps:
            name = f"{step.name}.weight"
            if name in self._training().words:
                part: Any = step.part
                rows: Tensor = torch.unique(x[:, part.stretch])
                rows = rows if part.padding_idx is None else rows[rows != part.padding_idx]
                found[name] = rows, part.num_embeddings
        return found

    def _slopes(
        self, start: Tensor, slope: Tensor, x: Tensor, by_node: Mapping[str, Tensor]
    ) -> Gradients:
        """Gradients of sum(start x slope) by the parameters, the input and some nodes' outputs."""
        own = {name: p for name, p in self._named().items() if p.requires_grad}
        wanted = {**own, **{f" {name}": value for name, value in by_node.items()}}
        if not self._words:
            wanted[" input"] = x
        needed = {name: t for name, t in wanted.items() if t.requires_grad}
        found = dict.fromkeys(wanted)
        if start.requires_grad and needed:
            slopes = torch.autograd.grad(start, list(needed.values()), slope, allow_unused=True)
            found |= dict(zip(needed, slopes, strict=True))

        def out(name: str, like: Tensor) -> Array:
            value = found.get(name)
            return np.zeros(like.shape, np.float32) if value is None else to_numpy(value)

        nodes = {name: out(f" {name}", value) for name, value in by_node.items()}
        order = [name for name in self.network.parameters if name in own]
        return Gradients({name: out(name, own[name]) for name in order}, out(" input", x), nodes)

    def _result(self, mean: Tensor, logits: Tensor, labels: Array) -> StepResult:
        with torch.no_grad():
            right = (logits.argmax(1) == self._labels(labels)).sum()
        return StepResult(float(mean.detach()), int(right), len(labels))


def loss_of(logits: Tensor, labels: Tensor, loss: Loss) -> Tensor:
    """The batch's mean loss as ``ops/loss`` defines it; 0 where no label has weight."""
    summed, total = loss_sums(logits, labels, loss)
    if not isinstance(total, Tensor):
        return summed / total
    return torch.where(total > 0, summed / total.clamp(min=torch.finfo(torch.float32).tiny), 0.0)


def loss_sums(logits: Tensor, labels: Tensor, loss: Loss) -> tuple[Tensor, Tensor | int]:
    """The losses of a batch's examples added up, and the sum of weights to divide it by."""
    weights = None
    total: Tensor | int = len(labels)
    if loss.class_weights is not None:
        weights = torch.tensor(loss.class_weights, dtype=torch.float32, device=logits.device)
        total = weights[labels].sum()
    summed = functional.cross_entropy(
        logits, labels, weights, reduction="sum", label_smoothing=loss.label_smoothing
    )
    return summed, total
