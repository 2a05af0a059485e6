"""Word numbers as the network reads them in ONNX; pairs of words get their numbers in the graph.

The hash of a pair is `TextSpec.grams`'s, of 64 bits, in float32 alone: bits become sums of bytes
by a matrix, what is above a byte is carried on, and bytes become bits again.
"""

from __future__ import annotations

import numpy as np

from beak.data.text_spec import FIRST_WORD, TextSpec
from beak.errors import RunError
from beak.exchange.onnx_graph import Array, Graph

FIRST, SECOND, MIX = 2654435761, 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9
SHIFT = 29
BYTES, WORD_BITS = 8, 20
MOST = 1 << 24
"""Whole numbers below it are exact in float32."""


def prepare_texts(g: Graph, spec: TextSpec) -> str:
    """The input "words", int32 (N, length), 0 behind a text's end, as the network reads it."""
    words = g.input("words", "int32", ["N", spec.length])
    g.scope("prepare")
    if spec.unit != "pairs":
        return words
    if spec.numbers >= 1 << WORD_BITS or spec.numbers + spec.buckets >= MOST:
        raise RunError(
            f"export: {spec.numbers:,} words and {spec.buckets:,} pairs are more than ONNX's "
            "float32 can number; train again with fewer buckets"
        )
    numbers = g.number(words)
    known = g.number(g.emit("Greater", numbers, g.constant(FIRST_WORD - 0.5)))
    alone = g.multiply(g.subtract(numbers, 1.0), known)
    ends = ((0, spec.length - 1), (1, spec.length))
    pairs = _pairs(g, spec, *(g.parts(numbers, 1, *end) for end in ends))
    both = g.multiply(*(g.parts(known, 1, *end) for end in ends))
    nothing = g.multiply(g.parts(numbers, 1, 0, 1), 0.0)
    found = g.emit("Concat", alone, g.multiply(pairs, both), nothing, axis=1)
    once = g.multiply(found, _first(g, found, 2 * spec.length))
    whole = g.emit("Cast", once, to=int(g.onnx.TensorProto.INT32))
    return g.emit("Concat", words, whole, axis=1)


def _first(g: Graph, found: str, size: int) -> str:
    """1.0 where a number stands for the first time in its text, else 0.0."""
    same = g.emit("Equal", g.unsqueeze(found, 2), g.unsqueeze(found, 1))
    before = g.constant(np.tril(np.ones((size, size)), -1))
    again = g.emit("ReduceMax", g.multiply(g.number(same), before), axes=[2], keepdims=0)
    return g.subtract(g.constant(1.0), again)


def _pairs(g: Graph, spec: TextSpec, left: str, right: str) -> str:
    """The number of each pair of neighbours (N, length - 1)."""
    bits = g.emit("Concat", *(_bits(g, word, WORD_BITS) for word in (left, right)), axis=2)
    factors = np.concatenate([_times(FIRST, WORD_BITS), _times(SECOND, WORD_BITS)])
    mixed = _all_bits(g, _carried(g, g.emit("MatMul", bits, g.constant(factors))))
    high = g.parts(mixed, 2, SHIFT, 64)
    moved = g.emit("Pad", high, g.whole([0, 0, 0, 0, 0, SHIFT]))
    folded = g.emit("Abs", g.subtract(mixed, moved))
    hashed = _carried(g, g.emit("MatMul", folded, g.constant(_times(MIX, 64))))
    top = spec.buckets.bit_length() - 1
    last = g.parts(_all_bits(g, hashed), 2, 64 - top, 64)
    bucket = g.emit("MatMul", last, g.constant(2.0 ** np.arange(top)[:, None]))
    return g.add(g.emit("Squeeze", bucket, g.whole([2])), float(spec.numbers - 1))


def _times(factor: int, bits: int) -> Array:
    """What each bit of a number adds to the bytes of its product with a factor: (bits, 8)."""
    products = [(factor << bit) % (1 << 64) for bit in range(bits)]
    return np.array([list(product.to_bytes(BYTES, "little")) for product in products], np.float32)


def _bits(g: Graph, values: str, count: int) -> str:
    """Whole numbers (N, L) as their bits (N, L, count), the lowest first."""
    scales = 0.5 ** np.arange(count)
    lower = g.emit("Floor", g.multiply(g.unsqueeze(values, 2), g.constant(scales)))
    half = g.emit("Floor", g.multiply(lower, 0.5))
    return g.subtract(lower, g.multiply(half, 2.0))


def _carried(g: Graph, sums: str) -> list[str]:
    """Sums for each byte (N, L, 8) as bytes (N, L), the lowest first; beyond 64 bits all goes."""
    found, carry = [], ""
    for place in range(BYTES):
        value = g.emit("Squeeze", g.parts(sums, 2, place, place + 1), g.whole([2]))
        value = g.add(value, carry) if carry else value
        carry = g.emit("Floor", g.multiply(value, 1 / 256))
        found.append(g.subtract(value, g.multiply(carry, 256.0)))
    return found


def _all_bits(g: Graph, found: list[str]) -> str:
    """Bytes as bits (N, L, 64)."""
    return g.emit("Concat", *(_bits(g, byte, 8) for byte in found), axis=2)
