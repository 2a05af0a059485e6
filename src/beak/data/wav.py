"""Plain wav files read at once: 16 bits, whole; everything else is for the sound library."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

PCM = 1
STREAMED = 0xFFFFFF00
"""From here on a size in a header means that nobody knew it."""


@dataclass(frozen=True)
class WavHead:
    """What the chunks of a RIFF file say, up to its samples."""

    code: int
    """1: whole numbers, 3: floats, 0xFFFE: see further on; others are packed."""
    channels: int
    rate: int
    frame: int
    """Bytes of one sample of all channels."""
    bits: int
    begin: int
    """Where the samples begin, in bytes."""
    size: int
    """How many bytes of samples are promised."""

    @property
    def promised(self) -> int | None:
        """Samples of each channel that the header says there are; None where it cannot say."""
        packed = self.code not in (PCM, 3, 0xFFFE)
        if packed or not self.frame or not 0 < self.size < STREAMED:
            return None
        return self.size // self.frame


def wav_head(data: bytes) -> WavHead | None:
    """The head of a RIFF file, from its first bytes; None where it is none or has no samples."""
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        return None
    at, form = 12, None
    while at + 8 <= len(data):
        kind, size = struct.unpack_from("<4sI", data, at)
        at += 8
        if kind == b"data":
            return WavHead(*form, at, size) if form else None
        if kind == b"fmt " and at + 16 <= len(data):
            code, channels, rate, _, frame, bits = struct.unpack_from("<HHIIHH", data, at)
            form = (code, channels, rate, frame, bits)
        at += size + size % 2
    return None


def plain_samples(data: bytes) -> tuple[Array, int] | None:
    """Samples float32 (n, channels) and rate of a whole file of 16-bit numbers; None for others.

    The numbers are those that the sound library gives.
    """
    head = wav_head(data)
    if head is None or (head.code, head.bits) != (PCM, 16) or not head.channels:
        return None
    if head.frame != 2 * head.channels or not 0 < head.size <= len(data) - head.begin:
        return None
    if head.size % head.frame:
        return None
    values = np.frombuffer(data, "<i2", head.size // 2, head.begin)
    made = values.astype(np.float32) * np.float32(1 / 32768)
    return made.reshape(-1, head.channels), head.rate
