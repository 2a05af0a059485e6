"""A Keras model, as calls of its layers in order, put together as one of beak's networks."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from beak.errors import NetworkError
from beak.exchange.keras_layers import translate
from beak.exchange.keras_stream import Array, Config, Fragment, Stream, Weight
from beak.network.layer import Shape
from beak.network.network import Network

INPUT = "InputLayer"


@dataclass(frozen=True)
class Call:
    """One use of a layer: its config (``class_name`` among it) and the calls that it reads."""

    name: str
    config: Config
    inputs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Assembled:
    """A Keras model as a network of beak's."""

    network: Network
    weights: tuple[tuple[str, Weight], ...]
    """By call, in the order of the calls, as Keras lists them."""
    fixed: tuple[str, ...]
    """Parameters that Keras's model does not have: they stay as they start."""
    input_shape: Shape
    """As arrays come, without the batch, before any preparation."""
    input: Stream
    """What the network reads: prepared, its layout known."""
    output: Stream
    notes: tuple[str, ...]

    def to_network(self, inputs: Array) -> Array:
        """Prepared inputs as Keras has them (B, H, W, C) as the network reads them (B, C, H, W)."""
        if inputs.ndim < 3 or self.input.first:
            return np.asarray(inputs)
        return np.ascontiguousarray(np.moveaxis(inputs, -1, 1))

    def from_network(self, outputs: Array) -> Array:
        """Answers (B, C, H, W) as Keras has them."""
        stream = self.output
        if stream.is_row:
            if stream.order is not None:
                outputs = outputs[:, stream.order]
            return outputs.reshape(len(outputs), *stream.shape)
        return outputs if stream.first else np.moveaxis(outputs, 1, -1)

    def back_to_network(self, gradient: Array) -> Array:
        """A gradient by answers as Keras has them, as the network has them."""
        stream = self.output
        if stream.is_row:
            flat = gradient.reshape(len(gradient), -1)
            return flat if stream.order is None else flat[:, np.argsort(stream.order)]
        return gradient if stream.first else np.moveaxis(gradient, -1, 1)

    def parameters(self, arrays: Sequence[Array]) -> dict[str, Array]:
        """Beak's parameters from Keras's arrays, one for each of ``weights``."""
        found = {}
        for (_, weight), array in zip(self.weights, arrays, strict=True):
            found[weight.parameter] = np.ascontiguousarray(
                weight.to_beak(np.asarray(array, np.float32)), np.float32
            )
        for name in self.fixed:
            wanted = self.network.parameters[name]
            found[name] = np.full(wanted.shape, wanted.initial == "ones", np.float32)
        return {name: found[name] for name in self.network.parameters}

    def arrays(self, parameters: Mapping[str, Array]) -> list[Array]:
        """Keras's arrays from beak's parameters."""
        return [
            np.ascontiguousarray(weight.to_keras(parameters[weight.parameter]))
            for _, weight in self.weights
        ]


def assemble(calls: Sequence[Call], output: str) -> Assembled:
    """The network of these calls, each of which stands behind what it reads.

    Raises NetworkError or ShapeError where a layer is not in beak or does not fit.
    """
    streams: dict[str, Stream] = {}
    fragments: list[tuple[str, Fragment]] = []
    inputs = [call for call in calls if call.config["class_name"] == INPUT]
    if len(inputs) != 1:
        raise NetworkError(f"{len(inputs)} inputs came; a model with one Input was wanted")
    taken: set[str] = set()
    for call in calls:
        if call is inputs[0]:
            streams[call.name] = Stream(input_shape_of(call.config))
            continue
        name = _node_name(call.name, taken)
        stream, fragment = translate(call.config, name, [streams[n] for n in call.inputs])
        streams[call.name] = _known_by_call(stream, name, call.name)
        fragments.append((call.name, fragment))
    read = [f.reads for _, f in fragments if f.reads is not None]
    written = [layer for _, f in fragments for layer in f.layers]
    if not read or streams[output].is_input:
        raise NetworkError("a model with at least one layer that computes something was wanted")
    if any(one.prepared != read[0].prepared for one in read):
        raise NetworkError(
            "its input is read both as it comes and prepared; one preparation was wanted: "
            "let all layers read the last of the preparing layers"
        )
    firsts = {f.input_first for _, f in fragments if f.input_first is not None}
    if len(firsts) > 1:
        raise NetworkError("its input is read with channels first and last; one was wanted")
    source = replace(read[0], first=firsts.pop() if firsts else None)
    network = Network(source.beak_shape(), written)
    return Assembled(
        network,
        tuple((name, weight) for name, f in fragments for weight in f.weights),
        tuple(name for _, f in fragments for name in f.fixed),
        streams[inputs[0].name].shape,
        source,
        streams[output],
        tuple(note for _, f in fragments for note in f.notes),
    )


def _known_by_call(stream: Stream, node: str, call: str) -> Stream:
    """A preparing layer that was translated last is known by its call: it has no node."""
    if not stream.prepared or stream.prepared[-1][0] != node:
        return stream
    last = (call, stream.prepared[-1][1])
    return replace(stream, prepared=(*stream.prepared[:-1], last))


def input_shape_of(config: Config) -> Shape:
    """The shape that an InputLayer says, without the batch; NetworkError where a size is open."""
    shape = config.get("batch_shape") or config.get("batch_input_shape")
    if shape is None:
        raise NetworkError("an InputLayer without a shape; Input(shape=(28, 28, 1)) was wanted")
    sizes = tuple(shape[1:])
    if any(size is None for size in sizes):
        raise NetworkError(
            f"Input(shape={sizes}) leaves a size open, which is not in beak; "
            "nearest: the size that all examples are brought to"
        )
    return tuple(int(size) for size in sizes)


def _node_name(name: str, taken: set[str]) -> str:
    """A free node's name as near to Keras's as beak allows."""
    plain = re.sub(r"[^A-Za-z0-9_.\-]", ".", name)[:150] or "layer"
    plain = "input_" if plain == "input" else plain
    made, number = plain, 1
    while made in taken:
        made, number = f"{plain}.{number}", number + 1
    taken.add(made)
    return made
