"""Each kind of layer as ONNX operators; a table for the walk through a network."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from beak.exchange.onnx_graph import Array, Graph
from beak.exchange.onnx_sounds import log_mel
from beak.network.network import Network, Node
from beak.ops.spectrogram.settings import MelSettings

Arrays = dict[str, Array]
LEAK = 0.01


def _conv(g: Graph, node: Node, values: list[str], own: Arrays) -> str:
    layer: Any = node.layer
    found = layer.geometry(node.input_shapes[0])
    fields = {"strides": found.stride, "pads": _pads(found), "dilations": found.dilation}
    # what ONNX assumes is left out: of small networks it would be a hundredth of the file
    usual = {"strides": 1, "pads": 0, "dilations": 1}
    said = {name: value for name, value in fields.items() if {*value} != {usual[name]}}
    if layer.groups != 1:
        said["group"] = layer.groups
    return g.convolution(values[0], own["weight"], own.get("bias"), node.name, **said)


def _pads(found: Any) -> list[int]:
    """All begins, then all ends."""
    return [before for before, _ in found.padding] + [after for _, after in found.padding]


def _pool(kind: str, **more: int) -> Callable[..., str]:
    def emit(g: Graph, node: Node, values: list[str], own: Arrays) -> str:
        layer: Any = node.layer
        found = layer.geometry(node.input_shapes[0])
        return g.emit(
            kind, values[0], kernel_shape=found.kernel, strides=found.stride, pads=_pads(found),
            **more,
        )  # fmt: skip

    return emit


def _global(kind: str) -> Callable[..., str]:
    return lambda g, node, values, own: g.emit("Flatten", g.emit(kind, values[0]), axis=1)


def _dense(g: Graph, node: Node, values: list[str], own: Arrays) -> str:
    return g.dense(values[0], own["weight"], own.get("bias"), node.name)


def _batch_norm(g: Graph, node: Node, values: list[str], own: Arrays) -> str:
    names = ("weight", "bias", "running_mean", "running_var")
    arrays = [g.constant(own[name], name=f"{node.name}.{name}") for name in names]
    layer: Any = node.layer
    return g.emit("BatchNormalization", values[0], *arrays, epsilon=layer.epsilon)


def _layer_norm(g: Graph, node: Node, values: list[str], own: Arrays) -> str:
    layer: Any = node.layer
    shape = (-1, *[1] * (len(node.output) - 1))
    apart = g.subtract(values[0], g.emit("ReduceMean", values[0], axes=[1], keepdims=1))
    spread = g.emit("ReduceMean", g.multiply(apart, apart), axes=[1], keepdims=1)
    even = g.emit("Div", apart, g.emit("Sqrt", g.add(spread, layer.epsilon)))
    scaled = g.multiply(even, g.constant(own["weight"].reshape(shape), name=f"{node.name}.weight"))
    return g.add(scaled, g.constant(own["bias"].reshape(shape), name=f"{node.name}.bias"))


def _embedding(g: Graph, node: Node, values: list[str], own: Arrays) -> str:
    layer: Any = node.layer
    end = layer.begin + node.output[1]
    words = values[0]
    if (layer.begin, end) != (0, node.input_shapes[0][0]):
        words = g.parts(words, 1, layer.begin, end)
    return g.emit("Transpose", g.rows(own["weight"], words, node.name), perm=[0, 2, 1])


def _log_mel(g: Graph, node: Node, values: list[str], own: Arrays) -> str:
    samples = g.reshape(values[0], -1, 1, node.input_shapes[0][-1])
    return g.unsqueeze(log_mel(g, samples, MelSettings.of(node.layer)), 1)


def _pad(g: Graph, node: Node, values: list[str], own: Arrays) -> str:
    layer: Any = node.layer
    sides = layer.sides(node.input_shapes[0])
    both = [0, 0, *(side[0] for side in sides), 0, 0, *(side[1] for side in sides)]
    return g.emit("Pad", values[0], g.whole(both))


def _upsample(g: Graph, node: Node, values: list[str], own: Arrays) -> str:
    layer: Any = node.layer
    scales = g.constant([1, 1, *layer.factors(node.input_shapes[0])])
    if layer.how == "nearest":
        said = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    else:
        said = {"coordinate_transformation_mode": "half_pixel", "mode": "linear"}
    return g.emit("Resize", values[0], "", scales, **said)


def _reshape(g: Graph, node: Node, values: list[str], own: Arrays) -> str:
    layer: Any = node.layer
    if not layer.last:
        return g.reshape(values[0], -1, *layer.shape)
    value, axes = values[0], len(node.input_shapes[0])
    if axes > 1:
        value = g.emit("Transpose", value, perm=[0, *range(2, axes + 1), 1])
    value, axes = g.reshape(value, -1, *layer.shape[1:], layer.shape[0]), len(layer.shape)
    return g.emit("Transpose", value, perm=[0, axes, *range(1, axes)]) if axes > 1 else value


def _position_bias(g: Graph, node: Node, values: list[str], own: Arrays) -> str:
    return g.add(values[0], g.constant(own["bias"], name=f"{node.name}.bias"))


def _add(g: Graph, node: Node, values: list[str], own: Arrays) -> str:
    total = values[0]
    for value in values[1:]:
        total = g.add(total, value)
    return total


def _concat(g: Graph, node: Node, values: list[str], own: Arrays) -> str:
    return g.emit("Concat", *values, axis=1)


def _multiply(g: Graph, node: Node, values: list[str], own: Arrays) -> str:
    product = ""
    for value, shape in zip(values, node.input_shapes, strict=True):
        if len(shape) < len(node.output):
            value = g.unsqueeze(value, *range(2, len(node.output) + 1))
        product = g.multiply(product, value) if product else value
    return product


def _same(g: Graph, node: Node, values: list[str], own: Arrays) -> str:
    return values[0]


LAYERS: dict[str, Callable[[Graph, Node, list[str], Arrays], str]] = {
    "Conv1D": _conv,
    "Conv2D": _conv,
    "MaxPool1D": _pool("MaxPool"),
    "MaxPool2D": _pool("MaxPool"),
    "AvgPool1D": _pool("AveragePool", count_include_pad=0),
    "AvgPool2D": _pool("AveragePool", count_include_pad=0),
    "GlobalMaxPool": _global("GlobalMaxPool"),
    "GlobalAvgPool": _global("GlobalAveragePool"),
    "Flatten": lambda g, node, values, own: g.emit("Flatten", values[0], axis=1),
    "Pad": _pad,
    "Upsample": _upsample,
    "Reshape": _reshape,
    "Dense": _dense,
    "BatchNorm": _batch_norm,
    "LayerNorm": _layer_norm,
    "Dropout": _same,
    "Activation": _same,
    "Embedding": _embedding,
    "LogMel": _log_mel,
    "PositionBias": _position_bias,
    "Add": _add,
    "Concat": _concat,
    "Multiply": _multiply,
}
"""Kind of layer -> its operators, the activation left out."""


def _gelu(g: Graph, value: str) -> str:
    share = g.emit("Erf", g.multiply(value, math.sqrt(0.5)))
    return g.multiply(g.multiply(value, 0.5), g.add(share, 1.0))


FUNCTIONS: dict[str, Callable[[Graph, str], str]] = {
    "relu": lambda g, value: g.emit("Relu", value),
    "leaky_relu": lambda g, value: g.emit("LeakyRelu", value, alpha=LEAK),
    "gelu": _gelu,
    "silu": lambda g, value: g.multiply(value, g.emit("Sigmoid", value)),
    "hard_swish": lambda g, value: g.emit("HardSwish", value),
    "tanh": lambda g, value: g.emit("Tanh", value),
    "sigmoid": lambda g, value: g.emit("Sigmoid", value),
    "softmax": lambda g, value: g.emit("Softmax", value, axis=1),
}
"""Activation -> its operators."""


def _applied(g: Graph, node: Node, function: str, value: str) -> str:
    slope = getattr(node.layer, "slope", None)
    if slope is not None:
        return g.emit("LeakyRelu", value, alpha=slope)
    return FUNCTIONS[function](g, value)


def function_of(node: Node) -> str | None:
    """The name of a node's activation."""
    layer: Any = node.layer
    found: str | None = getattr(layer, "activation", getattr(layer, "function", None))
    return found


def own_arrays(node: Node, parameters: Mapping[str, Array]) -> Arrays:
    """A node's parameters by short name."""
    return {name.rsplit(".", 1)[1]: np.asarray(parameters[name]) for name in node.parameters}


def emit_network(
    g: Graph,
    network: Network,
    parameters: Mapping[str, Array],
    prepared: str,
    after: Callable[[Node, str], str] = lambda node, value: value,
    between: Callable[[Node, str], str] = lambda node, value: value,
) -> dict[str, str]:
    """All nodes on the prepared input; the value of each node by its name.

    Left out is a softmax at the very end: what stands before it are the logits. ``after`` may put
    something behind a node, ``between`` before its activation.
    """
    values = {"input": prepared}
    for node in network.nodes:
        g.scope(node.name)
        reads = [values[name] for name in node.inputs]
        value = LAYERS[node.layer.kind](g, node, reads, own_arrays(node, parameters))
        function = function_of(node)
        last = node is network.nodes[-1]
        if function is not None and not (last and function == "softmax"):
            value = _applied(g, node, function, between(node, value))
        values[node.name] = after(node, value)
    g.scope("")
    return values
