"""Sums about ONNX's windows, channels and names, for the layers that are made of them."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from beak.exchange.onnx_views import Array, LackingError
from beak.shapes import same_padding, windows_along


def padding_of(
    sizes: Sequence[int],
    kernel: Sequence[int],
    stride: Sequence[int],
    dilation: Sequence[int],
    pads: Sequence[tuple[int, int]],
) -> tuple[int, ...] | str | None:
    """The padding of a layer whose windows are these; None where no layer has them.

    >>> padding_of((8, 8), (3, 3), (2, 2), (1, 1), [(1, 0), (1, 0)])
    (1, 1)
    >>> padding_of((8, 8), (3, 3), (2, 2), (1, 1), [(0, 1), (0, 1)])
    'same'
    """
    axes = list(zip(sizes, kernel, stride, dilation, strict=True))
    wanted = [windows_along(*axis[:3], pad, axis[3]) for axis, pad in zip(axes, pads, strict=True)]
    begins = [begin for begin, _ in pads]
    if min(begins) >= 0:
        even = [windows_along(*a[:3], (b, b), a[3]) for a, b in zip(axes, begins, strict=True)]
        if even == wanted:  # what stands behind the last window is never seen
            return tuple(begins)
    same = [same_padding(*axis) for axis in axes]
    found = [windows_along(*axis[:3], pad, axis[3]) for axis, pad in zip(axes, same, strict=True)]
    if found == wanted and [begin for begin, _ in same] == begins:
        return "same"
    return None


def spread_channels(weight: Array, channels: Array, size: int) -> Array:
    """Filters (F, C', …) on channels by number as filters on all ``size`` of them."""
    whole = np.zeros((size, len(weight), *weight.shape[2:]), np.float32)
    np.add.at(whole, channels, weight.swapaxes(0, 1))
    return whole.swapaxes(0, 1)


def spread(weight: Array, dilation: Sequence[int]) -> Array:
    """Filters with zeros in the gaps of their dilation."""
    sizes = [(k - 1) * d + 1 for k, d in zip(weight.shape[2:], dilation, strict=True)]
    out = np.zeros((*weight.shape[:2], *sizes), np.float32)
    steps = [slice(None, None, d) for d in dilation]
    out[(slice(None), slice(None), *steps)] = weight
    return out


def at_places(places: Array, values: Array, size: int, other: float) -> tuple[Array, Array]:
    """Values at their places in a node's flat output, ``other`` where none is told; and where
    some are.
    """
    out, there = np.full(size, other), np.zeros(size, bool)
    flat, told = places.ravel(), values.ravel()
    out[flat], there[flat] = told, True
    if not np.array_equal(out[flat], told):
        raise LackingError("one number becomes several different ones")
    return out, there


def by_channel(values: Array, there: Array) -> Array | None:
    """(C, places) as one number for each channel, where they agree."""
    most = np.where(there, values, -np.inf).max(axis=1)
    if (there & (values != most[:, None])).any():
        return None
    return np.where(there.any(axis=1), most, values[:, 0])


def clean(name: str) -> str:
    """A name from a file as a node's: "layer1.0.conv1" of "layer1.0.conv1.weight".

    >>> clean("layer1.0.conv1.weight"), clean("model/conv2d_1/Conv2D/ReadVariableOp:0")
    ('layer1.0.conv1', 'conv2d_1')
    >>> clean("onnx::Conv_193"), clean("const_fold_opt__12")
    ('', '')
    """
    found = re.fullmatch(r"(.+)[./](?:weight|kernel|gamma|table)(?::0)?", name)
    found = found or re.search(r"([^/]+)/(?:[A-Za-z0-9]*Conv\w*|depthwise|MatMul)/ReadVar", name)
    if found is None:
        return ""
    kept = re.sub(r"[^A-Za-z0-9_.\-]+", "_", found[1].rpartition("/")[2]).strip("._-")
    return kept if 0 < len(kept) <= 60 else ""
