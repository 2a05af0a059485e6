"""ONNX operators that beak has no layer for: boxes that pass values, named as such."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from beak.engine.onnx_running import Operator as Running
from beak.errors import NetworkError, RunError
from beak.exchange.onnx_building import Building
from beak.exchange.onnx_file import Operator
from beak.exchange.onnx_given import Given, value_of
from beak.exchange.onnx_views import Array, Bent, LackingError, Value, whole
from beak.network.layer import Shape, count
from beak.network.opaque import MOST_WHOLE, WHOLE, Opaque
from beak.shapes import shape_text


def boxed(net: Building, op: Operator, args: Sequence[Given], opset: int) -> Value:
    """What the operator gives, as a box's output. LackingError where nothing runs it here, or
    where what it gives is no map or row of an example's own.
    """
    if "." in op.kind:
        raise LackingError(
            "an operator of a domain of its own: beak has no such layer and nothing here can run "
            "it; export the network with ONNX's own operators"
        )
    if any(value is None for value in op.fields.values()):
        raise LackingError("beak has no such layer, and it holds graphs or tables of its own")
    if 0 in _axes(op, args):
        raise LackingError("it takes in the whole batch; name the axes of a map")
    computed = [value_of(one) for one in args if isinstance(one, Value | Bent)]
    values, reads, last = _laid(net, computed)
    turns = iter(reads)
    arguments, arrays = [], {}
    for place, one in enumerate(args):
        if isinstance(one, Value):
            arguments.append(("read", next(turns)))
            continue
        arguments.append(_constant(one))
        if arguments[-1][:1] == ("own",):
            arrays[f"argument{place}"] = np.asarray(one, np.float32)
    try:
        layer = Opaque(op.kind, opset, (1,), tuple(arguments), tuple(op.fields.items()), last)
        running = Running(layer, arrays)
        found = running.shape
        running.checked()
    except (NetworkError, RunError) as error:
        raise LackingError(f"beak has no such layer; {error}") from None
    shape = found[1:]
    if found[0] != 1 or not 1 <= len(shape) <= 3:
        raise LackingError(f"beak has no such layer, and {shape_text(found)} comes out of its box")
    shape = (shape[-1], *shape[:-1]) if last else shape
    kept = shape if count(shape[1:]) > 1 else shape[:1]  # maps of 1x1 are a row
    node = net.add(dataclasses.replace(layer, shape=kept), [v.node for v in values], arrays)
    places = whole(shape)
    return Value(node, np.moveaxis(places, 1, -1) if last else places)


def _axes(op: Operator, args: Sequence[Given]) -> list[int]:
    """The axes that an operator runs along, as far as it names any; 0 is the batch's."""
    said = op.fields.get("axes", op.fields.get("axis"))
    if said is None and op.kind.startswith("Reduce"):
        given = args[1] if len(args) > 1 else None
        said = given.ravel().tolist() if isinstance(given, np.ndarray) else [0]
    axes = [0] if said == () else [] if said is None else np.ravel(said).tolist()
    rank = max([len(one.shape) for one in args if isinstance(one, Value)], default=1)
    return [axis % rank for axis in axes]


def _laid(net: Building, values: Sequence[Value]) -> tuple[list[Value], list[Shape], bool]:
    """The values as whole outputs of nodes, the shapes that ONNX has them in, channels last?"""
    if not values:
        raise LackingError("it reads nothing that is computed")
    if any(value.shape[0] != 1 for value in values):
        raise LackingError("it mixes examples")
    shapes = [value.shape[1:] for value in values]
    try:
        return [_plain(net, value) for value in values], shapes, False
    except LackingError:
        if len({len(shape) for shape in shapes}) > 1 or len(shapes[0]) < 2:
            raise
    axes = len(shapes[0]) + 1
    order = (0, axes - 1, *range(1, axes - 1))
    turned = [Value(v.node, v.places.transpose(order)) for v in values]
    return [net.settled(value) for value in turned], shapes, True


def _plain(net: Building, value: Value) -> Value:
    """A value whose numbers stand in a node's own order, whatever shape they are given."""
    flat = value.places.ravel()
    if np.array_equal(flat, np.arange(count(net.shapes[value.node]))):
        return value
    return net.settled(value)


def _constant(given: Given) -> tuple[Any, ...]:
    if given is None:
        return ()
    array: Array = np.asarray(given)
    if array.dtype.kind == "f":
        return "own", array.shape
    kind = str(array.dtype)
    if kind not in WHOLE or array.size > MOST_WHOLE:
        raise LackingError(f"beak has no such layer, and it is given {array.size:,} {kind} numbers")
    return kind, array.shape, tuple(array.ravel().tolist())
