"""What is random: numbers that are looked up, not drawn in order.

Philox4x32-10 turns a key (two 32-bit words) and a counter (four) into four 32-bit words that look
random. The key says what the stream is for, the counter which number of it is meant, so that any
number can be computed alone: on any thread, in any order, again after a kill.

Source: Salmon, Moraes, Dror & Shaw, Parallel random numbers: as easy as 1, 2, 3, SC 2011.
"""

from __future__ import annotations

import math
import zlib
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
KEY_STEPS = (0x9E3779B9, 0xBB67AE85)  # the golden ratio and the root of 3, as 32-bit fractions
ROUNDS = 10


def philox4x32(key: tuple[int, int], counter: Array) -> Array:
    """Four random words for each counter: uint32 (..., 4) -> uint32 (..., 4).

    >>> [hex(word) for word in philox4x32((0, 0), np.zeros(4, np.uint32)).tolist()]
    ['0x6627e8d5', '0xe169c58d', '0xbc57ac4c', '0x9b00dbd8']
    """
    low32 = np.uint64(0xFFFFFFFF)
    shift = np.uint64(32)
    a, b, c, d = np.moveaxis(np.asarray(counter, np.uint32).astype(np.uint64), -1, 0)
    key0, key1 = (np.uint64(word) for word in key)
    for _ in range(ROUNDS):
        left, right = a * np.uint64(MULTIPLIERS[0]), c * np.uint64(MULTIPLIERS[1])
        a, b = (right >> shift) ^ b ^ key0, right & low32
        c, d = (left >> shift) ^ d ^ key1, left & low32
        key0, key1 = (
            (word + np.uint64(step)) & low32
            for word, step in zip((key0, key1), KEY_STEPS, strict=True)
        )
    return np.stack([a, b, c, d], axis=-1).astype(np.uint32)


def dropout_mask(
    rate: float, count: int, *, seed: int, name: str, epoch: int, example: int
) -> Array:
    """Which of an example's `count` numbers a dropout keeps, bool (count,), channels-first order.

    Number i of node `name` for an example (numbered in the training part) in an epoch reads

        word = philox(key = (seed mod 2^32, crc32(name)),
                      counter = (i // 4, epoch, example low, example high))[i % 4]

    and is kept where word >= floor(rate * 2^32): the same mask whatever the batch and the thread.
    """
    key = (seed & 0xFFFFFFFF, zlib.crc32(name.encode()))
    blocks = (count + 3) // 4
    counter = np.empty((blocks, 4), np.uint32)
    counter[:, 0] = np.arange(blocks)
    counter[:, 1:] = epoch & 0xFFFFFFFF, example & 0xFFFFFFFF, example >> 32 & 0xFFFFFFFF
    words = philox4x32(key, counter).reshape(-1)[:count]
    return words >= np.uint32(math.floor(rate * 2**32))


def dropout(inputs: Array, kept: Array, rate: float) -> Array:
    """Inverted dropout: what is kept is divided by 1 - rate, the rest is 0; (B,...), same shape.

    Its gradient is the same function of the gradient.

    >>> dropout(np.array([[1.0, 2.0]]), np.array([[True, False]]), rate=0.5)
    array([[2., 0.]])
    """
    return np.where(kept, np.asarray(inputs, np.float64) / (1 - rate), 0.0)
