"""What the kernels look up: turns of the Fourier transform, where its numbers end up, bands."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np

from beak.ops.spectrogram.reference import mel_map, window_of
from beak.ops.spectrogram.settings import MelSettings

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class MelTables:
    """Constant arrays of one MelSettings; frames are transformed as fft/2 complex numbers."""

    window: Array
    """float32 (fft,)."""
    radices: Array
    """int32 (stages,): 4, 5, 3 or 2, whose product is fft/2."""
    turns: Array
    """float32: for each stage, (size/radix, radix - 1) complex numbers e^(-2 pi i j q / size)."""
    places: Array
    """int32 (fft/2,): where the stages leave frequency k."""
    halves: Array
    """float32 (fft/4 + 1, 2): e^(-2 pi i k / fft), by which two halves become one."""
    first: Array
    """int32 (bands,): the first frequency of each band."""
    taps: Array
    """int32 (bands,): how many frequencies a band adds up."""
    weights: Array
    """float32 (bands, most taps)."""


@functools.lru_cache(maxsize=32)
def mel_tables(settings: MelSettings) -> MelTables:
    """The tables, made once for each settings."""
    half = settings.size // 2
    radices = _radices(half)
    first, taps, weights = _bands(mel_map(settings))
    halves = np.exp(-2j * np.pi * np.arange(half // 2 + 1) / settings.size)
    return MelTables(
        window_of(settings).astype(np.float32),
        np.array(radices, np.int32),
        _turns(half, radices),
        _places(half, radices),
        _pairs(halves),
        first,
        taps,
        weights,
    )


def _radices(size: int) -> list[int]:
    found = []
    for radix in (4, 5, 3, 2):
        while size % radix == 0 and size > 1:
            found.append(radix)
            size //= radix
    return found


def _turns(size: int, radices: list[int]) -> Array:
    made = [np.zeros(0, np.complex128)]
    for radix in radices:
        j, q = np.arange(size // radix)[:, None], np.arange(1, radix)
        made.append(np.exp(-2j * np.pi * j * q / size).reshape(-1))
        size //= radix
    return _pairs(np.concatenate(made))


def _places(size: int, radices: list[int]) -> Array:
    """Digits turned round: a stage puts the frequencies that leave rest q by its radix together."""
    frequency = np.zeros(size, np.int64)
    place, block, step = np.arange(size), size, 1
    for radix in radices:
        block //= radix
        frequency += place // block % radix * step
        step *= radix
    places = np.empty(size, np.int32)
    places[frequency] = place
    return places


def _bands(mel: Array) -> tuple[Array, Array, Array]:
    used = mel > 0
    first = np.where(used.any(axis=1), used.argmax(axis=1), 0).astype(np.int32)
    last = np.where(used.any(axis=1), mel.shape[1] - used[:, ::-1].argmax(axis=1), 0)
    taps = (last - first).astype(np.int32)
    weights = np.zeros((len(mel), max(1, int(taps.max()))), np.float32)
    for band, (begin, count) in enumerate(zip(first, taps, strict=True)):
        weights[band, :count] = mel[band, begin : begin + count]
    return first, taps, weights


def _pairs(values: Array) -> Array:
    return np.stack([values.real, values.imag], axis=-1).astype(np.float32)
