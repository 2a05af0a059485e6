"""PyTorch's operators (ATen) as torch.export writes them, read as layers; a table.

What an operator means is said once, for ONNX, in ``onnx_operators``, ``onnx_arithmetic`` and
``onnx_moves``; here stands how PyTorch writes the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from beak.exchange.onnx_arithmetic import ARITHMETIC
from beak.exchange.onnx_building import Building
from beak.exchange.onnx_file import Operator
from beak.exchange.onnx_given import Given, array_of, value_of
from beak.exchange.onnx_moves import pad
from beak.exchange.onnx_operators import LAYERS
from beak.exchange.onnx_pooling import pooled
from beak.exchange.onnx_upsampling import enlarged
from beak.exchange.onnx_views import Array, Bent, LackingError, Value
from beak.exchange.onnx_windows import clean
from beak.network.layers import Dropout

OPSET = 18


@dataclass(frozen=True, eq=False)
class Call:
    """One operator of the graph with its arguments by name, defaults filled in."""

    net: Building
    kind: str
    """As PyTorch names it, without the underscore of those that work in place."""
    given: Mapping[str, Any]
    names: Mapping[str, str]
    """What its constants are called in the module: weight -> "layer1.0.conv1.weight"."""

    def __getitem__(self, name: str) -> Any:
        return self.given[name]

    def as_onnx(self, kind: str, args: Sequence[Given], **fields: Any) -> Given:
        """The same said as an operator of ONNX."""
        names = tuple(self.names.get(key, "") for key in ("input", "weight"))
        op = Operator(kind, "", names, ("",), {"opset": OPSET, **fields})
        if kind in LAYERS:
            return LAYERS[kind](self.net, op, args, names)
        return ARITHMETIC[kind](self.net, op, args)

    def moved(self, how: Callable[[Array], Array], name: str = "self") -> Given:
        """The argument with its numbers in other places."""
        given = self.given[name]
        if isinstance(given, Value):
            return Value(given.node, how(given.places))
        if isinstance(given, Bent):
            moved = Value(given.value.node, how(given.value.places))
            return Bent(given.how, moved, given.factor)
        return how(given)


Read = Callable[[Call], Given]


def _each(value: int | Sequence[int], axes: int) -> tuple[int, ...]:
    """A number for each axis."""
    given = tuple(value) if isinstance(value, Sequence) else (value,)
    return given * axes if len(given) == 1 else given


def _conv(c: Call) -> Given:
    weight = array_of(c["weight"], "weight")
    axes = weight.ndim - 2
    fields: dict[str, Any] = {
        "strides": _each(c["stride"], axes),
        "dilations": _each(c["dilation"], axes),
        "group": c["groups"],
    }
    if isinstance(c["padding"], str):
        fields["auto_pad"] = {"same": "SAME_UPPER", "valid": "VALID"}[c["padding"]]
    else:
        fields["pads"] = _each(c["padding"], axes) * 2
    if c.given.get("transposed"):
        raise LackingError("beak has no such layer; a convolution that is not transposed is there")
    return c.as_onnx("Conv", [c["input"], weight, c["bias"]], **fields)


def _linear(c: Call) -> Given:
    bias = None if c["bias"] is None else array_of(c["bias"], "bias")
    weight = array_of(c["weight"], "weight")
    return c.net.dense(value_of(c["input"]), weight.T, bias, clean(c.names.get("weight", "")))


def _addmm(c: Call) -> Given:
    weight, bias = array_of(c["mat2"], "second matrix"), array_of(c["self"], "bias")
    return c.net.dense(value_of(c["mat1"]), weight, bias, clean(c.names.get("mat2", "")))


def _batch_norm(c: Call) -> Given:
    if c.given.get("training"):
        raise LackingError("it is as in training; call module.eval() first")
    mean = c["running_mean"]
    if mean is None:
        raise LackingError("it keeps no running statistics, which prediction needs")
    weight = np.ones_like(mean) if c["weight"] is None else c["weight"]
    bias = np.zeros_like(mean) if c["bias"] is None else c["bias"]
    args = [c["input"], weight, bias, mean, c["running_var"]]
    return c.as_onnx("BatchNormalization", args, epsilon=c["eps"])


def _layer_norm(c: Call) -> Given:
    shape = c["normalized_shape"]
    if len(shape) != 1:
        raise LackingError("a layer norm over more than the channels is not there")
    weight = np.ones(shape, np.float32) if c["weight"] is None else c["weight"]
    return c.as_onnx("LayerNormalization", [c["input"], weight, c["bias"]], epsilon=c["eps"])


def _pool(kind: str, axes: int) -> Read:
    def read(c: Call) -> Given:
        kernel = _each(c["kernel_size"], axes)
        fields: dict[str, Any] = {
            "kernel_shape": kernel,
            "strides": _each(c["stride"], axes) or kernel,
            "pads": _each(c["padding"], axes) * 2,
            "dilations": _each(c.given.get("dilation", 1), axes),
            "ceil_mode": int(c["ceil_mode"]),
            "count_include_pad": int(c.given.get("count_include_pad", False)),
        }
        if c.given.get("divisor_override") is not None:
            raise LackingError("divisor_override is not there")
        return c.as_onnx(kind, [c["self"]], **fields)

    return read


def _adaptive(largest: bool, axes: int) -> Read:
    def read(c: Call) -> Given:
        value, wanted = value_of(c["self"]), _each(c["output_size"], axes)
        sizes = value.shape[-axes:]
        if set(wanted) == {1}:
            last = range(value.places.ndim - axes, value.places.ndim)
            return pooled(c.net, value, last, True, largest)
        if all(n % size == 0 for n, size in zip(wanted, sizes, strict=True)):
            places = value.places  # each number stands in several places, or in its own
            for axis, (n, size) in enumerate(zip(wanted, sizes, strict=True), -axes):
                places = np.repeat(places, n // size, axis)
            return Value(value.node, places)
        if any(size % n for n, size in zip(wanted, sizes, strict=True)):
            raise LackingError(
                f"windows of different sizes ({sizes} to {wanted}); an input whose map is a "
                f"multiple of {wanted} there would do"
            )
        kernel = tuple(size // n for n, size in zip(wanted, sizes, strict=True))
        kind = "MaxPool" if largest else "AveragePool"
        return c.as_onnx(kind, [value], kernel_shape=kernel, strides=kernel)

    return read


def _two(kind: str) -> Read:
    def read(c: Call) -> Given:
        first, second = (_number(c[name]) for name in ("self", "other"))
        if c.given.get("alpha", 1) != 1:
            second = c.as_onnx("Mul", [second, _number(c["alpha"])])
        if not any(isinstance(given, Value | Bent) for given in (first, second)):
            return np.asarray(FOLDED[kind](array_of(first, "number"), array_of(second, "number")))
        return c.as_onnx(kind, [first, second])

    return read


FOLDED = {"Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Div": np.divide}


def _number(given: Any) -> Given:
    return np.asarray(given, np.float32) if isinstance(given, int | float) else given


def _one(kind: str, **fields: Any) -> Read:
    return lambda c: c.as_onnx(kind, [c["self"]], **fields)


def _function(name: str) -> Read:
    return lambda c: c.net.function(value_of(c["self"]), name)


def _clipped(low: str, high: str) -> Read:
    def read(c: Call) -> Given:
        bounds = {"min": c.given.get(low), "max": c.given.get(high)}
        return c.as_onnx("Clip", [c["self"]], **{k: v for k, v in bounds.items() if v is not None})

    return read


def _reduce(kind: str) -> Read:
    def read(c: Call) -> Given:
        axes = c["dim"]
        axes = [axes] if isinstance(axes, int) else list(axes or ())
        return c.as_onnx(kind, [c["self"]], axes=tuple(axes), keepdims=int(c["keepdim"]))

    return read


def _flat(c: Call) -> Given:
    def how(places: Array) -> Array:
        begin, end = c["start_dim"] % places.ndim, c["end_dim"] % places.ndim
        return places.reshape(*places.shape[:begin], -1, *places.shape[end + 1 :])

    return c.moved(how)


def _slice(c: Call) -> Given:
    window = slice(c["start"], c["end"], c["step"])
    return c.moved(lambda places: places[(slice(None),) * (c["dim"] % places.ndim) + (window,)])


def _padded(name: str) -> Read:
    def read(c: Call) -> Given:
        if c.given.get("mode", "constant") != "constant" or c.given.get("value"):
            raise LackingError("padding with other numbers than 0 is not there")
        value = value_of(c["self"])
        given = list(c[name])
        pairs = [(given[i], given[i + 1]) for i in range(0, len(given), 2)][::-1]
        both = [(0, 0)] * (value.places.ndim - len(pairs)) + pairs
        return Value(value.node, pad(value.places, both, -1))

    return read


def _upsampled(between: bool) -> Read:
    def read(c: Call) -> Given:
        value = value_of(c.given.get("input", c.given.get("self")))
        if c.given.get("align_corners"):
            raise LackingError("align_corners=True is not there; align_corners=False is")
        size = c.given.get("output_size")
        if size is not None:
            scales: Any = np.asarray(size) / np.array(value.shape[2:])
        else:
            scales = np.asarray(c["scale_factors"], float)
        return enlarged(c.net, value, scales, between)

    return read


def _softmax(c: Call) -> Given:
    kind = "LogSoftmax" if c.kind.startswith(("log", "_log")) else "Softmax"
    return c.as_onnx(kind, [c["self"]], axis=c["dim"])


def _dropout(c: Call) -> Given:
    rate = float(c["p"])
    value = value_of(c.given.get("input", c.given.get("self")))  # of dropout_: self
    return c.net.each(value, Dropout(rate if 0 <= rate < 1 else 0.5))


def _same(name: str = "self") -> Read:
    return lambda c: c[name]


def _squeeze(c: Call) -> Given:
    axes = c.given.get("dim")
    if axes is None:
        return c.moved(lambda p: p.reshape(1, *(n for n in p.shape[1:] if n != 1)))
    chosen = tuple([axes] if isinstance(axes, int) else axes)
    return c.moved(lambda p: p.squeeze(tuple(a for a in chosen if p.shape[a] == 1)))


OPERATORS: dict[str, Read] = {
    "conv1d": _conv,
    "conv2d": _conv,
    "convolution": _conv,
    "linear": _linear,
    "addmm": _addmm,
    "batch_norm": _batch_norm,
    "_native_batch_norm_legit_no_training": _batch_norm,
    "layer_norm": _layer_norm,
    "max_pool1d": _pool("MaxPool", 1),
    "max_pool2d": _pool("MaxPool", 2),
    "avg_pool1d": _pool("AveragePool", 1),
    "avg_pool2d": _pool("AveragePool", 2),
    "adaptive_avg_pool1d": _adaptive(False, 1),
    "adaptive_avg_pool2d": _adaptive(False, 2),
    "adaptive_max_pool1d": _adaptive(True, 1),
    "adaptive_max_pool2d": _adaptive(True, 2),
    "mean": _reduce("ReduceMean"),
    "amax": _reduce("ReduceMax"),
    "sum": _reduce("ReduceSum"),
    "relu": _function("relu"),
    "silu": _function("silu"),
    "sigmoid": _function("sigmoid"),
    "tanh": _function("tanh"),
    "hardswish": _function("hard_swish"),
    "hardsigmoid": _one("HardSigmoid", alpha=1 / 6, beta=0.5),
    "hardtanh": _clipped("min_val", "max_val"),
    "relu6": _one("Clip", min=0.0, max=6.0),
    "clamp": _clipped("min", "max"),
    "clamp_min": _clipped("min", ""),
    "leaky_relu": lambda c: c.as_onnx("LeakyRelu", [c["self"]], alpha=c["negative_slope"]),
    "prelu": lambda c: c.as_onnx("PRelu", [c["self"], _by_channel(c["weight"], c["self"])]),
    "gelu": lambda c: c.as_onnx("Gelu", [c["self"]], approximate=c["approximate"]),
    "softmax": _softmax,
    "_softmax": _softmax,
    "log_softmax": _softmax,
    "_log_softmax": _softmax,
    "add": _two("Add"),
    "sub": _two("Sub"),
    "mul": _two("Mul"),
    "div": _two("Div"),
    "neg": _one("Neg"),
    "cat": lambda c: c.as_onnx("Concat", c["tensors"], axis=c["dim"]),
    "concat": lambda c: c.as_onnx("Concat", c["tensors"], axis=c["dim"]),
    "flatten": _flat,
    "view": lambda c: c.moved(lambda p: p.reshape(c["size"])),
    "_unsafe_view": lambda c: c.moved(lambda p: p.reshape(c["size"])),
    "reshape": lambda c: c.moved(lambda p: p.reshape(c["shape"])),
    "permute": lambda c: c.moved(lambda p: p.transpose(c["dims"])),
    "transpose": lambda c: c.moved(lambda p: p.swapaxes(c["dim0"], c["dim1"])),
    "t": lambda c: c.moved(np.transpose),
    "squeeze": _squeeze,
    "unsqueeze": lambda c: c.moved(lambda p: np.expand_dims(p, c["dim"])),
    "slice": _slice,
    "select": lambda c: c.moved(lambda p: p.take(c["index"], c["dim"])),
    "expand": lambda c: c.moved(lambda p: np.broadcast_to(p, _unsaid(p.shape, c["size"])).copy()),
    "pad": _padded("pad"),
    "constant_pad_nd": _padded("pad"),
    "upsample_nearest1d": _upsampled(between=False),
    "upsample_nearest2d": _upsampled(between=False),
    "upsample_linear1d": _upsampled(between=True),
    "upsample_bilinear2d": _upsampled(between=True),
    "dropout": _dropout,
    "feature_dropout": _dropout,
    "contiguous": _same(),
    "clone": _same(),
    "alias": _same(),
    "detach": _same(),
    "to": _same(),
}
"""Operator -> what comes of its arguments."""
NEAREST = {
    "group_norm": "batch_norm and layer_norm are there",
    "instance_norm": "batch_norm and layer_norm are there",
    "conv_transpose2d": "conv2d is there",
    "elu": "relu, gelu and silu are there",
    "mish": "silu and gelu are there",
    "softplus": "relu and gelu are there",
    "conv3d": "conv1d and conv2d are there",
    "lstm": "beak's networks are convolutional",
    "gru": "beak's networks are convolutional",
    "scaled_dot_product_attention": "beak's networks are convolutional",
    "embedding": "word numbers come to beak through its own networks for sentences",
}


def split_parts(c: Call) -> list[Given]:
    """The parts of a split or a chunk."""
    value: Any = c["self"]
    shape = value.shape
    axis = c["dim"] % len(shape)
    if c.kind == "chunk":
        size: Any = -(-shape[axis] // c["chunks"])
    else:
        size = c.given.get("split_size", c.given.get("split_sizes"))
    if isinstance(size, int):
        ends = list(range(size, shape[axis], size))
    else:
        ends = list(np.cumsum(size)[:-1])
    begins = [0, *ends]
    parts = zip(begins, [*ends, shape[axis]], strict=True)
    window = (slice(None),) * axis
    windows = [(*window, slice(begin, end)) for begin, end in parts]
    return [c.moved(partial(_taken, window=part)) for part in windows]


def _taken(places: Array, window: Any) -> Array:
    return np.asarray(places[window])


SPLITS = ("split", "split_with_sizes", "chunk")


def _by_channel(weight: Array, value: Given) -> Array:
    axes = value_of(value).places.ndim - 2
    return array_of(weight, "slope").reshape(-1, *(1,) * axes)


def _unsaid(shape: tuple[int, ...], size: Sequence[int]) -> tuple[int, ...]:
    """The wanted size; -1 leaves an axis as it is."""
    lead = len(size) - len(shape)
    return tuple(shape[i - lead] if n == -1 else n for i, n in enumerate(size))
