"""The engine of networks with operators that beak does not open: the rest runs as always."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np

from beak.engine.checks import check_inputs, check_parameters
from beak.engine.interface import Gradients, Loss, Optimiser, Randomness, StepResult
from beak.engine.native import NativeEngine
from beak.engine.onnx_running import Operator
from beak.engine.reference_layers import RULES, Call
from beak.errors import RunError
from beak.network.initial import initial_parameters
from beak.network.layer import count
from beak.network.layers import Opaque
from beak.network.network import Network, Node
from beak.network.opaque import refuse_boxes
from beak.shapes import shape_text

Array = np.ndarray[Any, Any]


def regions(network: Network) -> list[list[Node]]:
    """The nodes in stretches: each a box alone, what joins several stretches
    alone, or nodes that read one value from before and give one value on.
    """
    nodes, found, first = network.nodes, [], 0
    while first < len(nodes):
        entry, end = nodes[first].inputs[0], first
        inside = {entry}
        for i in range(first, len(nodes)):
            if isinstance(nodes[i].layer, Opaque) or not inside.issuperset(nodes[i].inputs):
                break
            inside.add(nodes[i].name)
            later = {name for node in nodes[i + 1 :] for name in node.inputs}
            if later & (inside - {entry}) <= {nodes[i].name}:
                end = i
        found.append(list(nodes[first : end + 1]))
        first = end + 1
    return found


@dataclass(eq=False)
class Part:
    """One stretch: what it reads, and who computes it."""

    nodes: Sequence[Node]
    engine: NativeEngine | None = None
    operator: Callable[[Sequence[Array]], Array] | None = None
    """Neither: a join, by its definition."""

    @property
    def last(self) -> Node:
        """The node whose output others read."""
        return self.nodes[-1]

    def alone(self, values: Mapping[str, Array]) -> Array:
        """The output of a single node that no engine computes."""
        read = [values[name] for name in self.last.inputs]
        if self.operator is not None:
            return self.operator(read)
        call = Call(self.last.layer, read, {})
        return np.asarray(RULES[type(self.last.layer)].forward(call), np.float32)


class BoxedEngine:
    """A network with boxes of ONNX's or PyTorch's in it: it answers, without gradients."""

    name = "native"

    def __init__(
        self,
        network: Network,
        parameters: Mapping[str, Array] | None = None,
        seed: int = 0,
        threads: int | None = None,
        exact: bool = False,
    ) -> None:
        self.network = network
        self._how: dict[str, Any] = {"threads": threads, "exact": exact}
        self.set_parameters(initial_parameters(network, seed) if parameters is None else parameters)

    def parameters(self, average: bool = False) -> dict[str, Array]:
        """Copies of all parameters; there is no average, for nothing is trained."""
        return {name: value.copy() for name, value in self._parameters.items()}

    def set_parameters(self, parameters: Mapping[str, Array]) -> None:
        """Take parameters; a missing, unknown or misshapen name raises ShapeError."""
        check_parameters(self.network, parameters)
        names = self.network.parameters
        self._parameters = {n: np.ascontiguousarray(parameters[n], np.float32) for n in names}
        self._parts = [self._part(nodes) for nodes in regions(self.network)]

    def _part(self, nodes: Sequence[Node]) -> Part:
        first = nodes[0]
        own = {name: self._parameters[name] for node in nodes for name in node.parameters}
        if isinstance(first.layer, Opaque) and first.layer.by == "PyTorch":
            return Part(nodes, operator=_alive(first))
        if isinstance(first.layer, Opaque):
            arrays = {name.rpartition(".")[2]: value for name, value in own.items()}
            operator = Operator(first.layer, arrays, self._how["threads"])
            _check(first, operator)
            return Part(nodes, operator=operator)
        if len(set(first.inputs)) > 1:
            return Part(nodes)
        entry = first.inputs[0]
        layers = [
            dataclasses.replace(
                node.layer,
                name=node.name,
                inputs=tuple("input" if one == entry else one for one in node.inputs),
            )
            for node in nodes
        ]
        network = Network(first.input_shapes[0], layers)
        return Part(nodes, NativeEngine(network, own, **self._how))

    def forward(self, inputs: Array) -> Array:
        """The network's answers (B, *output)."""
        return self._walk(inputs)[self.network.nodes[-1].name]

    def logits(self, inputs: Array) -> Array:
        """What stands before the final softmax."""
        end = self._parts[-1]
        values = self._walk(inputs, self._parts[:-1])
        if end.engine is None:
            return end.alone(values)
        return end.engine.logits(values[end.nodes[0].inputs[0]])

    def activations(self, inputs: Array) -> dict[str, Array]:
        """Every node's output by name, "input" first."""
        return self._all(inputs, "activations")

    def fast_activations(self, inputs: Array) -> dict[str, Array]:
        """The nodes' outputs that ``forward`` writes on its way."""
        found = self._all(inputs, "fast_activations")
        del found["input"]
        return found

    def _walk(self, inputs: Array, parts: Sequence[Part] | None = None) -> dict[str, Array]:
        """What goes from stretch to stretch."""
        check_inputs(self.network, inputs)
        values = {"input": np.asarray(inputs, np.float32)}
        for part in self._parts if parts is None else parts:
            if part.engine is None:
                values[part.last.name] = part.alone(values)
            else:
                values[part.last.name] = part.engine.forward(values[part.nodes[0].inputs[0]])
        return values

    def _all(self, inputs: Array, how: str) -> dict[str, Array]:
        check_inputs(self.network, inputs)
        values = {"input": np.array(inputs, np.float32)}
        for part in self._parts:
            if part.engine is None:
                values[part.last.name] = part.alone(values)
                continue
            found = getattr(part.engine, how)(values[part.nodes[0].inputs[0]])
            values |= {name: value for name, value in found.items() if name != "input"}
        return values

    def gradients(
        self,
        inputs: Array,
        output_gradient: Array,
        node: str | None = None,
        at: Sequence[str] = (),
    ) -> Gradients:
        """None: UsageError."""
        refuse_boxes(
            self.network.nodes,
            "no gradient passes; occlusion tells what moved an answer without one "
            "(--method occlusion)",
        )
        raise AssertionError("a network without boxes needs no such engine")

    def loss_gradients(
        self, inputs: Array, labels: Array, loss: Loss, randomness: Randomness
    ) -> tuple[StepResult, Gradients]:
        """None: UsageError."""
        self._untrained()

    def start_training(self, optimiser: Optimiser, loss: Loss) -> None:
        """None: UsageError."""
        self._untrained()

    def train_step(
        self, inputs: Array, labels: Array, learning_rate: float, randomness: Randomness
    ) -> StepResult:
        """None: UsageError."""
        self._untrained()

    def training_state(self) -> dict[str, Array]:
        """None: UsageError."""
        self._untrained()

    def set_training_state(self, state: Mapping[str, Array]) -> None:
        """None: UsageError."""
        self._untrained()

    def _untrained(self) -> NoReturn:
        refuse_boxes(
            self.network.nodes, "the network cannot be trained here; train it where it was made"
        )
        raise AssertionError("a network without boxes needs no such engine")


def _alive(node: Node) -> Callable[[Sequence[Array]], Array]:
    """What computes a box of PyTorch's; RunError where its module is gone."""
    layer = node.layer
    if not isinstance(layer, Opaque) or layer.run is None:
        raise RunError(
            f"{node.name}: a part of a PyTorch module, in no file; open the module itself: "
            "beak.look(module, input)"
        )
    run = layer.run

    def boxed(inputs: Sequence[Array]) -> Array:
        found = np.asarray(run(inputs), np.float32)
        if found.size != len(inputs[0]) * count(node.output):
            raise RunError(f"{node.name}: PyTorch gave {found.shape}, not {node.output} each")
        return np.ascontiguousarray(found.reshape(-1, *node.output))

    return boxed


def _check(node: Node, operator: Operator) -> None:
    """RunError where the operator gives another shape than the network says."""
    found, last = operator.shape, operator.layer.last
    laid = (found[-1], *found[1:-1]) if last and len(found) > 1 else found[1:]
    if found[0] != 1 or (laid != node.output and laid != (*node.output, *[1] * (len(laid) - 1))):
        raise RunError(
            f"{node.name}: ONNX's {operator.layer.operator} gives {shape_text(found)} with the "
            f"batch, the network says {shape_text(node.output)}; is the file damaged?"
        )
