"""Dropout's masks for torch: the native engine's own random words, on whatever device."""

from __future__ import annotations

import math
import zlib

import numpy as np
import torch
from torch import Tensor

from beak.engine.interface import Randomness
from beak.errors import ShapeError
from beak.network.layers import Dropout
from beak.network.network import Network
from beak.ops.kernel import call_kernel, choose
from beak.ops.random.kernels import PHILOX_WORDS
from beak.ops.random.reference import KEY_STEPS, MULTIPLIERS, ROUNDS

WORD = 0xFFFFFFFF


def masks(
    network: Network, examples: int, randomness: Randomness, device: torch.device
) -> dict[str, Tensor]:
    """By dropout node: what it keeps of each example, bool (B, *output); see ``ops/random``.

    Raises ShapeError where the randomness does not number each example.
    """
    found = {}
    for node in network.nodes:
        if not isinstance(node.layer, Dropout):
            continue
        if len(randomness.examples) != examples:
            raise ShapeError(
                f"randomness numbers {len(randomness.examples)} examples but {examples} came; "
                "give one number for each"
            )
        each = node.output[:1] if node.layer.maps else node.output
        count = math.prod(each)
        key = (randomness.seed & WORD, zlib.crc32(node.name.encode()))
        blocks = _counters(randomness, -(-count // 4), device)
        words = philox_words(key, blocks).flatten(1)[:, :count]
        limit = math.floor(node.layer.rate * 2**32)
        shape = (examples, *each, *(1,) * (len(node.output) - len(each)))
        found[node.name] = (words >= limit).reshape(shape).expand(examples, *node.output)
    return found


def _counters(randomness: Randomness, blocks: int, device: torch.device) -> Tensor:
    """int64 (B, blocks, 4): block, epoch, the example's number in two words."""
    numbers = torch.from_numpy(np.asarray(randomness.examples, np.int64)).to(device)
    made = torch.empty((len(numbers), blocks, 4), dtype=torch.int64, device=device)
    made[..., 0] = torch.arange(blocks, device=device)
    made[..., 1] = randomness.epoch & WORD
    made[..., 2] = (numbers & WORD)[:, None]
    made[..., 3] = (numbers >> 32 & WORD)[:, None]
    return made


def philox_words(key: tuple[int, int], counters: Tensor) -> Tensor:
    """Philox4x32-10 of counters (…, 4): as many words, int64 from 0 to 2^32 - 1."""
    if counters.device.type == "cpu":
        given = counters.numpy().astype(np.uint32)
        words = np.empty_like(given)
        count = given.size // 4
        call_kernel(
            choose(PHILOX_WORDS),
            counters=given, words=words, key0=key[0], key1=key[1], count=count,
        )  # fmt: skip
        return torch.from_numpy(words.astype(np.int64))
    return philox_on_device(key, counters)


def philox_on_device(key: tuple[int, int], counters: Tensor) -> Tensor:
    """The same by torch's own operations; products wrap in 64 bits, which loses nothing here."""
    a, b, c, d = counters.unbind(-1)
    for turn in range(ROUNDS):
        key0, key1 = (
            (word + turn * step) & WORD for word, step in zip(key, KEY_STEPS, strict=True)
        )
        left, right = a * MULTIPLIERS[0], c * MULTIPLIERS[1]
        a, b = (right >> 32 & WORD) ^ b ^ key0, right & WORD
        c, d = (left >> 32 & WORD) ^ d ^ key1, left & WORD
    return torch.stack([a, b, c, d], -1)
