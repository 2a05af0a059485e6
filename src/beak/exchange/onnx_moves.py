"""ONNX operators that only move numbers, on arrays: of constants, or of the places of values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from beak.exchange.onnx_file import Operator
from beak.exchange.onnx_views import Array, LackingError
from beak.network.layer import count

LARGEST = 1 << 26
"""Numbers that one value may have."""
Arguments = Sequence[Array | None]


def integers(op: Operator, field: str, args: Arguments, place: int) -> list[int] | None:
    """A list that older operators have as a field, and later ones as an input."""
    if field in op.fields:
        value = op.fields[field]
        return [int(v) for v in value] if isinstance(value, tuple) else [int(value)]
    if len(args) > place and args[place] is not None:
        return [int(v) for v in np.asarray(args[place]).ravel()]
    return None


def _transpose(op: Operator, data: Array, args: Arguments) -> list[Array]:
    return [data.transpose(op.fields.get("perm", tuple(range(data.ndim))[::-1]))]


def _reshape(op: Operator, data: Array, args: Arguments) -> list[Array]:
    wanted = integers(op, "shape", args, 0)
    if wanted is None:
        raise LackingError("its shape is computed from the input's numbers")
    if not op.fields.get("allowzero"):
        wanted = [data.shape[i] if size == 0 else size for i, size in enumerate(wanted)]
    return [data.reshape(wanted)]


def _flatten(op: Operator, data: Array, args: Arguments) -> list[Array]:
    axis = int(op.fields.get("axis", 1))
    axis = axis + data.ndim if axis < 0 else axis
    return [data.reshape(count(data.shape[:axis]), count(data.shape[axis:]))]


def _squeeze(op: Operator, data: Array, args: Arguments) -> list[Array]:
    axes = integers(op, "axes", args, 0)
    if axes is None:  # the batch of one stays
        axes = [axis for axis, size in enumerate(data.shape) if size == 1 and axis]
    return [data.squeeze(tuple(axes))]


def _unsqueeze(op: Operator, data: Array, args: Arguments) -> list[Array]:
    return [np.expand_dims(data, tuple(integers(op, "axes", args, 0) or ()))]


def _gather(op: Operator, data: Array, args: Arguments) -> list[Array]:
    chosen = _given(args, 0).astype(np.int64)
    axis = int(op.fields.get("axis", 0))
    _fits(count(chosen.shape) * data.size // max(1, data.shape[axis]))
    return [np.take(data, chosen, axis=axis)]


def _slice(op: Operator, data: Array, args: Arguments) -> list[Array]:
    starts, ends = (integers(op, f, args, i) for i, f in enumerate(("starts", "ends")))
    if starts is None or ends is None:
        raise LackingError("its ends are computed from the input's numbers")
    axes = integers(op, "axes", args, 2) or list(range(len(starts)))
    steps = integers(op, "steps", args, 3) or [1] * len(starts)
    window = [slice(None)] * data.ndim
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        size = data.shape[axis]
        if step < 0 and end < -size:
            window[axis] = slice(start, None, step)
        else:
            window[axis] = slice(start, end, step)
    return [data[tuple(window)]]


def _split(op: Operator, data: Array, args: Arguments) -> list[Array]:
    axis, parts = int(op.fields.get("axis", 0)), integers(op, "split", args, 0)
    if parts is None:
        number = len(op.outputs)
        size = -(-data.shape[axis] // number)
        return list(np.split(data, [size * k for k in range(1, number)], axis))
    return list(np.split(data, np.cumsum(parts)[:-1], axis))


def _expand(op: Operator, data: Array, args: Arguments) -> list[Array]:
    shape = np.broadcast_shapes(data.shape, tuple(int(n) for n in _given(args, 0)))
    _fits(count(shape))
    return [np.broadcast_to(data, shape)]


def _tile(op: Operator, data: Array, args: Arguments) -> list[Array]:
    repeats = [int(n) for n in _given(args, 0)]
    _fits(count(repeats) * data.size)
    return [np.tile(data, repeats)]


def _depth_to_space(op: Operator, data: Array, args: Arguments) -> list[Array]:
    b, (n, c, h, w) = int(op.fields["blocksize"]), data.shape
    if op.fields.get("mode", "DCR") == "DCR":
        return [_mixed(data.reshape(n, b, b, c // b**2, h, w), (0, 3, 4, 1, 5, 2), h * b, w * b)]
    return [_mixed(data.reshape(n, c // b**2, b, b, h, w), (0, 1, 4, 2, 5, 3), h * b, w * b)]


def _mixed(parts: Array, order: tuple[int, ...], height: int, width: int) -> Array:
    moved = parts.transpose(order)
    return moved.reshape(*moved.shape[:2], height, width)


def _given(args: Arguments, place: int) -> Array:
    found = args[place] if len(args) > place else None
    if found is None:
        raise LackingError("what it moves by is missing")
    return np.asarray(found)


def _fits(numbers: int) -> None:
    if numbers > LARGEST:
        raise LackingError(f"{numbers:,} numbers would come out; that is more than beak takes")


def padding(op: Operator, args: Arguments, axes: int) -> list[tuple[int, int]]:
    """What a Pad adds before and after each axis; LackingError where it adds anything but zeros."""
    if op.fields.get("mode", "constant") != "constant":
        raise LackingError(f"padding of mode {op.fields['mode']} is not there; zeros are")
    filled = args[1] if len(args) > 1 and args[1] is not None else op.fields.get("value", 0.0)
    if np.any(np.asarray(filled) != 0):
        raise LackingError("padding with other numbers than 0 is not there")
    pads = integers(op, "pads", args, 0)
    chosen = integers(op, "axes", args, 2) or list(range(axes))
    if pads is None or len(pads) != 2 * len(chosen):
        raise LackingError("its pads are computed from the input's numbers, or not all there")
    both = [(0, 0)] * axes
    for place, axis in enumerate(chosen):
        both[axis] = (pads[place], pads[place + len(chosen)])
    return both


def pad(data: Array, both: Sequence[tuple[int, int]], filled: Any) -> Array:
    """The array with so much added at each end of each axis, below 0 cut off."""
    window = tuple(slice(max(0, -b), size - max(0, -e)) for size, (b, e) in
                   zip(data.shape, both, strict=True))  # fmt: skip
    added = [(max(0, b), max(0, e)) for b, e in both]
    _fits(count(n + sum(a) for n, a in zip(data[window].shape, added, strict=True)))
    return np.pad(data[window], added, constant_values=filled)


MOVES: dict[str, Callable[[Operator, Array, Arguments], list[Array]]] = {
    "Identity": lambda op, data, args: [data],
    "Dropout": lambda op, data, args: [data],
    "Transpose": _transpose,
    "Reshape": _reshape,
    "Flatten": _flatten,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Gather": _gather,
    "Slice": _slice,
    "Split": _split,
    "Expand": _expand,
    "Tile": _tile,
    "DepthToSpace": _depth_to_space,
}
"""Operator -> how it moves the numbers of its first input; its outputs."""
