"""Random numbers that are looked up, not drawn: Philox 4x32-10 by (seed, use, epoch, example).

A number depends on nothing but its place, so a stopped run goes on exactly, in any batch, with
any number of threads. (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011.)
"""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np

from beak.ops.kernel import call_kernel, choose
from beak.ops.random.kernels import PHILOX_WORDS

Array = np.ndarray[Any, Any]

_WORD = 0xFFFFFFFF


def uniforms(seed: int, use: str, epoch: int, examples: Array, count: int) -> Array:
    """float64 (len(examples), count) in [0, 1): the numbers of each example in this epoch."""
    blocks = -(-count // 4)
    counters = np.empty((len(examples), blocks, 4), np.uint32)
    counters[..., 0] = np.arange(blocks)
    counters[..., 1] = epoch & _WORD
    counters[..., 2] = (examples & _WORD)[:, None]
    counters[..., 3] = (examples >> 32 & _WORD)[:, None]
    words = np.empty_like(counters)
    call_kernel(
        choose(PHILOX_WORDS),
        counters=counters,
        words=words,
        key0=seed & _WORD,
        key1=zlib.crc32(use.encode()),
        count=len(examples) * blocks,
    )
    numbers: Array = words.reshape(len(examples), blocks * 4)[:, :count] / 2.0**32
    return numbers


def shuffled(seed: int, epoch: int, count: int) -> Array:
    """The order of ``count`` examples in an epoch, int64: they are sorted by their random words."""
    words = uniforms(seed, "shuffle", epoch, np.arange(count), 2)
    return np.lexsort((words[:, 1], words[:, 0])).astype(np.int64)
