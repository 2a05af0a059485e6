"""Random numbers that are looked up, not drawn: Philox 4x32-10 by (seed, use, epoch, example).

A number depends on nothing but its place, so a stopped run goes on exactly, in any batch, with
any number of threads. (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011.)
"""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

_LOW = np.uint64(0xFFFFFFFF)
_SHIFT = np.uint64(32)
_MULTIPLY = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
_STEP = (np.uint64(0x9E3779B9), np.uint64(0xBB67AE85))


def philox(counter: Array, key: tuple[int, int]) -> Array:
    """Four 32-bit words (as uint64) for each counter (…, 4) under a key of two words.

    >>> [hex(w) for w in philox(np.zeros((1, 4), np.uint64), (0, 0))[0]]
    ['0x6627e8d5', '0xe169c58d', '0xbc57ac4c', '0x9b00dbd8']
    """
    a, b, c, d = (counter[..., i].astype(np.uint64) for i in range(4))
    k0, k1 = np.uint64(key[0]), np.uint64(key[1])
    for _ in range(10):
        first, second = a * _MULTIPLY[0], c * _MULTIPLY[1]
        a, b, c, d = (
            (second >> _SHIFT) ^ b ^ k0,
            second & _LOW,
            (first >> _SHIFT) ^ d ^ k1,
            first & _LOW,
        )
        k0, k1 = (k0 + _STEP[0]) & _LOW, (k1 + _STEP[1]) & _LOW
    return np.stack([a, b, c, d], axis=-1)


def uniforms(seed: int, use: str, epoch: int, examples: Array, count: int) -> Array:
    """float64 (len(examples), count) in [0, 1): the numbers of each example in this epoch."""
    blocks = -(-count // 4)
    counter = np.empty((len(examples), blocks, 4), np.uint64)
    counter[..., 0] = np.arange(blocks, dtype=np.uint64)
    counter[..., 1] = np.uint64(epoch)
    counter[..., 2] = (examples.astype(np.uint64) & _LOW)[:, None]
    counter[..., 3] = (examples.astype(np.uint64) >> _SHIFT)[:, None]
    words = philox(counter, (seed % 2**32, zlib.crc32(use.encode())))
    return np.asarray(
        words.reshape(len(examples), blocks * 4)[:, :count].astype(np.float64) / 2.0**32
    )


def shuffled(seed: int, epoch: int, count: int) -> Array:
    """The order of ``count`` examples in an epoch, int64: they are sorted by their random words."""
    words = uniforms(seed, "shuffle", epoch, np.arange(count), 2)
    return np.lexsort((words[:, 1], words[:, 0])).astype(np.int64)
