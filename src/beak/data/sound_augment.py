"""Hearing each recording a little differently in every epoch, and what suits recordings."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from beak.data.augment import Augmentation
from beak.data.rows import Pixels, Rows, as_rows
from beak.data.sound_spec import FULL, SoundSpec, loudness
from beak.data.streams import uniforms
from beak.ops.spectrogram.reference import FLOOR, band_centres

Array = np.ndarray[Any, Any]

DRAWS = 16
NOISES = 12
"""How many stretches of made noise there are where the source has no recorded background."""
WORDS = Augmentation(
    time_shift=0.1, gain=6.0, speed=0.15, noise=0.3, mask_time=0.15, mask_bands=0.15
)


class Recordings(np.ndarray[Any, Any]):
    """Stored rows int16 (M, samples) with the background noise that their source came with."""

    noise: Array | None
    """int16 (K, samples), or None."""

    def __array_finalize__(self, other: Any) -> None:
        self.noise = getattr(other, "noise", None)


def with_noise(rows: Array, noise: Array | None) -> Recordings:
    """The same rows, which now know their background noise."""
    made = rows.view(Recordings)
    made.noise = noise
    return made


def quiet_of(noise: Array) -> Array:
    """The stretches of background noise that can be examples of silence: every second one.

    They also stand behind the recordings in the stored rows, so that no copy of all is made.
    """
    return noise[::2]


def suitable(spec: SoundSpec, labels: Sequence[str], examples: int) -> Augmentation:
    """What suits recordings of words and other short sounds."""
    return WORDS


def augmented(
    inputs: Pixels,
    chosen: Array,
    spec: SoundSpec,
    augmentation: Augmentation,
    *,
    seed: int,
    epoch: int,
    threads: int = 1,
) -> Array:
    """The chosen examples as the network hears them in this epoch: float32 (B, *shape).

    Each example's random numbers come from (seed, epoch, its number) alone.
    """
    rows = as_rows(inputs)
    draws = uniforms(seed, "augment", epoch, chosen, DRAWS)
    noise = getattr(inputs.base if isinstance(inputs, Rows) else inputs, "noise", None)
    if noise is None:
        noise = made_noise(spec.samples)
    values = np.asarray(rows.base[rows.index[chosen]], np.float32) / np.float32(FULL)
    values = moved(values, draws, augmentation)
    if augmentation.noise:
        values = noisy(values, draws, augmentation, noise, spec.hop)
    if augmentation.gain:
        decibels = augmentation.gain * (2 * draws[:, 3] - 1)
        values *= np.power(10.0, decibels / 20).astype(np.float32)[:, None]
    if spec.features != "log-mel":
        return spec.prepare(values)
    made = spec.spectrogram(values)
    if augmentation.warp:
        made = warped(made, band_centres(spec.mel), draws, augmentation)
    if augmentation.tone:
        made = toned(made, draws, augmentation)
    made = spec.scaled(made)
    mask(made, draws, augmentation)
    return made


def moved(values: Array, draws: Array, a: Augmentation) -> Array:
    """Earlier or later, faster or slower (and so higher or lower): (B, n), between samples linear.

    What comes in at the ends is silence.
    """
    if not a.time_shift and not a.speed:
        return values
    size = values.shape[1]
    shift = a.time_shift * size * (2 * draws[:, 0] - 1)
    speed = np.power(1.0 + a.speed, 2 * draws[:, 1] - 1)
    middle = (size - 1) / 2
    steps = np.arange(size) - middle
    out = np.empty_like(values)
    for i, row in enumerate(values):
        places = steps * speed[i] + (middle - shift[i])
        first = np.floor(places).astype(np.int64)
        part = (places - first).astype(np.float32)
        padded = np.concatenate([np.zeros(1, np.float32), row, np.zeros(2, np.float32)])
        first = np.clip(first + 1, 0, size + 1)
        inside = (places > -1) & (places < size)
        out[i] = np.where(inside, padded[first] * (1 - part) + padded[first + 1] * part, 0)
    return out


def noisy(values: Array, draws: Array, a: Augmentation, noise: Array, hop: int) -> Array:
    """With background, up to ``a.noise`` times as loud as the recording itself."""
    size = values.shape[1]
    kind = np.floor(draws[:, 4] * len(noise)).astype(np.int64)
    turn = np.floor(draws[:, 5] * size).astype(np.int64)
    backs = np.asarray(noise)[kind].astype(np.float32) / np.float32(FULL)
    backs = np.stack([np.roll(back, by) for back, by in zip(backs, turn, strict=True)])
    loud = np.maximum(loudness(backs, hop), 1e-6)
    # as often a tenth of the most as the most: what is heard is the logarithm
    share = a.noise * np.power(10.0, -2 * draws[:, 6])
    gain = share * np.maximum(loudness(values, hop), 1e-3) / loud
    return np.asarray(values + backs * gain.astype(np.float32)[:, None])


def warped(made: Array, centres: Array, draws: Array, a: Augmentation) -> Array:
    """As from a longer or shorter throat (Jaitly and Hinton 2013): what was at some frequency
    stands at up to 1 + ``warp`` times of it. (B, frames, bands); ``centres`` (bands,) in Hz.
    """
    factor = np.power(1.0 + a.warp, 2 * draws[:, 11] - 1)
    bands = np.arange(len(centres), dtype=np.float64)
    places = np.interp(np.outer(factor, centres), centres, bands)
    first = np.minimum(places.astype(np.int64), len(centres) - 2)
    part = (places - first).astype(np.float32)[:, None]
    below = np.take_along_axis(made, first[:, None], axis=2)
    above = np.take_along_axis(made, first[:, None] + 1, axis=2)
    return np.asarray(below + (above - below) * part)


def toned(made: Array, draws: Array, a: Augmentation) -> Array:
    """As by another microphone in another room: each band (B, frames, bands) louder or quieter by
    a slope and two slow waves, together within ``tone`` decibels. Silence stays silence.
    """
    along = np.linspace(-1, 1, made.shape[2])
    waves = np.stack([along, np.cos(np.pi * along), np.sin(np.pi * along)])
    gain = np.exp((2 * draws[:, 12:15] - 1) @ waves * (a.tone / 3 * np.log(10) / 10))
    floor = np.float32(FLOOR)
    power = np.maximum(np.exp(made) - floor, 0)
    return np.asarray(np.log(power * gain.astype(np.float32)[:, None] + floor))


def mask(made: Array, draws: Array, a: Augmentation) -> None:
    """SpecAugment (Park et al. 2019) in place: a stretch of frames and one of bands become 0, the
    mean; made (B, 1, frames, bands).
    """
    for axis, most, first in ((2, a.mask_time, 7), (3, a.mask_bands, 9)):
        if not most:
            continue
        size = made.shape[axis]
        widths = np.floor(draws[:, first] * (most * size + 1)).astype(np.int64)
        begins = np.floor(draws[:, first + 1] * (size - widths + 1)).astype(np.int64)
        for row, begin, width in zip(made, begins.tolist(), widths.tolist(), strict=True):
            if axis == 2:
                row[:, begin : begin + width] = 0
            else:
                row[:, :, begin : begin + width] = 0


@functools.lru_cache(maxsize=4)
def made_noise(samples: int) -> Array:
    """White, pink and brown noise int16 (NOISES, samples), the same on every machine."""
    words = uniforms(0, "noise", 0, np.arange(NOISES), samples) - 0.5
    spectrum = np.fft.rfft(words)
    heights = np.maximum(1, np.arange(spectrum.shape[1]))
    slopes = np.array([0.0, 0.5, 1.0])[np.arange(NOISES) % 3]
    made = np.fft.irfft(spectrum / heights ** slopes[:, None], samples)
    made *= 0.3 / np.abs(made).max(axis=1, keepdims=True)
    return np.rint(made * FULL).astype(np.int16)
