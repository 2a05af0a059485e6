"""How the layers that move numbers do it: matrices along the axes, or an order of all numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from beak.network.layer import Layer, Shape, count
from beak.network.moves import Pad, Reshape, Upsample
from beak.ops.moving.kernels import Taps, taps_from, taps_of
from beak.ops.moving.reference import pad_matrix, reshape, upsample_matrix

Array = np.ndarray[Any, Any]


def matrices_of(layer: Layer, shape: Shape) -> list[Array]:
    """A matrix (outputs, inputs) for each axis behind the channels of an input (C, …)."""
    if isinstance(layer, Pad):
        sides = zip(shape[1:], layer.sides(shape), strict=True)
        return [pad_matrix(size, before, after) for size, (before, after) in sides]
    assert isinstance(layer, Upsample)
    factors = zip(shape[1:], layer.factors(shape), strict=True)
    return [upsample_matrix(size, factor, layer.how) for size, factor in factors]


def order_of(layer: Reshape, shape: Shape) -> Array:
    """Of each number that comes out, in the network's order, which one that came in it is."""
    places = np.arange(count(shape), dtype=np.float64).reshape(1, *shape)
    return reshape(places, layer.shape, layer.last).ravel().astype(np.int64)


def native_taps(layer: Layer, shape: Shape) -> tuple[Taps, int]:
    """The table over rows with the channels last, and how many numbers a row has."""
    if not isinstance(layer, Reshape):
        return taps_of(matrices_of(layer, shape)), shape[0]
    return taps_from(_last(order_of(layer, shape), layer.shape, shape)), 1


def _last(order: Array, out: Shape, into: Shape) -> Array:
    """An order of numbers that lie channels first, as one of numbers that lie channels last."""
    lies = np.moveaxis(np.arange(count(into)).reshape(into), 0, -1).ravel()
    place = np.argsort(lies)
    return np.asarray(np.moveaxis(place[order].reshape(out), 0, -1).ravel())
