"""Decoded pixels of any size as the network's input in ONNX: the same bytes as in training.

All sums are whole numbers below 2^24 in float32, so that every runtime gets the same ones in any
order of summation: no whole-number division, no 64 bits, which some runtimes do not have.

Resizing multiplies by a matrix for each axis, made in the graph from the picture's size. The
weights of an output place are those of ops/resize/reference.py, times 2 new size: with S pixels
that become n, pixel p has in place i

    w = max(0, 2 max(S, n) - |(2 p + 1) n - (2 i + 1) S|)

and their running sum R, divided by the whole sum T, is rounded to 4096ths by long division. That
is exact while T < 2^23: up to 10,000 pixels a side that become 28, more for larger networks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from beak.data.picture_spec import PictureSpec
from beak.exchange.onnx_graph import Graph

BITS = 12
"""Weights are whole 4096ths: 2^12."""


def prepare_pictures(g: Graph, spec: PictureSpec) -> str:
    """The input "pixels", uint8 (N, height, width, channels), as the network reads it.

    Channels: 1 grey, 3 colour, 4 colour with alpha. For plain numbers the input "numbers", float32
    (N, *shape).
    """
    if spec.kind == "numbers":
        values = g.input("numbers", "float32", ["N", *spec.shape])
        g.scope("prepare")
        return _scaled(g, values, spec)
    pixels = g.input("pixels", "uint8", ["N", "height", "width", "channels"])
    g.scope("prepare")
    colours = _colours(g, g.number(pixels), spec)
    shape = g.number(g.emit("Shape", pixels))
    height, width = (g.parts(shape, 0, axis, axis + 1) for axis in (1, 2))
    down, across = _frames(g, height, width, spec)
    rows, row_there = _weights(g, down, spec.shape[1])
    columns, column_there = _weights(g, across, spec.shape[2])
    # to 16ths between the passes, to whole levels at the end, rounded half up
    between = _half_up(g, g.emit("MatMul", rows, colours), 1 / 256)
    final = _half_up(g, g.emit("MatMul", between, _turned(g, columns)), 1 / 65536)
    if spec.fit == "pad":
        there = g.multiply(g.unsqueeze(row_there, 1), g.unsqueeze(column_there, 0))
        apart = g.multiply(g.subtract(final, float(spec.background)), there)
        final = g.add(apart, float(spec.background))
    return _scaled(g, final, spec)


def _scaled(g: Graph, values: str, spec: PictureSpec) -> str:
    ones = (1,) * (len(spec.shape) - 1)
    gain, offset = (v.reshape(-1, *ones).astype(np.float32) for v in (spec.gain, spec.offset))
    return g.add(g.multiply(values, g.constant(gain)), g.constant(offset))


def _colours(g: Graph, values: str, spec: PictureSpec) -> str:
    """float32 (N, H, W, 1, 3 or 4) as (N, C, H, W): on the background, grey where that is read.

    Colour over a grey picture's one channel thrice, and alpha 255 where there is none, change
    nothing: so there is one way for all.
    """
    channels = g.number(g.parts(g.emit("Shape", values), 0, 3, 4))
    coloured = g.number(g.emit("Greater", channels, g.constant(2.0)))
    see_through = g.number(g.emit("Greater", channels, g.constant(3.0)))
    last = g.subtract(channels, 1.0)
    # a picture without alpha gets an opaque one behind its channels
    first = g.parts(values, 3, 0, 1)
    opaque = g.add(g.multiply(first, 0.0), 255.0)
    wide = g.emit("Concat", values, opaque, axis=3)
    alpha_at = g.add(last, g.subtract(g.constant([1.0]), see_through))
    places = [g.constant([0.0]), coloured, g.multiply(coloured, 2.0)]
    chosen = g.integer(g.emit("Concat", *places, axis=0))
    picture = g.emit("Gather", wide, chosen, axis=3)
    alpha = g.emit("Gather", wide, g.integer(alpha_at), axis=3)
    over = g.multiply(g.subtract(picture, float(spec.background)), alpha)
    mixed = g.add(over, 255.0 * spec.background)
    flat = g.emit("Floor", g.multiply(g.add(g.multiply(mixed, 2.0), 255.0), 1 / 510))
    if spec.shape[0] == 1:
        weighed = g.multiply(flat, g.constant([299.0, 587.0, 114.0]))
        total = g.emit("ReduceSum", weighed, g.whole([3]), keepdims=1)
        flat = g.emit("Floor", g.multiply(g.add(total, 500.5), 1 / 1000))
    return g.emit("Transpose", flat, perm=[0, 3, 1, 2])


@dataclass(frozen=True)
class _Axis:
    """One axis of the way from picture to frame, each value float32 (1,)."""

    size: str
    """All pixels of the picture."""
    top: str
    """The first that is used, of so many:"""
    used: str
    begin: str
    """The place in the frame where they begin, on so many places:"""
    new: str


def _frames(g: Graph, height: str, width: str, spec: PictureSpec) -> tuple[_Axis, _Axis]:
    """What of the picture goes where in the network's frame, as `beak.data.pictures.fit` has it."""
    sizes = (height, width)
    high, wide = (g.constant([float(n)]) for n in spec.shape[1:])
    frame = (high, wide)
    nothing = g.constant([0.0])
    used, new = sizes, frame
    if spec.fit == "crop":
        used = _inside(g, frame, sizes)
    elif spec.fit == "pad":
        new = _inside(g, sizes, frame)
    made = []
    for size, part, room, place in zip(sizes, used, frame, new, strict=True):
        top = nothing if spec.fit != "crop" else _half(g, g.subtract(size, part))
        begin = nothing if spec.fit != "pad" else _half(g, g.subtract(room, place))
        made.append(_Axis(size, top, part, begin, place))
    return made[0], made[1]


def _inside(g: Graph, size: tuple[str, str], frame: tuple[str, str]) -> tuple[str, str]:
    """The largest size of the same proportions that fits in the frame: `pictures._inside`."""
    (height, width), (high, wide) = size, frame
    by_height = g.emit("LessOrEqual", g.multiply(high, width), g.multiply(wide, height))
    across = _fitting(g, width, high, height, wide)
    down = _fitting(g, height, wide, width, high)
    return g.emit("Where", by_height, high, down), g.emit("Where", by_height, across, wide)


def _fitting(g: Graph, side: str, room: str, other: str, most: str) -> str:
    """Side room / other, rounded half up; from 1 to most."""
    double = g.multiply(other, 2.0)
    above = g.add(g.add(g.multiply(g.multiply(side, room), 2.0), other), 0.5)
    whole = g.emit("Floor", g.emit("Div", above, double))
    return g.emit("Max", g.constant([1.0]), g.emit("Min", most, whole))


def _half(g: Graph, value: str) -> str:
    return g.emit("Floor", g.multiply(value, 0.5))


def _half_up(g: Graph, value: str, scale: float) -> str:
    return g.emit("Floor", g.add(g.multiply(value, scale), 0.5))


def _turned(g: Graph, matrix: str) -> str:
    return g.emit("Transpose", matrix, perm=[1, 0])


def _weights(g: Graph, axis: _Axis, places: int) -> tuple[str, str]:
    """The matrix (places, pixels) in 4096ths, and 1.0 for each place (places,) that has pixels."""
    i = g.subtract(g.constant(np.arange(places, dtype=np.float32)), axis.begin)
    there = _between(g, i, axis.new)
    zero, one = g.constant(0, "int64"), g.constant(1, "int64")
    end = g.emit("Squeeze", g.integer(axis.size), g.whole([0]))
    p = g.subtract(g.number(g.emit("Range", zero, end, one)), axis.top)
    seen = _between(g, p, axis.used)
    centre = g.unsqueeze(g.multiply(_odd(g, i), axis.used), 1)
    pixel = g.unsqueeze(g.multiply(_odd(g, p), axis.new), 0)
    spread = g.multiply(g.emit("Max", axis.used, axis.new), 2.0)
    apart = g.emit("Abs", g.subtract(pixel, centre))
    near = g.emit("Relu", g.subtract(spread, apart))
    steps = _rounded(g, g.multiply(near, g.unsqueeze(seen, 0)))
    ahead = g.parts(g.emit("Pad", steps, g.whole([0, 1, 0, 0])), 1, 0, -1)
    found = g.multiply(g.subtract(steps, ahead), g.unsqueeze(there, 1))
    return found, there


def _odd(g: Graph, value: str) -> str:
    return g.add(g.multiply(value, 2.0), 1.0)


def _between(g: Graph, value: str, end: str) -> str:
    """1.0 where 0 <= value < end."""
    after = g.emit("GreaterOrEqual", value, g.constant(0.0))
    return g.number(g.emit("And", after, g.emit("Less", value, end)))


def _rounded(g: Graph, weights: str) -> str:
    """The running sums of each row, as shares of its whole sum, in 4096ths, rounded half up.

    Long division in base 2: a doubled rest and its difference are exact where a quotient is not.
    What is left at the end tells the quotient: a whole number small enough to be found by division.
    """
    rest = begin = g.emit("CumSum", weights, g.constant(1, "int64"))
    whole = g.emit("ReduceSum", weights, g.whole([1]), keepdims=1)
    for _ in range(BITS + 1):  # and the bit that rounds
        double = g.add(rest, rest)
        less = g.subtract(double, whole)
        enough = g.emit("GreaterOrEqual", less, g.constant(0.0))
        rest = g.emit("Where", enough, less, double)
    taken = g.subtract(g.multiply(begin, float(2 ** (BITS + 1))), rest)
    halves = g.emit("Div", taken, g.emit("Max", whole, g.constant(1.0)))
    # halves is whole but for a thousandth: with one more its half rounds half up
    return g.emit("Floor", g.multiply(g.add(halves, 1.25), 0.5))
