"""The engine that defines what the others must compute: node by node, float64, never fast."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from beak.engine.checks import (
    check_inputs,
    check_labels,
    check_output_gradient,
    check_parameters,
)
from beak.engine.interface import Gradients, Loss, Optimiser, Randomness, StepResult
from beak.engine.reference_layers import RULES, Call, function_of, slope_of, words_of
from beak.engine.reference_optimiser import ReferenceOptimiser
from beak.errors import ShapeError, UsageError
from beak.network.initial import initial_parameters
from beak.network.layers import BatchNorm, Dropout, Embedding
from beak.network.network import Network, Node
from beak.ops.activation.reference import activation, activation_backward
from beak.ops.embedding.reference import touched_rows
from beak.ops.loss.reference import cross_entropy
from beak.ops.normalisation.reference import updated_running_statistics
from beak.ops.random.reference import dropout_mask

Array = np.ndarray[Any, Any]
Tape = dict[str, Call]


class ReferenceEngine:
    """A network computed by the references of ``ops``: slow, clear, float64 in and out.

    It is what the fast engines are tested against. Arrays are as in ``interface.Engine`` but for
    the number type: float64, so that a comparison shows the other engine's rounding alone.
    """

    name = "reference"

    def __init__(
        self, network: Network, parameters: Mapping[str, Array] | None = None, seed: int = 0
    ) -> None:
        self.network = network
        self._optimiser: ReferenceOptimiser | None = None
        self._loss = Loss()
        self.set_parameters(initial_parameters(network, seed) if parameters is None else parameters)

    def parameters(self, average: bool = False) -> dict[str, Array]:
        """Copies of all parameters; ``average``: the moving average of the trainable ones."""
        averaged: dict[str, Array] = {}
        if average:
            averaged = self._training().average
            if not averaged:
                raise UsageError("no average is kept; train with Optimiser(average=0.999)")
        return {name: averaged.get(name, p).copy() for name, p in self._parameters.items()}

    def set_parameters(self, parameters: Mapping[str, Array]) -> None:
        """Take parameters; a missing, unknown or misshapen name raises ShapeError."""
        check_parameters(self.network, parameters)
        names = self.network.parameters
        self._parameters = {name: np.array(parameters[name], np.float64) for name in names}

    def forward(self, inputs: Array) -> Array:
        """The network's answers (B, *network.output), as in prediction."""
        return self._run(inputs)[self.network.nodes[-1].name].output

    def logits(self, inputs: Array) -> Array:
        """What stands before the final softmax; the answers themselves where there is none."""
        return self._answers(self._run(inputs))

    def activations(self, inputs: Array) -> dict[str, Array]:
        """Every node's output by name, "input" first."""
        outputs = {name: call.output for name, call in self._run(inputs).items()}
        return {"input": np.array(inputs, np.float64), **outputs}

    def fast_activations(self, inputs: Array) -> dict[str, Array]:
        """Every node's output: nothing is fused here."""
        return {name: call.output for name, call in self._run(inputs).items()}

    def gradients(
        self,
        inputs: Array,
        output_gradient: Array,
        node: str | None = None,
        at: Sequence[str] = (),
    ) -> Gradients:
        """Gradients of sum(node's output x output_gradient); ``node`` None: the logits.

        Word numbers have no slope: for a network that reads words the input's gradient is 0.
        """
        wanted = self.network.output if node is None else self._shape(node)
        check_output_gradient(output_gradient, len(inputs), wanted)
        return self._backward(self._run(inputs), inputs, output_gradient, node, at)

    def loss_gradients(
        self, inputs: Array, labels: Array, loss: Loss, randomness: Randomness
    ) -> tuple[StepResult, Gradients]:
        """One training-mode pass (batch statistics, dropout) without changing parameters."""
        check_labels(self.network, labels, len(inputs))
        return self._learn(self._run(inputs, randomness), inputs, labels, loss)

    def start_training(self, optimiser: Optimiser, loss: Loss) -> None:
        """Prepare moments and the average; steps count from 0."""
        self._optimiser = ReferenceOptimiser(self.network, optimiser, self._parameters)
        self._loss = loss

    def train_step(
        self, inputs: Array, labels: Array, learning_rate: float, randomness: Randomness
    ) -> StepResult:
        """Forward, backward and update for one batch; labels are int32 (B,)."""
        optimiser = self._training()
        check_labels(self.network, labels, len(inputs))
        tape = self._run(inputs, randomness)
        result, gradients = self._learn(tape, inputs, labels, self._loss)
        touched = {}
        for node in self.network.nodes:
            call = tape[node.name]
            if isinstance(call.layer, Embedding):
                rows = touched_rows(words_of(call), call.layer.words, call.layer.padding_index)
                touched[f"{node.name}.weight"] = rows
            elif isinstance(call.layer, BatchNorm):
                self._feed_running_statistics(node, call)
        optimiser.update(self._parameters, gradients.parameters, learning_rate, touched)
        return result

    def training_state(self) -> dict[str, Array]:
        """Moments, average and step count; with ``parameters()`` it continues to the same bytes."""
        return self._training().state()

    def set_training_state(self, state: Mapping[str, Array]) -> None:
        """Take what ``training_state`` gave, after ``start_training`` with the same settings."""
        self._training().set_state(state)

    def _training(self) -> ReferenceOptimiser:
        if self._optimiser is None:
            raise UsageError("training has not begun; call start_training first")
        return self._optimiser

    def _shape(self, name: str) -> tuple[int, ...]:
        return self.network.input if name == "input" else self.network.node(name).output

    def _run(self, inputs: Array, randomness: Randomness | None = None) -> Tape:
        """Forward through all nodes, in training where there is randomness; keeps every call."""
        check_inputs(self.network, inputs)
        values, tape = {"input": np.asarray(inputs)}, {}
        for node in self.network.nodes:
            own = {name.rpartition(".")[2]: self._parameters[name] for name in node.parameters}
            read = [values[name] for name in node.inputs]
            call = Call(node.layer, read, own, training=randomness is not None)
            if isinstance(node.layer, Dropout) and randomness is not None:
                call.kept = _kept(node, len(inputs), randomness)
            call.before = RULES[type(node.layer)].forward(call)
            function = function_of(node.layer)
            call.output = call.before
            if function is not None:
                call.output = activation(function, call.before, slope_of(node.layer))
            values[node.name] = call.output
            tape[node.name] = call
        return tape

    def _answers(self, tape: Tape) -> Array:
        last = tape[self.network.nodes[-1].name]
        return last.before if self.network.classifies else last.output

    def _learn(
        self, tape: Tape, inputs: Array, labels: Array, loss: Loss
    ) -> tuple[StepResult, Gradients]:
        answers = self._answers(tape)
        mean, slope, correct = cross_entropy(
            answers, np.asarray(labels), loss.label_smoothing, loss.class_weights
        )
        gradients = self._backward(tape, inputs, slope, None)
        return StepResult(mean, correct, len(inputs)), gradients

    def _backward(
        self,
        tape: Tape,
        inputs: Array,
        gradient: Array,
        start: str | None,
        at: Sequence[str] = (),
    ) -> Gradients:
        """Back from a node (None: from the logits), adding up where a value was read twice."""
        last = self.network.nodes[-1]
        from_logits = start is None and self.network.classifies
        by_value = {start or last.name: np.asarray(gradient, np.float64)}
        specs = self.network.parameters.items()
        by_parameter = {name: np.zeros(p.shape) for name, p in specs if p.trainable}
        by_node = {name: np.zeros((len(inputs), *self.network.node(name).output)) for name in at}
        for node in reversed(self.network.nodes):
            if node.name not in by_value:
                continue  # nothing that was asked for depends on it
            call, gradient = tape[node.name], by_value.pop(node.name)
            if node.name in by_node:
                by_node[node.name] = gradient
            function = function_of(call.layer)
            if function is not None and not (from_logits and node is last):
                known = gradient, call.before, slope_of(node.layer)
                gradient = activation_backward(function, *known)
            back = RULES[type(call.layer)].backward(call, gradient)
            for name, part in zip(node.inputs, back.inputs, strict=True):
                by_value[name] = by_value[name] + part if name in by_value else part
            found = {f"{node.name}.{name}": p for name, p in back.parameters.items()}
            by_parameter |= {name: p for name, p in found.items() if name in by_parameter}
        by_input = by_value.get("input", np.zeros(np.shape(inputs)))
        return Gradients(by_parameter, by_input, by_node)

    def _feed_running_statistics(self, node: Node, call: Call) -> None:
        mean, variance = f"{node.name}.running_mean", f"{node.name}.running_var"
        old = self._parameters[mean], self._parameters[variance]
        new = updated_running_statistics(*old, call.inputs[0], call.layer.momentum)
        self._parameters[mean], self._parameters[variance] = new


def _kept(node: Node, batch: int, randomness: Randomness) -> Array:
    """What a dropout keeps of each example (B, ...)."""
    assert isinstance(node.layer, Dropout)
    if len(randomness.examples) != batch:
        raise ShapeError(
            f"randomness numbers {len(randomness.examples)} examples but {batch} came; "
            "give one number for each"
        )
    each = node.output[:1] if node.layer.maps else node.output
    masks = [
        dropout_mask(
            node.layer.rate,
            int(np.prod(each)),
            seed=randomness.seed,
            name=node.name,
            epoch=randomness.epoch,
            example=int(example),
        )
        for example in randomness.examples
    ]
    kept = np.array(masks, bool).reshape(batch, *each, *(1,) * (len(node.output) - len(each)))
    return np.broadcast_to(kept, (batch, *node.output))
