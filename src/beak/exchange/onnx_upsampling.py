"""ONNX operators that make maps larger, as Upsample; a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from beak.exchange.onnx_building import Building
from beak.exchange.onnx_file import Operator
from beak.exchange.onnx_given import Given, value_of
from beak.exchange.onnx_views import LackingError, Value
from beak.exchange.onnx_windows import clean
from beak.network.layers import Upsample

ROUNDED_ALIKE = {
    ("asymmetric", "floor"),
    ("half_pixel", "round_prefer_floor"),
    ("half_pixel", "round_prefer_ceil"),
    ("pytorch_half_pixel", "round_prefer_floor"),
}
"""Ways of taking the nearest number that are one where sizes grow by whole numbers."""
BETWEEN = ("half_pixel", "pytorch_half_pixel")


def _resize(net: Building, op: Operator, args: Sequence[Given], names: Sequence[str]) -> Value:
    value = value_of(args[0])
    given = [None if a is None else np.asarray(a).ravel() for a in args[1:]]
    sizes = given[2] if len(given) > 2 else None
    if sizes is not None and sizes.size:
        scales = sizes / np.array(value.shape[-len(sizes) :])
    elif len(given) > 1 and given[1] is not None:
        scales = given[1]
    else:
        raise LackingError("its sizes are computed from the input's numbers")
    way = str(op.fields.get("coordinate_transformation_mode", "half_pixel"))
    mode = str(op.fields.get("mode", "nearest"))
    if mode == "nearest":
        if (way, str(op.fields.get("nearest_mode", "round_prefer_floor"))) not in ROUNDED_ALIKE:
            raise LackingError(f"the nearest number by '{way}' is not there; by 'asymmetric' it is")
    elif mode != "linear" or way not in BETWEEN:
        raise LackingError(f"'{mode}' by '{way}' is not there; 'linear' by 'half_pixel' is")
    return enlarged(net, value, scales, mode != "nearest", clean(names[0]))


def enlarged(net: Building, value: Value, scales: Any, between: bool, name: str = "") -> Value:
    """A map larger by a whole number along each of its last axes; LackingError where it is not."""
    axes = value.places.ndim - 2
    lead, along = list(scales[:-axes]), [float(scale) for scale in scales[-axes:]]
    whole = [round(scale) for scale in along]
    if any(one != 1 for one in lead) or whole != along or min(whole, default=0) < 1 or axes > 2:
        raise LackingError(
            f"sizes times {', '.join(f'{s:g}' for s in scales)} are not there; whole numbers "
            "along height and width are"
        )
    value = net.settled(value)
    layer = Upsample(tuple(whole) if axes > 1 else whole[0], "bilinear" if between else "nearest")
    return net.value(net.add(layer, [value.node], name=name))


UPSAMPLING: dict[str, Callable[[Building, Operator, Sequence[Given], Sequence[str]], Value]] = {
    "Resize": _resize,
}
"""Operator -> the layer it is."""
