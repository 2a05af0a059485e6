"""Keras's convolutions and poolings as beak's layers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from beak.errors import NetworkError, ShapeError
from beak.exchange.keras_functions import function_named, leaked, leaky
from beak.exchange.keras_stream import Config, Fragment, Stream, is_first, refuse_unless, turned
from beak.network import layers
from beak.network.layers import Activation


def numbers(value: Any, axes: int) -> Any:
    """A window's size for each axis, from one number or several."""
    if isinstance(value, list | tuple):
        if len(value) == 1:
            value = value * axes
        if len(value) != axes:
            raise NetworkError(f"{tuple(value)} came, {axes} numbers were wanted")
        return tuple(int(v) for v in value) if axes > 1 else int(value[0])
    return value if axes == 1 else (value, value)


def padding(config: Config) -> str:
    """The word "valid" or "same"."""
    value = str(config.get("padding", "valid")).lower()
    if value == "causal":
        raise NetworkError("padding='causal' is not in beak; nearest: padding='same'")
    if value not in ("valid", "same"):
        raise NetworkError(f"padding={value!r}; 'valid' or 'same' was wanted")
    return value


def convolution(config: Config, name: str, inputs: list[Stream], out: Fragment) -> Stream:
    """Conv1D and Conv2D: kernel (h, w, C / groups, F), bias (F,)."""
    axes = 1 if config["class_name"] == "Conv1D" else 2
    x = out.read(inputs[0], is_first(config))
    if x.flat:
        return _over_one_place(config, name, x, out)
    if len(x.shape) != axes + 1:
        raise ShapeError(_wrong_axes(x, axes))
    kind = layers.Conv1D if axes == 1 else layers.Conv2D
    bias, groups = bool(config.get("use_bias", True)), int(config.get("groups", 1))
    layer = kind(
        config["filters"],
        numbers(config["kernel_size"], axes),
        stride=numbers(config.get("strides", 1), axes),
        padding=padding(config),
        dilation=numbers(config.get("dilation_rate", 1), axes),
        groups=groups,
        bias=bias,
        activation=function_named(config.get("activation")),
    )
    y = out.node(layer, name, x)
    kernel = numbers(config["kernel_size"], 2)[-axes:] if axes == 1 else layer.kernel
    shape = (*(kernel if axes == 2 else (layer.kernel,)), x.channels() // groups, layer.filters)
    out.weight(
        "kernel", shape, f"{name}.weight", *turned(*((3, 2, 0, 1) if axes == 2 else (2, 1, 0)))
    )
    if bias:
        out.weight("bias", (layer.filters,), f"{name}.bias")
    return leaked(config, name, y, out)


def _over_one_place(config: Config, name: str, x: Stream, out: Fragment) -> Stream:
    """A convolution over a map of one place, of which one tap alone meets anything: a Dense."""
    axes = len(x.shape) - 1
    taps = numbers(config["kernel_size"], axes)
    if any(t != 1 for t in ((taps,) if axes == 1 else taps)) or config.get("groups", 1) != 1:
        raise NetworkError("over a map of one place a kernel of 1 was wanted")
    units, bias = int(config["filters"]), bool(config.get("use_bias", True))
    layer = layers.Dense(units, bias, function_named(config.get("activation")))
    node, ones = out.add(layer, name, x), (1,) * axes
    out.weight(
        "kernel", (*ones, x.channels(), units), f"{name}.weight",
        lambda array: array.reshape(-1, units).T,
        lambda array: array.T.reshape(*ones, -1, units),
    )  # fmt: skip
    if bias:
        out.weight("bias", (units,), f"{name}.bias")
    y = Stream((units, *ones) if x.first else (*ones, units), node, x.first, None, True)
    return leaked(config, name, y, out)


def depthwise(config: Config, name: str, inputs: list[Stream], out: Fragment) -> Stream:
    """DepthwiseConv2D: kernel (h, w, C, multiplier), bias (C * multiplier,)."""
    x = out.read(inputs[0], is_first(config))
    _two_axes(x)
    bias = bool(config.get("use_bias", True))
    y = _depthwise(config, name, x, out, bias, function_named(config.get("activation")))
    if bias:
        out.weight("bias", (y.channels(),), f"{name}.bias")
    return leaked(config, name, y, out)


def _depthwise(
    config: Config, name: str, x: Stream, out: Fragment, bias: bool, function: str | None
) -> Stream:
    channels, each = x.channels(), int(config.get("depth_multiplier", 1))
    height, width = numbers(config["kernel_size"], 2)
    layer = layers.Conv2D(
        channels * each,
        (height, width),
        stride=numbers(config.get("strides", 1), 2),
        padding=padding(config),
        dilation=numbers(config.get("dilation_rate", 1), 2),
        groups=channels,
        bias=bias,
        activation=function,
    )
    y = out.node(layer, name, x)
    separable = config["class_name"].startswith("Separable")
    out.weight(
        "depthwise_kernel" if separable else "kernel",
        (height, width, channels, each),
        f"{name}.weight",
        lambda array: array.transpose(2, 3, 0, 1).reshape(-1, 1, height, width),
        lambda array: array.reshape(channels, each, height, width).transpose(2, 3, 0, 1),
    )
    return y


def separable(config: Config, name: str, inputs: list[Stream], out: Fragment) -> Stream:
    """SeparableConv2D: a depthwise convolution, then one of 1x1; two kernels and a bias."""
    x = out.read(inputs[0], is_first(config))
    _two_axes(x)
    each = _depthwise(config, f"{name}.depthwise", x, out, False, None)
    bias, filters = bool(config.get("use_bias", True)), int(config["filters"])
    function = function_named(config.get("activation"))
    y = out.node(layers.Conv2D(filters, 1, bias=bias, activation=function), name, each)
    shape = (1, 1, each.channels(), filters)
    out.weight("pointwise_kernel", shape, f"{name}.weight", *turned(3, 2, 0, 1))
    if bias:
        out.weight("bias", (filters,), f"{name}.bias")
    return leaked(config, name, y, out)


def pooling(config: Config, name: str, inputs: list[Stream], out: Fragment) -> Stream:
    """MaxPooling and AveragePooling, 1D and 2D."""
    kind = config["class_name"]
    axes = 1 if kind.endswith("1D") else 2
    x = out.read(inputs[0], is_first(config))
    if len(x.shape) != axes + 1 or x.flat:
        raise ShapeError(_wrong_axes(x, axes))
    table = {
        "MaxPooling1D": layers.MaxPool1D,
        "MaxPooling2D": layers.MaxPool2D,
        "AveragePooling1D": layers.AvgPool1D,
        "AveragePooling2D": layers.AvgPool2D,
    }
    window = numbers(config.get("pool_size", 2), axes)
    stride = config.get("strides")
    layer = table[kind](
        window, None if stride is None else numbers(stride, axes), padding=padding(config)
    )
    return out.node(layer, name, x)


def global_pooling(config: Config, name: str, inputs: list[Stream], out: Fragment) -> Stream:
    """GlobalMaxPooling and GlobalAveragePooling, 1D and 2D, ``keepdims`` too."""
    kind = config["class_name"]
    axes = 1 if kind.endswith("1D") else 2
    x = out.read(inputs[0], is_first(config))
    if len(x.shape) != axes + 1 or x.flat:
        raise ShapeError(_wrong_axes(x, axes))
    layer = layers.GlobalMaxPool() if "Max" in kind else layers.GlobalAvgPool()
    y = out.node(layer, name, x)
    if not config.get("keepdims"):
        return replace(y, first=None)
    ones = (1,) * axes
    shape = (*y.shape, *ones) if x.first else (*ones, *y.shape)
    return replace(y, shape=shape, flat=True)


def spatial_dropout(config: Config, name: str, inputs: list[Stream], out: Fragment) -> Stream:
    """SpatialDropout1D and 2D: whole channels fall out."""
    axes = 1 if config["class_name"].endswith("1D") else 2
    x = out.read(inputs[0], is_first(config) if axes == 2 else None)
    if len(x.shape) != axes + 1 or x.flat:
        raise ShapeError(_wrong_axes(x, axes))
    return out.node(layers.Dropout(float(config["rate"]), maps=True), name, x)


def relu(config: Config, name: str, inputs: list[Stream], out: Fragment) -> Stream:
    """ReLU, without a ceiling, a threshold or a slope."""
    refuse_unless(config, "max_value", None, hint="nearest: ReLU() without max_value")
    refuse_unless(config, "threshold", 0.0, 0, None, hint="nearest: ReLU()")
    slope = config.get("negative_slope") or 0.0
    x = out.read(inputs[0])
    node = out.add(Activation("relu") if not slope else leaky(float(slope)), name, x)
    return Stream(x.shape, node, x.first, x.order, x.flat)


def leaky_relu(config: Config, name: str, inputs: list[Stream], out: Fragment) -> Stream:
    """LeakyReLU; its slope is 0.3 where none is given (``alpha`` in old files)."""
    slope = config.get("negative_slope", config.get("alpha", 0.3))
    x = out.read(inputs[0])
    node = out.add(leaky(float(np.asarray(slope))), name, x)
    return Stream(x.shape, node, x.first, x.order, x.flat)


def _two_axes(x: Stream) -> None:
    if len(x.shape) != 3 or x.flat:
        raise ShapeError(_wrong_axes(x, 2))


def _wrong_axes(x: Stream, axes: int) -> str:
    wanted = "(height, width, channels)" if axes == 2 else "(length, channels)"
    return f"{x.shape} came in, {wanted} was wanted"
