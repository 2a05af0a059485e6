"""What an ONNX operator is given: its inputs, computed or constant, and its windows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from beak.exchange.onnx_file import Operator
from beak.exchange.onnx_views import Array, Bent, LackingError, Value
from beak.shapes import same_padding

Given = Value | Bent | np.ndarray[Any, Any] | None
Pads = list[tuple[int, int]]


def value_of(given: Given) -> Value:
    """An input that must be computed, not constant."""
    if isinstance(given, Value):
        return given
    if isinstance(given, Bent):
        raise LackingError(f"it reads {given.how} of a value, which is no layer of beak's alone")
    raise LackingError("its input is a constant")


def array_of(given: Given, what: str) -> Array:
    """An input that must be constant, as floats."""
    if given is None or isinstance(given, Value | Bent):
        raise LackingError(f"its {what} is computed from the input; only constants are read there")
    return np.asarray(given, np.float32)


def optional_array(args: Sequence[Given], place: int, what: str) -> Array | None:
    """A constant input that may be left out."""
    return array_of(args[place], what) if len(args) > place and args[place] is not None else None


def windows(
    op: Operator, sizes: Sequence[int], kernel: Sequence[int]
) -> tuple[tuple[int, ...], tuple[int, ...], Pads]:
    """Stride, dilation and padding (before, after) of an operator with windows."""
    axes = len(kernel)
    stride = tuple(op.fields.get("strides", (1,) * axes))
    dilation = tuple(op.fields.get("dilations", (1,) * axes))
    pads = tuple(op.fields.get("pads", (0,) * 2 * axes))
    if not len(sizes) == axes == len(stride) == len(dilation) == len(pads) // 2:
        raise LackingError(f"windows along {axes} axes meet a value along {len(sizes)}")
    if (
        min((*stride, *dilation, *kernel)) < 1
        or max((*kernel, *dilation, *map(abs, pads))) > 1 << 20
    ):
        raise LackingError("its kernel, strides, dilations or pads are not possible")
    both = list(zip(pads[:axes], pads[axes:], strict=True))
    how = op.fields.get("auto_pad", "NOTSET")
    if how in ("SAME_UPPER", "SAME_LOWER"):
        both = [
            pair if how == "SAME_UPPER" else (pair[1], pair[0])
            for pair in map(same_padding, sizes, kernel, stride, dilation)
        ]
    return stride, dilation, [(0, 0)] * axes if how == "VALID" else both
