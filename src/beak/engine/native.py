"""The native engine: a network runs as one table of compiled kernel calls."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from beak.engine.checks import (
    check_inputs,
    check_labels,
    check_names,
    check_output_gradient,
    check_parameters,
    reads_words,
)
from beak.engine.group import Group
from beak.engine.interface import Array, Gradients, Loss, Optimiser, Randomness, StepResult
from beak.engine.lowering.context import orders
from beak.engine.plan import Plan, Purpose
from beak.engine.shared_step import SharedUpdate, shared_step
from beak.engine.slots import Slot, place_parameters
from beak.engine.tape import Arena, Tensor, contents
from beak.engine.update import Buffers, caught_up
from beak.errors import ShapeError, UsageError
from beak.network.initial import initial_parameters
from beak.network.network import Network
from beak.ops.kernel import default_threads

LARGEST_BATCH = 128
"""Answers are computed for at most so many examples at a time."""
CACHE = 4 << 20
"""So many bytes of a layer's inputs and outputs are taken to stay near the cores."""
PLANS = 12
"""So many plans (batch sizes and purposes) are kept ready."""


def answered_at_once(network: Network) -> int:
    """For how many examples answers are computed at a time: what a layer reads lies in a cache.

    >>> from beak.network.catalogue import make_network
    >>> answered_at_once(make_network("lecture", (1, 28, 28), 10))
    128
    """
    floats = [
        sum(map(math.prod, node.input_shapes)) + math.prod(node.output) for node in network.nodes
    ]
    fits = CACHE // (4 * max(floats))
    return min(LARGEST_BATCH, max(8, 1 << (fits.bit_length() - 1))) if fits else 8


class NativeEngine:
    """Runs, differentiates and trains a network on the CPU; see ``engine/interface.py``."""

    name = "native"

    def __init__(
        self,
        network: Network,
        parameters: Mapping[str, Array] | None = None,
        seed: int = 0,
        threads: int | None = None,
        exact: bool = False,
        beside: NativeEngine | None = None,
        group: Group | None = None,
    ) -> None:
        """``exact``: every number is the sum of its terms (no Winograd, no folded norms).

        ``beside``: an engine that never runs at the same time, whose working memory is shared.
        ``group``: processes that share every training step; see ``engine/shared_step.py``.
        """
        self.group = group
        self.network = network
        self.at_once = answered_at_once(network)
        self.exact = exact
        self.threads = threads or default_threads()
        self.slots = place_parameters(network, orders(network))
        size = self.slots.trainable_size
        self._buffers = Buffers(
            self.slots,
            parameters=np.zeros(size, np.float32),
            fixed=np.zeros(self.slots.fixed_size, np.float32),
            gradient=np.zeros(size, np.float32),
            moment1=np.zeros(0, np.float32),
            moment2=np.zeros(0, np.float32),
            average=np.zeros(0, np.float32),
            settings=np.ones(8),
            averaged={
                segment.rows[0]: np.zeros(segment.rows[1], np.int64)
                for segment in self.slots.segments
                if segment.rows is not None
            },
        )
        self._arena: Arena = beside._arena if beside is not None else Arena()
        self._plans: OrderedDict[tuple[Any, ...], Plan] = OrderedDict()
        self._optimiser: Optimiser | None = None
        self._shared: SharedUpdate | None = None
        self._loss = Loss()
        self._step = 0
        self._version = 0
        self._words = reads_words(network)
        self._frozen: frozenset[str] = frozenset()
        self.set_parameters(parameters or initial_parameters(network, seed))

    # Parameters.

    def parameters(self, average: bool = False) -> dict[str, Array]:
        """Copies of all parameters under the network's names and in its shapes."""
        trainable = self._buffers.parameters
        if average:
            if not self._buffers.average.size:
                raise UsageError("no average is kept; train with Optimiser(average=0.999)")
            trainable = caught_up(self._buffers, self._step)
        return self._unpack(trainable) | {
            name: slot.unpack(self._buffers.fixed[slot.range])
            for name, slot in self.slots.fixed.items()
        }

    def set_parameters(self, parameters: Mapping[str, Array]) -> None:
        """Take parameters; a missing, unknown or misshapen name raises ShapeError."""
        check_parameters(self.network, parameters)
        self._version += 1
        for name, slot in self.slots.trainable.items():
            self._buffers.parameters[slot.range] = slot.pack(np.asarray(parameters[name]))
        for name, slot in self.slots.fixed.items():
            self._buffers.fixed[slot.range] = slot.pack(np.asarray(parameters[name]))

    def _unpack(self, flat: Array) -> dict[str, Array]:
        slots: dict[str, Slot] = self.slots.trainable
        return {
            name: slots[name].unpack(flat[slots[name].range])
            for name in self.network.parameters
            if name in slots
        }

    # Answers.

    def forward(self, inputs: Array) -> Array:
        """The network's answers (B, *output)."""
        return self._answers(inputs, logits=False)

    def logits(self, inputs: Array) -> Array:
        """What stands before the final softmax."""
        return self._answers(inputs, logits=True)

    def _answers(self, inputs: Array, logits: bool) -> Array:
        inputs = self._checked(inputs)
        answers = np.empty((len(inputs), *self.network.output), np.float32)
        for begin in range(0, len(inputs), self.at_once):
            batch = inputs[begin : begin + self.at_once]
            with self._arena.lock:
                plan = self._plan("forward", len(batch))
                self._run(plan, batch)
                tensor = plan.logits if logits else plan.outputs[self.network.nodes[-1].name]
                answers[begin : begin + len(batch)] = self._out(tensor, self.network.output)
        return answers

    def activations(self, inputs: Array) -> dict[str, Array]:
        """Every node's output by name, "input" first: unfused, direct kernels."""
        inputs = self._checked(inputs)
        return {"input": inputs.copy()} | self._kept_outputs("activations", inputs)

    def fast_activations(self, inputs: Array) -> dict[str, Array]:
        """The nodes' outputs that ``forward`` writes on its way, by name."""
        return self._kept_outputs("written", self._checked(inputs))

    def _kept_outputs(self, purpose: Purpose, inputs: Array) -> dict[str, Array]:
        """The outputs that a plan keeps, by the node's name, for all inputs."""
        found: dict[str, list[Array]] = {}
        for begin in range(0, max(1, len(inputs)), LARGEST_BATCH):
            batch = inputs[begin : begin + LARGEST_BATCH]
            with self._arena.lock:
                plan = self._plan(purpose, max(1, len(batch)))
                if len(batch):
                    self._run(plan, batch)
                for node in self.network.nodes:
                    if plan.fusions.hides(node.name):
                        continue
                    value = self._out(plan.outputs[node.name], node.output)
                    found.setdefault(node.name, []).append(value[: len(batch)])
        return {name: np.concatenate(values) for name, values in found.items()}

    # Gradients and training.

    def gradients(
        self,
        inputs: Array,
        output_gradient: Array,
        node: str | None = None,
        at: Sequence[str] = (),
    ) -> Gradients:
        """Gradients of sum(node's output x output_gradient), as in prediction."""
        inputs = self._checked(inputs)
        shape = self.network.output if node is None else self.network.node(node).output
        check_output_gradient(output_gradient, len(inputs), shape)
        with self._arena.lock:
            plan = self._plan("gradients", len(inputs), node, at=tuple(at))
            assert plan.output_gradient is not None
            self._into(plan.output_gradient, np.asarray(output_gradient, np.float32))
            self._buffers.gradient[:] = 0
            self._run(plan, inputs)
            return self._gradients(plan)

    def loss_gradients(
        self, inputs: Array, labels: Array, loss: Loss, randomness: Randomness
    ) -> tuple[StepResult, Gradients]:
        """One training-mode pass without changing parameters or running statistics."""
        inputs = self._checked(inputs)
        check_labels(self.network, labels, len(inputs))
        plan = self._plan("loss", len(inputs), loss=loss)
        fixed = self._buffers.fixed.copy()
        self._buffers.gradient[:] = 0
        result = self._learn(plan, inputs, labels, randomness)
        self._buffers.fixed[:] = fixed
        return result, self._gradients(plan)

    def start_training(self, optimiser: Optimiser, loss: Loss) -> None:
        """Prepare moments, the average and the training plan; steps count from 0."""
        b = self._buffers
        size = self.slots.trainable_size
        b.moment1 = np.zeros(size, np.float32)
        b.moment2 = np.zeros(0 if optimiser.kind == "sgd" else size, np.float32)
        b.average = np.zeros(0, np.float32)
        if optimiser.average is not None:
            b.average = b.parameters.copy()
        for rows in b.averaged.values():
            rows[:] = 0
        b.settings[4] = optimiser.average or 0
        self._optimiser, self._loss, self._step = optimiser, loss, 0
        self._plans.clear()
        self._shared = None

    def train_step(
        self, inputs: Array, labels: Array, learning_rate: float, randomness: Randomness
    ) -> StepResult:
        """Forward, backward and update for one batch; labels are int32 (B,)."""
        if self._optimiser is None:
            raise UsageError("training has not begun; call start_training first")
        inputs = self._checked(inputs)
        if self.group is None:
            check_labels(self.network, labels, len(inputs))
            plan = self._plan("train", len(inputs), loss=self._loss)
        self._step += 1
        self._version += 1
        o, settings = self._optimiser, self._buffers.settings
        settings[0] = learning_rate
        settings[1] = 1 - o.beta1**self._step
        settings[2] = 1 - o.beta2**self._step
        settings[3] = 1
        settings[5] = self._step
        if self.group is not None:
            return shared_step(self, self.group, inputs, labels, randomness)
        return self._learn(plan, inputs, labels, randomness)

    @property
    def buffers(self) -> Buffers:
        """Where parameters, gradients and running statistics lie."""
        return self._buffers

    def learn_share(
        self, inputs: Array, labels: Array, randomness: Randomness
    ) -> tuple[float, float, int]:
        """Forward and backward on a share: its labels' weight, mean loss, how many are right."""
        inputs = self._checked(inputs)
        plan = self._plan("share", len(inputs), loss=self._loss)
        result = self._learn(plan, inputs, labels, randomness)
        return float(plan.total[0]), result.loss, result.correct

    def shared_update(self) -> SharedUpdate:
        """The optimiser's step by itself."""
        assert self._optimiser is not None
        if self._shared is None:
            self._shared = SharedUpdate(self.network, self._buffers, self._optimiser)
        return self._shared

    def _learn(
        self, plan: Plan, inputs: Array, labels: Array, randomness: Randomness
    ) -> StepResult:
        plan.labels[:] = labels
        plan.examples[:] = randomness.examples
        plan.stream[:] = randomness.seed % 2**32, randomness.epoch
        self._run(plan, inputs)
        total = float(plan.total[0])
        loss = float(plan.losses.sum()) / total if total else 0.0  # no label has weight: no loss
        return StepResult(loss, int(plan.correct.sum()), len(inputs))

    def _gradients(self, plan: Plan) -> Gradients:
        def out(tensor: Tensor | None, shape: tuple[int, ...]) -> Array:
            if tensor is None:
                return np.zeros((plan.images, *shape), np.float32)
            return self._out(tensor, shape)

        by_node = {
            name: out(tensor, self.network.node(name).output)
            for name, tensor in plan.node_gradients.items()
        }
        by_input = out(plan.input_gradient, self.network.input)
        return Gradients(self._unpack(self._buffers.gradient), by_input, by_node)

    def training_state(self) -> dict[str, Array]:
        """Moments, the average and the step count, under public names and in public shapes."""
        state = {"step": np.array(self._step, np.int64)}
        for kind, flat in self._state_buffers().items():
            state |= {f"{kind}.{name}": value for name, value in self._unpack(flat).items()}
        return state | {name: steps.copy() for name, steps in self._average_steps().items()}

    def _average_steps(self) -> dict[str, Array]:
        """Of embeddings whose average is kept: the step that each row's average stands at."""
        b = self._buffers
        return {f"averaged.{n}": steps for n, steps in b.averaged.items() if b.average.size}

    def _state_buffers(self) -> dict[str, Array]:
        b = self._buffers
        sgd = self._optimiser is not None and self._optimiser.kind == "sgd"
        named = {"velocity" if sgd else "first": b.moment1, "second": b.moment2}
        named["average"] = b.average
        return {kind: flat for kind, flat in named.items() if flat.size}

    def set_training_state(self, state: Mapping[str, Array]) -> None:
        """Take what ``training_state`` gave, after ``start_training`` with the same settings."""
        expected = self.training_state()
        check_names("training state", state, expected)
        for kind, flat in self._state_buffers().items():
            for name, slot in self.slots.trainable.items():
                value = np.asarray(state[f"{kind}.{name}"])
                if value.shape != slot.shape:
                    raise ShapeError(f"{kind}.{name} has shape {value.shape}, not {slot.shape}")
                flat[slot.range] = slot.pack(value)
        for name, steps in self._average_steps().items():
            if np.shape(state[name]) != steps.shape:
                raise ShapeError(f"{name} has shape {np.shape(state[name])}, not {steps.shape}")
            steps[:] = state[name]
        self._step = int(state["step"])

    # Plans.

    def plan(self, purpose: Purpose, images: int) -> Plan:
        """The plan for batches of so many images, for looking at and for measuring.

        "train" comes after ``start_training``, whose loss it takes.
        """
        return self._plan(purpose, images, loss=self._loss if purpose == "train" else None)

    def timed(self, plan: Plan, inputs: Array) -> Array:
        """Run a plan's table on inputs as they come; the seconds that each of its calls took."""
        assert plan.table is not None
        self._stage(plan, inputs)
        return plan.table.timed(self.threads)

    def _plan(
        self,
        purpose: Purpose,
        images: int,
        node: str | None = None,
        loss: Loss | None = None,
        at: tuple[str, ...] = (),
    ) -> Plan:
        for name in at if node is None else (node, *at):
            self.network.node(name)
        key = (purpose, images, node, loss, at)
        plan = self._plans.get(key)
        if plan is None:
            plan = Plan(
                self.network,
                self._buffers,
                images,
                purpose,
                node=node,
                at=at,
                loss=loss,
                optimiser=self._optimiser,
                exact=self.exact,
                threads=self.threads,
                frozen=self._frozen if purpose == "learn" else frozenset(),
            )
            self._plans[key] = plan
            while len(self._plans) > PLANS:
                self._plans.popitem(last=False)
        self._plans.move_to_end(key)
        plan.bind(self._arena)
        return plan

    def _run(self, plan: Plan, inputs: Array) -> None:
        self._stage(plan, inputs)
        plan.run(self.threads, self._version)

    def _stage(self, plan: Plan, inputs: Array) -> None:
        staging = contents(
            plan.staging, self._arena.memory, np.int32 if self._words else np.float32
        )
        staging.reshape(inputs.shape)[...] = inputs

    def _checked(self, inputs: Array) -> Array:
        check_inputs(self.network, inputs)
        return np.ascontiguousarray(inputs, np.int32 if self._words else np.float32)

    def _out(self, tensor: Tensor, shape: tuple[int, ...]) -> Array:
        """A tensor as a new array (B, *shape), channels first."""
        values = contents(tensor, self._arena.memory)
        if tensor.order is not None:
            channels, height, width = tensor.order
            values = values.reshape(-1, height, width, channels)
        moved = values.transpose(0, 3, 1, 2)
        return np.ascontiguousarray(moved).reshape(tensor.images, *shape).copy()

    def _into(self, tensor: Tensor, values: Array) -> None:
        """Write (B, *shape), channels first, into a tensor."""
        height, width, channels = tensor.height, tensor.width, tensor.channels
        if tensor.order is not None:
            channels, height, width = tensor.order
        moved = values.reshape(-1, channels, height, width).transpose(0, 2, 3, 1)
        to = contents(tensor, self._arena.memory)
        to[...] = moved.reshape(to.shape)
