"""Each kind of layer, forward and backward, by the references of ops; a table for the walk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from beak.engine.moves import matrices_of, order_of
from beak.network.layers import (
    Activation,
    Add,
    AvgPool1D,
    AvgPool2D,
    BatchNorm,
    Concat,
    Conv1D,
    Conv2D,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    GlobalAvgPool,
    GlobalMaxPool,
    Layer,
    LayerNorm,
    LogMel,
    MaxPool1D,
    MaxPool2D,
    Multiply,
    Pad,
    PositionBias,
    Reshape,
    Upsample,
)
from beak.ops.convolution import reference as convolution
from beak.ops.dense import reference as dense
from beak.ops.elementwise import reference as elementwise
from beak.ops.embedding import reference as embedding
from beak.ops.moving import reference as moving
from beak.ops.normalisation import reference as normalisation
from beak.ops.pooling import reference as pooling
from beak.ops.random import reference as random
from beak.ops.spectrogram import reference as spectrogram
from beak.ops.spectrogram.settings import MelSettings

Array = np.ndarray[Any, Any]


@dataclass
class Call:
    """One node at work on one batch: its layer, what it reads, and how it runs."""

    layer: Any
    inputs: list[Array]
    parameters: dict[str, Array]
    """By short name: weight, bias, running_mean, running_var."""
    kept: Array | None = None
    """What a dropout keeps, bool like its input; None: everything (prediction)."""
    training: bool = False
    before: Array = field(default_factory=lambda: np.empty(0))
    """What comes out before the node's activation."""
    output: Array = field(default_factory=lambda: np.empty(0))
    """What comes out."""


@dataclass(frozen=True)
class Back:
    """What goes back from a node: gradients by its inputs and by its parameters."""

    inputs: list[Array]
    parameters: dict[str, Array] = field(default_factory=dict)


@dataclass(frozen=True)
class Rule:
    """How a kind of layer is computed, its activation left out, and how its gradient goes back."""

    forward: Callable[[Call], Array]
    backward: Callable[[Call, Array], Back]


def _convolution(forward: Callable[..., Array], backward: Callable[..., Any]) -> Rule:
    def options(layer: Any) -> tuple[Any, ...]:
        return layer.stride, layer.padding, layer.dilation, layer.groups

    def ahead(call: Call) -> Array:
        weight, bias = call.parameters["weight"], call.parameters.get("bias")
        return forward(call.inputs[0], weight, bias, *options(call.layer))

    def back(call: Call, gradient: Array) -> Back:
        weight = call.parameters["weight"]
        found = backward(gradient, call.inputs[0], weight, *options(call.layer))
        return Back([found.images], _with_bias(call, found.filters, found.bias))

    return Rule(ahead, back)


def _dense() -> Rule:
    def ahead(call: Call) -> Array:
        return dense.dense(call.inputs[0], call.parameters["weight"], call.parameters.get("bias"))

    def back(call: Call, gradient: Array) -> Back:
        found = dense.dense_backward(gradient, call.inputs[0], call.parameters["weight"])
        return Back([found.features], _with_bias(call, found.weight, found.bias))

    return Rule(ahead, back)


def _with_bias(call: Call, weight: Array, bias: Array) -> dict[str, Array]:
    return {"weight": weight, "bias": bias} if "bias" in call.parameters else {"weight": weight}


def _pool(forward: Callable[..., Array], backward: Callable[..., Array]) -> Rule:
    def options(layer: Any) -> tuple[Any, ...]:
        return layer.window, layer.stride, layer.padding

    return Rule(
        lambda call: forward(call.inputs[0], *options(call.layer)),
        lambda call, g: Back([backward(g, call.inputs[0], *options(call.layer))]),
    )


def _global(forward: Callable[..., Array], backward: Callable[..., Array]) -> Rule:
    return Rule(
        lambda call: forward(call.inputs[0]),
        lambda call, gradient: Back([backward(gradient, call.inputs[0])]),
    )


def _batch_norm() -> Rule:
    def statistics(call: Call) -> tuple[Array, Array]:
        if call.training:
            return normalisation.batch_statistics(call.inputs[0])
        return call.parameters["running_mean"], call.parameters["running_var"]

    def ahead(call: Call) -> Array:
        weight, bias = call.parameters["weight"], call.parameters["bias"]
        epsilon = call.layer.epsilon
        return normalisation.batch_norm(call.inputs[0], weight, bias, *statistics(call), epsilon)

    def back(call: Call, gradient: Array) -> Back:
        known = (gradient, call.inputs[0], call.parameters["weight"])
        if call.training:
            found = normalisation.batch_norm_training_backward(*known, call.layer.epsilon)
        else:
            found = normalisation.batch_norm_backward(*known, *statistics(call), call.layer.epsilon)
        return Back([found.inputs], {"weight": found.weight, "bias": found.bias})

    return Rule(ahead, back)


def _layer_norm() -> Rule:
    def ahead(call: Call) -> Array:
        weight, bias = call.parameters["weight"], call.parameters["bias"]
        return normalisation.layer_norm(call.inputs[0], weight, bias, call.layer.epsilon)

    def back(call: Call, gradient: Array) -> Back:
        weight, epsilon = call.parameters["weight"], call.layer.epsilon
        found = normalisation.layer_norm_backward(gradient, call.inputs[0], weight, epsilon)
        return Back([found.inputs], {"weight": found.weight, "bias": found.bias})

    return Rule(ahead, back)


def _dropout() -> Rule:
    def drop(call: Call, values: Array) -> Array:
        return values if call.kept is None else random.dropout(values, call.kept, call.layer.rate)

    return Rule(lambda call: drop(call, call.inputs[0]), lambda call, g: Back([drop(call, g)]))


def _embedding() -> Rule:
    def back(call: Call, gradient: Array) -> Back:
        words, vectors = words_of(call), call.parameters["weight"]
        table = embedding.embedding_backward(gradient, words, vectors, call.layer.padding_index)
        no_slope = np.zeros(call.inputs[0].shape)  # a word's number has none
        return Back([no_slope], {"weight": table})

    return Rule(lambda call: embedding.embedding(words_of(call), call.parameters["weight"]), back)


def words_of(call: Call) -> Array:
    """The stretch of its input that an embedding reads."""
    begin, places = call.layer.begin, call.layer.places
    return call.inputs[0][:, begin : None if places is None else begin + places]


def _log_mel() -> Rule:
    def samples(call: Call) -> Array:
        return call.inputs[0].reshape(len(call.inputs[0]), -1)

    def ahead(call: Call) -> Array:
        return spectrogram.log_mel(samples(call), MelSettings.of(call.layer))[:, None]

    def back(call: Call, gradient: Array) -> Back:
        settings = MelSettings.of(call.layer)
        found = spectrogram.log_mel_backward(gradient[:, 0], samples(call), settings)
        return Back([found.reshape(call.inputs[0].shape)])

    return Rule(ahead, back)


def _position_bias() -> Rule:
    def back(call: Call, gradient: Array) -> Back:
        bias = elementwise.position_bias_backward(gradient, call.parameters["bias"])
        return Back([gradient], {"bias": bias})

    return Rule(
        lambda call: elementwise.position_bias(call.inputs[0], call.parameters["bias"]), back
    )


def _move() -> Rule:
    def matrices(call: Call) -> list[Array]:
        return matrices_of(call.layer, call.inputs[0].shape[1:])

    return Rule(
        lambda call: moving.moved(call.inputs[0], matrices(call)),
        lambda call, gradient: Back([moving.moved_backward(gradient, matrices(call))]),
    )


def _reshape() -> Rule:
    def back(call: Call, gradient: Array) -> Back:
        shape = call.inputs[0].shape
        found = np.zeros((len(gradient), gradient[0].size))
        found[:, order_of(call.layer, shape[1:])] = gradient.reshape(len(gradient), -1)
        return Back([found.reshape(shape)])

    return Rule(lambda c: moving.reshape(c.inputs[0], c.layer.shape, c.layer.last), back)


RULES: dict[type[Layer], Rule] = {
    Conv1D: _convolution(convolution.conv1d, convolution.conv1d_backward),
    Conv2D: _convolution(convolution.conv2d, convolution.conv2d_backward),
    MaxPool1D: _pool(pooling.max_pool1d, pooling.max_pool1d_backward),
    MaxPool2D: _pool(pooling.max_pool2d, pooling.max_pool2d_backward),
    AvgPool1D: _pool(pooling.avg_pool1d, pooling.avg_pool1d_backward),
    AvgPool2D: _pool(pooling.avg_pool2d, pooling.avg_pool2d_backward),
    GlobalMaxPool: _global(pooling.global_max_pool, pooling.global_max_pool_backward),
    GlobalAvgPool: _global(pooling.global_avg_pool, pooling.global_avg_pool_backward),
    Flatten: Rule(
        lambda call: call.inputs[0].reshape(len(call.inputs[0]), -1),
        lambda call, gradient: Back([gradient.reshape(call.inputs[0].shape)]),
    ),
    Pad: _move(),
    Upsample: _move(),
    Reshape: _reshape(),
    Dense: _dense(),
    BatchNorm: _batch_norm(),
    LayerNorm: _layer_norm(),
    Dropout: _dropout(),
    Activation: Rule(lambda call: call.inputs[0], lambda call, gradient: Back([gradient])),
    Embedding: _embedding(),
    LogMel: _log_mel(),
    PositionBias: _position_bias(),
    Add: Rule(
        lambda call: elementwise.add(call.inputs),
        lambda call, gradient: Back([gradient] * len(call.inputs)),
    ),
    Concat: Rule(
        lambda call: elementwise.concat(call.inputs),
        lambda call, gradient: Back(elementwise.concat_backward(gradient, call.inputs)),
    ),
    Multiply: Rule(
        lambda call: elementwise.multiply(call.inputs),
        lambda call, gradient: Back(elementwise.multiply_backward(gradient, call.inputs)),
    ),
}


def function_of(layer: Any) -> str | None:
    """The activation that a node ends in: a layer's own, or what an Activation is."""
    found: str | None = getattr(layer, "activation", getattr(layer, "function", None))
    return found


def slope_of(layer: Any) -> float | None:
    """The slope of an activation that says one."""
    found: float | None = getattr(layer, "slope", None)
    return found
