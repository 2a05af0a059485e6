"""ONNX operators on constants alone, computed while a file is read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from beak.engine.onnx_running import onnx_library
from beak.exchange.onnx_file import Operator
from beak.exchange.onnx_moves import LARGEST, MOVES, Arguments, integers, pad, padding
from beak.exchange.onnx_views import Array, LackingError
from beak.network.layer import count


def _constant(op: Operator, args: Arguments) -> Array:
    for field in ("value", "value_float", "value_int", "value_floats", "value_ints"):
        if field in op.fields:
            kind = {"value_float": np.float32, "value_floats": np.float32}.get(field)
            return np.asarray(op.fields[field], kind)
    raise LackingError("a constant without numbers")


def _filled(op: Operator, args: Arguments) -> Array:
    shape = [int(n) for n in np.asarray(args[0])]
    if count(shape) > LARGEST:
        raise LackingError(f"{count(shape):,} numbers would come out; that is more than beak takes")
    return np.full(shape, np.asarray(op.fields.get("value", np.float32(0))).ravel()[0])


def _cast(op: Operator, args: Arguments) -> Array:
    kind = onnx_library().helper.tensor_dtype_to_np_dtype(int(op.fields["to"]))
    return np.asarray(args[0]).astype(kind)


def _range(op: Operator, args: Arguments) -> Array:
    start, limit, step = (np.asarray(a).item() for a in args if a is not None)
    if abs(limit - start) > LARGEST * abs(step):
        raise LackingError("a range that is longer than beak takes")
    return np.arange(start, limit, step, dtype=np.asarray(args[0]).dtype)


def _two(compute: Callable[[Array, Array], Any]) -> Callable[[Operator, Arguments], Array]:
    def fold(op: Operator, args: Arguments) -> Array:
        a, b = (np.asarray(value) for value in args[:2])
        if count(np.broadcast_shapes(a.shape, b.shape)) > LARGEST:
            raise LackingError("more numbers would come out than beak takes")
        return np.asarray(compute(a, b))

    return fold


def _divided(a: Array, b: Array) -> Array:
    if a.dtype.kind in "iu":
        return np.asarray(np.trunc(a / b).astype(a.dtype))
    return np.asarray(a / b)


def _reduced(compute: Callable[..., Any]) -> Callable[[Operator, Arguments], Array]:
    def fold(op: Operator, args: Arguments) -> Array:
        axes = integers(op, "axes", args, 1)
        keep = bool(op.fields.get("keepdims", 1))
        return np.asarray(
            compute(args[0], axis=None if axes is None else tuple(axes), keepdims=keep)
        )

    return fold


def _concat(op: Operator, args: Arguments) -> Array:
    return np.concatenate([np.asarray(a) for a in args], int(op.fields["axis"]))


def _where(op: Operator, args: Arguments) -> Array:
    shapes = [np.shape(a) for a in args if a is not None]
    if count(np.broadcast_shapes(*shapes)) > LARGEST:
        raise LackingError("more numbers would come out than beak takes")
    return np.asarray(np.where(*(np.asarray(a) for a in args)))


def _squeeze(op: Operator, args: Arguments) -> Array:
    axes = integers(op, "axes", args, 1)
    return np.squeeze(np.asarray(args[0]), None if axes is None else tuple(axes))


def _padded(op: Operator, args: Arguments) -> Array:
    data = np.asarray(args[0])
    return pad(data, padding(op, args[1:], data.ndim), 0)


def along(values: Array, data: Array, axis: int) -> Array:
    """A scale or zero point as the data's shape wants it: one, or one for each along an axis."""
    if values.ndim == 1 and values.size > 1:
        shape = [1] * data.ndim
        shape[axis] = -1
        return values.reshape(shape)
    return values.reshape(()) if values.size == 1 else values


def _quantised(op: Operator, args: Arguments) -> Array:
    data, axis = np.asarray(args[0]), int(op.fields.get("axis", 1))
    zero = np.zeros((), np.uint8) if len(args) < 3 or args[2] is None else np.asarray(args[2])
    limits = np.iinfo(zero.dtype)
    steps = np.rint(data / along(np.asarray(args[1]), data, axis))
    moved = steps + along(zero, data, axis).astype(np.float64)
    return np.asarray(np.clip(moved, limits.min, limits.max), zero.dtype)


def _dequantised(op: Operator, args: Arguments) -> Array:
    data, axis = np.asarray(args[0]), int(op.fields.get("axis", 1))
    wide = data.astype(np.float32)
    if len(args) > 2 and args[2] is not None:
        wide = wide - along(np.asarray(args[2]).astype(np.float32), data, axis)
    return np.asarray(wide * along(np.asarray(args[1], np.float32), data, axis))


FOLDS: dict[str, Callable[[Operator, Arguments], Array]] = {
    "Constant": _constant,
    "ConstantOfShape": _filled,
    "Cast": _cast,
    "Range": _range,
    "Concat": _concat,
    "Where": _where,
    "Squeeze": _squeeze,
    "Pad": _padded,
    "QuantizeLinear": _quantised,
    "DequantizeLinear": _dequantised,
    "Shape": lambda op, args: np.array(
        np.asarray(args[0]).shape[op.fields.get("start", 0) : op.fields.get("end")], np.int64
    ),
    "Size": lambda op, args: np.array(np.asarray(args[0]).size, np.int64),
    "Add": _two(np.add),
    "Sub": _two(np.subtract),
    "Mul": _two(np.multiply),
    "Div": _two(_divided),
    "Pow": _two(np.power),
    "Mod": _two(np.mod),
    "Equal": _two(np.equal),
    "Less": _two(np.less),
    "Greater": _two(np.greater),
    "Min": _two(np.minimum),
    "Max": _two(np.maximum),
    "MatMul": _two(lambda a, b: a * b if not (a.ndim and b.ndim) else _product(a, b)),
    "ReduceSum": _reduced(np.sum),
    "ReduceProd": _reduced(np.prod),
    "ReduceMean": _reduced(np.mean),
    "ReduceMax": _reduced(np.max),
    "ReduceMin": _reduced(np.min),
    "Neg": lambda op, args: np.negative(np.asarray(args[0])),
    "Not": lambda op, args: np.logical_not(np.asarray(args[0])),
    "Abs": lambda op, args: np.abs(np.asarray(args[0])),
    "Sqrt": lambda op, args: np.sqrt(np.asarray(args[0])),
    "Exp": lambda op, args: np.exp(np.asarray(args[0])),
    "Log": lambda op, args: np.log(np.asarray(args[0])),
    "Floor": lambda op, args: np.floor(np.asarray(args[0])),
    "Ceil": lambda op, args: np.ceil(np.asarray(args[0])),
    "Reciprocal": lambda op, args: 1 / np.asarray(args[0]),
}
"""Operator -> what comes of constants."""


def _product(a: Array, b: Array) -> Array:
    if a.ndim > 2 or b.ndim > 2 or a.size + b.size > LARGEST or a.shape[0] * b.shape[-1] > LARGEST:
        raise LackingError("a product of constants that is larger than beak takes")
    return np.asarray(a @ b)


def fold(op: Operator, args: Arguments) -> list[Array] | None:
    """The outputs of an operator on constants; None where it is not one that is folded."""
    with np.errstate(all="ignore"):
        if op.kind in FOLDS:
            return [np.asarray(FOLDS[op.kind](op, args))]
        if op.kind in MOVES and args and args[0] is not None:
            return [np.asarray(a) for a in MOVES[op.kind](op, args[0], args[1:])]
    return None
