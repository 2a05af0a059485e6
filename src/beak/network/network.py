"""A network as plain data: named nodes in order, with everything known that needs no numbers."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from beak.errors import NetworkError, ShapeError, did_you_mean
from beak.network.layer import (
    RELU_KINDS,
    Layer,
    Parameter,
    Shape,
    count,
    count_trainable,
    short,
    whole,
)
from beak.network.layers import Activation, Embedding, LogMel
from beak.network.reading import drafts_from_json, node_to_json, read_json_file
from beak.network.writers import Draft, Written, write_nodes
from beak.shapes import shape_text

LARGEST = 2**31 - 1
"""No array may hold more numbers than this."""


@dataclass(frozen=True)
class Node:
    """A layer in its place: what it reads, what comes in and out, and its parameters."""

    name: str
    layer: Layer
    inputs: tuple[str, ...]
    """Names of earlier nodes; "input" is the network's input."""
    input_shapes: tuple[Shape, ...]
    output: Shape
    parameters: dict[str, Parameter]
    """By full name, as ``conv1.weight``."""

    @property
    def multiply_adds(self) -> int:
        """Products that are summed for one example, taps on padding counted."""
        return self.layer.multiply_adds(*self.input_shapes)

    @property
    def parameter_count(self) -> int:
        """How many numbers are trained."""
        return count_trainable(self.parameters.values())


class Network:
    """An input shape (channels first, without the batch) and layers in order.

    Raises ShapeError where a layer does not fit what comes in, NetworkError where the description
    itself is off; both say which node, what came, and what would fit.

    >>> from beak.network.layers import Conv2D, Dense, Flatten, MaxPool2D
    >>> network = Network((1, 28, 28), [Conv2D(25, 3, activation="relu"), MaxPool2D(2),
    ...                                 Flatten(), Dense(10, activation="softmax")])
    >>> [node.name for node in network.nodes], network.output, network.parameter_count
    (['conv1', 'pool1', 'flatten1', 'dense1'], (10,), 42510)
    """

    input: Shape
    nodes: tuple[Node, ...]

    def __init__(self, input: Sequence[int], layers: Iterable[Written]) -> None:
        drafts = write_nodes(_listed(layers))
        self._build(input, drafts)

    def _build(self, input: Sequence[int], drafts: list[Draft]) -> None:
        self.input = input_shape(input)
        if not drafts:
            raise NetworkError("a network needs at least one layer, as [Flatten(), Dense(10)]")
        try:
            self.nodes = _with_initials(_infer(self.input, drafts))
        except ShapeError as error:
            raise ShapeError(f"{error}{_channels_last_hint(self.input)}") from None
        if _surely_channels_last(self.input):
            raise ShapeError(
                f"input {self.input} says {self.input[0]} channels of {shape_text(self.input[1:])}"
                f"{_channels_last_hint(self.input)}"
            )
        self._by_name = {node.name: node for node in self.nodes}

    def node(self, name: str) -> Node:
        """The node of this name; NetworkError with the nearest name where there is none."""
        if name not in self._by_name:
            raise NetworkError(f"no node {name!r}" + did_you_mean(name, self._by_name))
        return self._by_name[name]

    @property
    def output(self) -> Shape:
        """The shape of an answer."""
        return self.nodes[-1].output

    @cached_property
    def parameters(self) -> dict[str, Parameter]:
        """All parameters by full name, in the order of the nodes."""
        return {name: p for node in self.nodes for name, p in node.parameters.items()}

    @property
    def classifies(self) -> bool:
        """Whether it ends in a softmax."""
        layer = self.nodes[-1].layer
        return getattr(layer, "activation", getattr(layer, "function", None)) == "softmax"

    @property
    def parameter_count(self) -> int:
        """How many numbers are trained (BatchNorm's running statistics are not)."""
        return sum(node.parameter_count for node in self.nodes)

    @property
    def multiply_adds(self) -> int:
        """Products that are summed for one example, taps on padding counted."""
        return sum(node.multiply_adds for node in self.nodes)

    def to_json(self) -> dict[str, Any]:
        """The network as plain data; ``from_json`` gives an equal one back."""
        before = "input"
        nodes = []
        for node in self.nodes:
            nodes.append(node_to_json(node.name, node.layer, node.inputs, before))
            before = node.name
        return {"format": 1, "input": list(self.input), "nodes": nodes}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Network:
        """A network from plain data; NetworkError names an unknown field and the nearest known."""
        shape, drafts = drafts_from_json(data)
        network = cls.__new__(cls)
        network._build(shape, drafts)
        return network

    @classmethod
    def from_file(cls, path: str | Path) -> Network:
        """A network from a JSON file; UsageError where there is none, NetworkError if it is off."""
        data = read_json_file(Path(path))
        try:
            return cls.from_json(data)
        except (NetworkError, ShapeError) as error:
            raise type(error)(f"{path}: {error}") from None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Network) and self._content() == other._content()

    def __hash__(self) -> int:
        return hash(self._content())

    def __repr__(self) -> str:
        return (
            f"Network(input={self.input}, {len(self.nodes)} nodes, output={self.output}, "
            f"{self.parameter_count:,} parameters)"
        )

    def _content(self) -> tuple[Any, ...]:
        return self.input, tuple((node.name, node.layer, node.inputs) for node in self.nodes)


def input_shape(value: Sequence[int]) -> Shape:
    """One to three sizes as a tuple, or NetworkError."""
    if isinstance(value, str | bytes) or not hasattr(value, "__iter__"):
        raise NetworkError(f"input {short(value)}; a shape as (1, 28, 28) was wanted")
    shape = tuple(whole(size, f"input {short(tuple(value))}: size") for size in value)
    if not 1 <= len(shape) <= 3:
        raise NetworkError(
            f"input {shape}; (channels, height, width), (channels, length) or (n,) was wanted, "
            "without the batch"
        )
    if count(shape) > LARGEST:
        raise NetworkError(f"input {shape} is larger than beak can hold")
    return shape


def _listed(layers: Iterable[Written]) -> list[Written]:
    if not isinstance(layers, Iterable) or isinstance(layers, str | Mapping):
        came = type(layers).__name__
        raise NetworkError(f"a {came} came; a list of layers was wanted, as [Conv2D(25, 3), …]")
    return list(layers)


def _infer(input: Shape, drafts: list[Draft]) -> list[Node]:
    """Shapes and parameters of each node in order."""
    outputs: dict[str, Shape] = {"input": input}
    opening = [draft.layer for draft in drafts if draft.layer.opens]
    nodes = []
    for draft in drafts:
        shapes = tuple(outputs[name] for name in draft.inputs)
        where = f"{draft.name} ({draft.layer.kind}, reads {', '.join(draft.inputs)})"
        if opening and ("input" in draft.inputs) != isinstance(draft.layer, type(opening[0])):
            raise NetworkError(f"{where}: {_OPENING[type(opening[0])]}")
        try:
            output = draft.layer.output(*shapes)
            _check_softmax(draft.layer, output)
        except ShapeError as error:
            raise ShapeError(f"{where}: {error}") from None
        own = draft.layer.parameters(*shapes)
        if max([count(output), *(count(p.shape) for p in own.values())]) > LARGEST:
            raise ShapeError(f"{where}: larger than beak can hold (2^31 numbers in one array)")
        named = {f"{draft.name}.{name}": parameter for name, parameter in own.items()}
        nodes.append(Node(draft.name, draft.layer, draft.inputs, shapes, output, named))
        outputs[draft.name] = output
    read = {name for node in nodes for name in node.inputs}
    for node in nodes[:-1]:
        if node.name not in read:
            raise NetworkError(
                f"{node.name} leads nowhere: no node reads it; name it in another's inputs, "
                "or leave it out"
            )
    return nodes


_OPENING = {
    Embedding: "an Embedding reads the network's input, which is then word numbers that only an "
    "Embedding can read",
    LogMel: "a LogMel reads the network's input, which is then samples that only a LogMel can read",
}


def _check_softmax(layer: Layer, output: Shape) -> None:
    function = getattr(layer, "activation", getattr(layer, "function", None))
    if function == "softmax" and output[0] == 1:
        places = f"; put Flatten() before it to compare the {count(output)} places"
        raise ShapeError(
            f"softmax over one channel ({shape_text(output)}) is always 1; two or more were wanted"
            + (places if count(output) > 1 else ", or sigmoid")
        )


def _with_initials(nodes: list[Node]) -> tuple[Node, ...]:
    """He for the weights whose sums meet a ReLU kind before other weights; Glorot stays else."""
    meets: dict[str, bool] = {}
    readers: dict[str, list[Node]] = {}
    for node in nodes:
        for name in node.inputs:
            readers.setdefault(name, []).append(node)
    made = []
    for node in reversed(nodes):
        after = any(_meets_relu(reader, meets) for reader in readers.get(node.name, []))
        meets[node.name] = after
        function = getattr(node.layer, "activation", None)
        he = function in RELU_KINDS or (function is None and after)
        weights = {
            name: dataclasses.replace(p, initial="he")
            if he and p.initial == "glorot" and not isinstance(node.layer, Embedding)
            else p
            for name, p in node.parameters.items()
        }
        made.append(dataclasses.replace(node, parameters=weights))
    return tuple(reversed(made))


def _meets_relu(reader: Node, meets: Mapping[str, bool]) -> bool:
    """Whether what this node reads meets a ReLU kind here or after it."""
    if isinstance(reader.layer, Activation):
        return reader.layer.function in RELU_KINDS
    if any(p.decay for p in reader.parameters.values()):
        return False
    return meets[reader.name]


def _surely_channels_last(shape: Shape) -> bool:
    """28x28x1 and the like: no picture has as many channels as rows and 1 or 3 columns."""
    return len(shape) == 3 and shape[2] in (1, 3) and shape[0] == shape[1] >= 16


def _channels_last_hint(shape: Shape) -> str:
    if len(shape) == 3 and shape[2] in (1, 2, 3, 4) and min(shape[:2]) > 4:
        first = (shape[2], shape[0], shape[1])
        return f"; channels come first: write the input as {first}, not {shape}"
    return ""


__all__ = ["Network", "Node", "Parameter", "input_shape"]
