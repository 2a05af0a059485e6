"""Keras's other layers as beak's, and the table of all by their class's name."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np

from beak.errors import NetworkError, ShapeError, did_you_mean
from beak.exchange.keras_functions import function_named, leaked, leaky, plain_name
from beak.exchange.keras_moves import padding, reshape, upsampling
from beak.exchange.keras_prepare import PREPARING, prepare
from beak.exchange.keras_stream import (
    Config,
    Fragment,
    Stream,
    is_first,
    ordered,
    refuse_unless,
)
from beak.exchange.keras_windows import (
    convolution,
    depthwise,
    global_pooling,
    leaky_relu,
    pooling,
    relu,
    separable,
    spatial_dropout,
)
from beak.network import layers
from beak.network.layers import Activation

Translate = Callable[[Config, str, list[Stream], Fragment], Stream]


def dense(config: Config, name: str, inputs: list[Stream], out: Fragment) -> Stream:
    """Dense: kernel (n, units), bias (units,); over a map, at each place."""
    x = out.read(inputs[0], False if len(inputs[0].shape) > 1 else None)
    units, bias = int(config["units"]), bool(config.get("use_bias", True))
    function = function_named(config.get("activation"))
    features = x.channels()
    if x.is_row:
        node = out.add(layers.Dense(units, bias, function), name, x)
        there, back = ordered(x.order)
        out.weight(
            "kernel", (features, units), f"{name}.weight",
            lambda array: there(array).T, lambda array: back(array.T),
        )  # fmt: skip
        y = Stream((*x.shape[:-1], units), node, x.first, None, x.flat)
    else:
        kind, axes = (layers.Conv1D, 1) if len(x.shape) == 2 else (layers.Conv2D, 2)
        y = out.node(kind(units, 1, bias=bias, activation=function), name, x)
        ones = (1,) * axes
        out.weight(
            "kernel", (features, units), f"{name}.weight",
            lambda array: array.T.reshape(units, features, *ones),
            lambda array: array.reshape(units, features).T,
        )  # fmt: skip
    if bias:
        out.weight("bias", (units,), f"{name}.bias")
    return leaked(config, name, y, out)


def flatten(config: Config, name: str, inputs: list[Stream], out: Fragment) -> Stream:
    """Flatten: beak's row holds channels first, Keras's as the map lies (or channels last)."""
    x = out.read(inputs[0], True if config.get("data_format") == "channels_first" else None)
    if x.is_row:
        return replace(x, shape=(math.prod(x.shape),), flat=False, first=None)
    node = out.add(layers.Flatten(), name, x)
    shape = x.beak_shape()
    places = np.arange(math.prod(shape)).reshape(shape)
    if not x.first or is_first(config):
        order = np.moveaxis(places, 0, -1).reshape(-1)
    else:
        order = places.reshape(-1)
    plain = bool((order == np.arange(order.size)).all())
    return Stream((order.size,), node, None, None if plain else order)


def batch_norm(config: Config, name: str, inputs: list[Stream], out: Fragment) -> Stream:
    """BatchNormalization over the channels; running statistics count as Keras counts them."""
    x = _over_channels(config, inputs[0], out)
    refuse_unless(config, "renorm", False, hint="nearest: BatchNormalization() without renorm")
    momentum, epsilon = float(config.get("momentum", 0.99)), float(config.get("epsilon", 1e-3))
    node = out.add(layers.BatchNorm(epsilon, 1 - momentum), name, x)
    there, back = ordered(x.order)
    size = (x.channels(),)
    _scale_and_shift(config, name, out, size, x)
    for theirs, ours in (("moving_mean", "running_mean"), ("moving_variance", "running_var")):
        out.weight(theirs, size, f"{name}.{ours}", there, back, trainable=False)
    return replace(x, node=node, prepared=())


def layer_norm(config: Config, name: str, inputs: list[Stream], out: Fragment) -> Stream:
    """LayerNormalization over the last axis, at each place."""
    x = _over_channels(config, inputs[0], out)
    refuse_unless(config, "rms_scaling", False)
    node = out.add(layers.LayerNorm(float(config.get("epsilon", 1e-3))), name, x)
    _scale_and_shift(config, name, out, (x.channels(),), x)
    return replace(x, node=node, prepared=())


def _scale_and_shift(
    config: Config, name: str, out: Fragment, size: tuple[int, ...], x: Stream
) -> None:
    there, back = ordered(x.order)
    for field, theirs, ours in (("scale", "gamma", "weight"), ("center", "beta", "bias")):
        if config.get(field, True):
            out.weight(theirs, size, f"{name}.{ours}", there, back)
        else:
            out.fixed.append(f"{name}.{ours}")


def _over_channels(config: Config, x: Stream, out: Fragment) -> Stream:
    """A stream whose channels lie along ``axis``, or NetworkError."""
    axis = config.get("axis", -1)
    axis = axis[0] if isinstance(axis, list | tuple) and len(axis) == 1 else axis
    if not isinstance(axis, int):
        raise NetworkError(f"axis={axis!r} is not in beak; nearest: axis=-1, over the channels")
    place = axis - 1 if axis > 0 else len(x.shape) + axis
    if not x.is_row and x.first is None and place in (0, len(x.shape) - 1):
        x = replace(x, first=place == 0)
    x = out.read(x)
    if x.is_row or place == (0 if x.first else len(x.shape) - 1):
        return x
    raise NetworkError(f"axis={axis} of {x.shape} is not in beak; nearest: axis=-1, the channels")


def dropout(config: Config, name: str, inputs: list[Stream], out: Fragment) -> Stream:
    """Dropout of single numbers."""
    refuse_unless(config, "noise_shape", None, hint="nearest: SpatialDropout2D")
    x = out.read(inputs[0])
    return replace(x, node=out.add(layers.Dropout(float(config["rate"])), name, x), prepared=())


def activation(config: Config, name: str, inputs: list[Stream], out: Fragment) -> Stream:
    """Activation by name."""
    x = out.read(inputs[0])
    if plain_name(config.get("activation")) == "leaky_relu":
        return replace(x, node=out.add(leaky(0.2), name, x), prepared=())
    function = function_named(config.get("activation"))
    if function is None:
        return x
    if function == "softmax":
        x = _over_channels({}, x, out)
    return replace(x, node=out.add(Activation(function), name, x), prepared=())


def softmax(config: Config, name: str, inputs: list[Stream], out: Fragment) -> Stream:
    """Softmax over the channels."""
    x = _over_channels(config, inputs[0], out)
    return replace(x, node=out.add(Activation("softmax"), name, x), prepared=())


def embedding(config: Config, name: str, inputs: list[Stream], out: Fragment) -> Stream:
    """Embedding: (L,) word numbers -> (L, dimensions); embeddings (words, dimensions)."""
    if config.get("mask_zero"):
        raise NetworkError(
            "mask_zero=True is not in beak; nearest: Embedding without a mask, as Conv1D ignores it"
        )
    x = out.read(inputs[0])
    if not x.is_input or x.prepared:
        raise NetworkError("an Embedding within a network is not in beak; it reads the Input alone")
    size = (int(config["input_dim"]), int(config["output_dim"]))
    layer = layers.Embedding(*size)
    node = out.add(layer, name, x)
    out.weight("embeddings", size, f"{name}.weight")
    return Stream((*x.shape, size[1]), node, False)


def add(config: Config, name: str, inputs: list[Stream], out: Fragment) -> Stream:
    """Add and Multiply."""
    streams = _alike([out.read(x) for x in inputs])
    kind = layers.Multiply if config["class_name"] == "Multiply" else layers.Add
    shapes = [s.beak_shape() for s in streams]
    if kind is layers.Add and len(set(shapes)) > 1:
        raise ShapeError(f"{' and '.join(str(s.shape) for s in streams)}: one shape was wanted")
    largest = max(streams, key=lambda s: len(s.beak_shape()))
    layer = kind()
    layer.output(*shapes)
    return replace(largest, node=out.add(layer, name, *streams), prepared=())


def concatenate(config: Config, name: str, inputs: list[Stream], out: Fragment) -> Stream:
    """Concatenate along the channels."""
    streams = [_over_channels(config, x, out) for x in inputs]
    layer = layers.Concat()
    if not streams[0].is_row:
        return out.node(layer, name, *_alike(streams))
    node = out.add(layer, name, *streams)
    order = None
    if any(s.order is not None for s in streams):
        sizes = [s.shape[-1] for s in streams]
        begins = np.cumsum([0, *sizes[:-1]])
        order = np.concatenate(
            [begin + (np.arange(size) if s.order is None else s.order)
             for s, begin, size in zip(streams, begins, sizes, strict=True)]
        )  # fmt: skip
    return Stream(
        (*streams[0].shape[:-1], sum(s.shape[-1] for s in streams)),
        node, streams[0].first, order, streams[0].flat,
    )  # fmt: skip


def _alike(streams: list[Stream]) -> list[Stream]:
    """Streams of one layout and one order of features, or NetworkError."""
    orders = [s.order for s in streams if s.is_row]
    firsts = {s.first for s in streams if not s.is_row}
    same = all(
        a is b or (a is not None and b is not None and np.array_equal(a, b))
        for a, b in pairwise(orders)
    )
    if not same or len(firsts) > 1:
        raise NetworkError("rows of features that were flattened differently cannot be joined")
    return streams


def unchanged(config: Config, name: str, inputs: list[Stream], out: Fragment) -> Stream:
    """Layers that do nothing here."""
    return inputs[0]


TABLE: dict[str, Translate] = {
    "Conv1D": convolution,
    "Conv2D": convolution,
    "DepthwiseConv2D": depthwise,
    "SeparableConv2D": separable,
    "MaxPooling1D": pooling,
    "MaxPooling2D": pooling,
    "AveragePooling1D": pooling,
    "AveragePooling2D": pooling,
    "GlobalMaxPooling1D": global_pooling,
    "GlobalMaxPooling2D": global_pooling,
    "GlobalAveragePooling1D": global_pooling,
    "GlobalAveragePooling2D": global_pooling,
    "Dense": dense,
    "Flatten": flatten,
    "Reshape": reshape,
    "ZeroPadding1D": padding,
    "ZeroPadding2D": padding,
    "Cropping1D": padding,
    "Cropping2D": padding,
    "UpSampling1D": upsampling,
    "UpSampling2D": upsampling,
    "BatchNormalization": batch_norm,
    "LayerNormalization": layer_norm,
    "Dropout": dropout,
    "SpatialDropout1D": spatial_dropout,
    "SpatialDropout2D": spatial_dropout,
    "Activation": activation,
    "ReLU": relu,
    "LeakyReLU": leaky_relu,
    "Softmax": softmax,
    "Embedding": embedding,
    "Add": add,
    "Multiply": add,
    "Concatenate": concatenate,
    "InputLayer": unchanged,
    "ActivityRegularization": unchanged,
    **dict.fromkeys(PREPARING, prepare),
}
"""What each of Keras's layers becomes, by its class's name."""

NEAREST = {
    "Lambda": "it holds code; write the function as layers, or do it to the arrays before",
    "TFOpLambda": "it holds an operation of TensorFlow; write it as layers",
    "Conv3D": "Conv2D",
    "Conv1DTranspose": "UpSampling1D and Conv1D",
    "Conv2DTranspose": "UpSampling2D and Conv2D",
    "SeparableConv1D": "Conv1D",
    "DepthwiseConv1D": "Conv1D(groups=channels)",
    "LSTM": "Conv1D and GlobalMaxPooling1D",
    "GRU": "Conv1D and GlobalMaxPooling1D",
    "SimpleRNN": "Conv1D and GlobalMaxPooling1D",
    "Bidirectional": "Conv1D and GlobalMaxPooling1D",
    "TimeDistributed": "Dense, which works at each place by itself",
    "MultiHeadAttention": "Conv1D",
    "Attention": "Conv1D",
    "PReLU": "LeakyReLU",
    "ELU": "LeakyReLU or Activation('gelu')",
    "ThresholdedReLU": "ReLU",
    "GroupNormalization": "LayerNormalization or BatchNormalization",
    "UnitNormalization": "LayerNormalization",
    "SpectralNormalization": "a kernel_constraint",
    "Subtract": "Add",
    "Average": "Add",
    "Maximum": "Add or Concatenate",
    "Minimum": "Add or Concatenate",
    "Dot": "Multiply",
    "Permute": "arrays turned before they come",
    "RepeatVector": "UpSampling1D",
    "Masking": "padding with zeros",
    "GaussianNoise": "Dropout",
    "GaussianDropout": "Dropout",
    "AlphaDropout": "Dropout",
    "TextVectorization": "beak train with a file of sentences",
    "StringLookup": "beak train with a file of sentences",
    "Discretization": "numpy.digitize before",
    "CategoryEncoding": "keras.utils.to_categorical before",
    "Hashing": "numpy before",
}
"""What a layer that is not here is answered with."""


def translate(config: Config, name: str, inputs: list[Stream]) -> tuple[Stream, Fragment]:
    """One Keras layer (its config, ``class_name`` among it) as beak's.

    Raises NetworkError for a layer or an option that is not in beak, with the nearest that is,
    and ShapeError where it does not fit what comes in; both say which layer.
    """
    kind = str(config["class_name"])
    if kind not in TABLE:
        raise refusal(kind, name)
    out = Fragment()
    try:
        return TABLE[kind](config, name, inputs, out), out
    except (NetworkError, ShapeError) as error:
        raise type(error)(f"{kind} '{name}': {error}") from None


def refusal(kind: str, name: str = "") -> NetworkError:
    """What is said of a layer that is not in beak."""
    named = f" ('{name}')" if name else ""
    near = f"; nearest: {NEAREST[kind]}" if kind in NEAREST else did_you_mean(kind, TABLE)
    return NetworkError(f"the layer {kind}{named} is not in beak{near}")
