"""Keras's layers that move numbers, as beak's: padding, cropping, upsampling, reshaping."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from beak.errors import NetworkError, ShapeError
from beak.exchange.keras_prepare import prepare
from beak.exchange.keras_stream import Array, Config, Fragment, Stream, is_first, refuse_unless
from beak.network import layers
from beak.network.layer import Shape


def padding(config: Config, name: str, inputs: list[Stream], out: Fragment) -> Stream:
    """ZeroPadding and Cropping, 1D and 2D: zeros added, or as much cut off."""
    kind = str(config["class_name"])
    axes = 1 if kind.endswith("1D") else 2
    x = _map(config, name, inputs[0], out, axes)
    cut = kind.startswith("Cropping")
    usual = ((1, 1), (0, 0))[cut]
    sides = _sides(config.get("cropping" if cut else "padding", (usual,) * axes), axes)
    sign = -1 if cut else 1
    before, after = (tuple(sign * pair[end] for pair in sides) for end in (0, 1))
    return out.node(_one_or_two(layers.Pad, before, after), name, x)


def _one_or_two(kind: Any, *values: tuple[int, ...]) -> Any:
    return kind(*(value if len(value) > 1 else value[0] for value in values))


def _sides(value: Any, axes: int) -> list[tuple[int, int]]:
    """(before, after) for each axis, from one number, one for each axis, or a pair for each."""
    if axes == 1 and isinstance(value, list | tuple):
        value = [value] if not isinstance(value[0], list | tuple) else value
    each = list(value) if isinstance(value, list | tuple) else [value] * axes
    pairs = [tuple(one) if isinstance(one, list | tuple) else (one, one) for one in each]
    fits = len(pairs) == axes and all(len(pair) == 2 for pair in pairs)
    if not fits or not all(isinstance(n, int) and n >= 0 for pair in pairs for n in pair):
        raise NetworkError(
            f"{value!r} came; a whole number, one for each of {axes} axes, or a pair (before, "
            "after) for each was wanted"
        )
    return [(pair[0], pair[1]) for pair in pairs]


def upsampling(config: Config, name: str, inputs: list[Stream], out: Fragment) -> Stream:
    """UpSampling1D and 2D: each number several times, or what lies between neighbours."""
    axes = 1 if str(config["class_name"]).endswith("1D") else 2
    refuse_unless(config, "interpolation", "nearest", "bilinear", hint="nearest: 'bilinear'")
    x = _map(config, name, inputs[0], out, axes)
    size = config.get("size", 2)
    factor = tuple(size) if isinstance(size, list | tuple) else (size,) * axes
    if len(factor) != axes:
        raise NetworkError(f"size={size!r}; a number for each of {axes} axes was wanted")
    how = str(config.get("interpolation", "nearest"))
    layer = layers.Upsample(factor if axes > 1 else factor[0], how)
    return out.node(layer, name, x)


def reshape(config: Config, name: str, inputs: list[Stream], out: Fragment) -> Stream:
    """Reshape: the numbers keep the order in which Keras has them."""
    x = inputs[0]
    target = _filled(tuple(config["target_shape"]), x.shape)
    if x.is_input:
        return prepare({**config, "target_shape": target}, name, inputs, out)
    if target == x.shape:
        return x
    if x.is_row and math.prod(target[:-1]) == 1 and len(target) > 1:
        return replace(x, shape=target, flat=True, first=False)
    if x.is_row and len(target) == 1:
        return replace(x, shape=target, flat=False, first=None)
    if len(target) > 3:
        raise NetworkError(
            f"Reshape to {target} is not in beak; nearest: one to three sizes, (height, width, "
            "channels)"
        )
    x = _in_order(out.read(x), name, out)
    if x.first and not x.is_row:
        return Stream(target, out.add(layers.Reshape(target), name, x), len(target) > 1 or None)
    lies = (target[-1], *target[:-1])
    node = out.add(layers.Reshape(lies, last=True), name, x)
    return Stream(target, node, False if len(target) > 1 else None)


def flattened(name: str, x: Stream, out: Fragment) -> Stream:
    """A map in one row, its places remembered: beak's row has channels first."""
    node = out.add(layers.Flatten(), name, x)
    shape = x.beak_shape()
    places = np.arange(math.prod(shape)).reshape(shape)
    return Stream((places.size,), node, None, _order(np.moveaxis(places, 0, -1)))


def _order(places: Array) -> Array | None:
    order = places.reshape(-1)
    return None if bool((order == np.arange(order.size)).all()) else order


def _in_order(x: Stream, name: str, out: Fragment) -> Stream:
    """A stream whose numbers beak can count as Keras does: a flattened map is a map again."""
    if x.order is None or not x.is_row:
        return x
    size = x.order.size
    places = int(x.order[1]) if size > 1 else 0
    if places < 1 or size % places:
        raise NetworkError("rows that were joined cannot be reshaped; nearest: Reshape before")
    shape = (size // places, places)
    channels_last = np.moveaxis(np.arange(size).reshape(shape), 0, -1).reshape(-1)
    if not np.array_equal(channels_last, x.order):
        raise NetworkError("rows that were joined cannot be reshaped; nearest: Reshape before")
    node = out.add(layers.Reshape(shape), f"{name}.map", x)
    return Stream((places, shape[0]), node, False)


def _filled(target: Shape, shape: Shape) -> Shape:
    whole, known = math.prod(shape), math.prod(size for size in target if size != -1)
    if target.count(-1) > 1 or known < 1 or any(size < -1 for size in target):
        raise NetworkError(f"target_shape={target}; sizes, at most one of them -1, were wanted")
    filled = tuple(whole // known if size == -1 else int(size) for size in target)
    if math.prod(filled) != whole:
        raise ShapeError(f"Reshape from {shape} to {target}: {whole} numbers do not fit")
    return filled


def _map(config: Config, name: str, x: Stream, out: Fragment, axes: int) -> Stream:
    """A map with so many axes; one of a single place is made one in beak too."""
    x = out.read(x, is_first(config) if axes == 2 else None)
    if len(x.shape) != axes + 1:
        wanted = "(height, width, channels)" if axes == 2 else "(length, channels)"
        raise ShapeError(f"{x.shape} came in, {wanted} was wanted")
    if not x.flat:
        return x
    lies = (x.channels(), *(1,) * axes)
    node = out.add(layers.Reshape(lies, last=True), f"{name}.map", x)
    return Stream(x.shape, node, x.first)
