"""How one recording becomes the network's input: rate, length, log-mel spectrogram, scale."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from beak.data.spec import InputSpec
from beak.errors import DataError, ShapeError, did_you_mean
from beak.ops.spectrogram.kernels import log_mel
from beak.ops.spectrogram.settings import MelSettings

if TYPE_CHECKING:
    from beak.data.dataset import Part

Array = np.ndarray[Any, Any]

FULL = 32768.0
"""The loudest sample as a stored whole number."""
LEVELS = {
    "kept": "as loud as it was recorded",
    "even": "brought to one loudness",
}
FEATURES = {"log-mel": "a log-mel spectrogram", "samples": "its samples"}
QUIET = 1e-4
"""A recording whose loudest tenth is below this is taken for silence and not made louder."""
LOUDNESS = 0.1
LEARNT_FROM = 1000
"""Recordings of the training part that the scale is taken from, at most."""
PIECE = 256


@dataclass(frozen=True)
class SoundSpec(InputSpec):
    """How one recording becomes the network's input array.

    >>> spec = SoundSpec.made(rate=8000, seconds=0.8, bands=40)
    >>> spec.shape, SoundSpec.from_json(spec.to_json()) == spec
    ((1, 77, 40), True)
    """

    rate: int
    """Samples a second; other rates are brought to it."""
    samples: int
    """Samples of one input: shorter recordings are padded with silence on both sides, of longer
    ones the loudest stretch is taken."""
    features: str
    """"log-mel": the network reads (1, frames, bands). "samples": it reads (1, samples)."""
    level: str
    """"kept", or "even": every recording brought to one loudness."""
    window: int
    hop: int
    bands: int
    fft: int
    scale: str
    fmin: float
    fmax: float
    mean: tuple[float, ...]
    """Mean over the training part, of each band (of all samples)."""
    std: tuple[float, ...]
    """Standard deviation of the same."""

    def __post_init__(self) -> None:
        for name, known in (("features", FEATURES), ("level", LEVELS)):
            value = getattr(self, name)
            if value not in known:
                raise DataError(f"input: no {name} {value!r}{did_you_mean(str(value), known)}")
        for name in ("rate", "samples", "window", "hop", "bands", "fft"):
            value = getattr(self, name)
            if type(value) is not int or not 1 <= value < 1 << 31:
                raise DataError(f"input: {name} {value!r} is not a whole number from 1")
        for name in ("fmin", "fmax"):
            value = getattr(self, name)
            if type(value) not in (int, float) or not math.isfinite(value):
                raise DataError(f"input: {name} {value!r} is no number")
        try:
            frames = self.mel.frames(self.samples)
        except ShapeError as error:
            raise DataError(f"input: {error}") from None
        mel = self.features == "log-mel"
        wanted = (1, frames, self.bands) if mel else (1, self.samples)
        if self.shape != wanted or not frames:
            raise DataError(f"input: the shape {self.shape} is not {wanted}")
        for name in ("mean", "std"):
            values, count = getattr(self, name), self.bands if mel else 1
            if len(values) != count or not all(
                type(v) in (int, float) and math.isfinite(v) for v in values
            ):
                raise DataError(f"input: {name} needs {count} numbers, got {values!r:.80}")
        if min(self.std) <= 0:
            raise DataError(f"input: std must be above 0, got {min(self.std)}")

    @classmethod
    def made(
        cls,
        rate: int,
        seconds: float,
        *,
        bands: int = 40,
        features: str = "log-mel",
        level: str = "kept",
        window: int | None = None,
        hop: int | None = None,
    ) -> SoundSpec:
        """The usual numbers: a window of 32 ms (a power of two where it can), a hop of 10 ms."""
        mel = MelSettings(rate, window or usual_window(rate), hop or max(1, rate // 100), bands)
        samples = max(mel.size, round(rate * seconds))
        samples = mel.samples(max(1, mel.frames(samples)))
        shape = (1, mel.frames(samples), bands) if features == "log-mel" else (1, samples)
        count = bands if features == "log-mel" else 1
        return cls(
            "sounds", shape, rate, samples, features, level, mel.window, mel.hop, bands, mel.size,
            mel.scale, mel.fmin, mel.highest, (0.0,) * count, (1.0,) * count,
        )  # fmt: skip

    @property
    def mel(self) -> MelSettings:
        """The settings of the spectrogram."""
        return MelSettings(
            self.rate, self.window, self.hop, self.bands, self.fft, self.scale, self.fmin, self.fmax
        )

    @property
    def seconds(self) -> float:
        """How long one input is."""
        return self.samples / self.rate

    @property
    def recipe_values(self) -> dict[str, Any]:
        """The keys that bring this spec again."""
        return {
            "data.kind": self.kind,
            "data.rate": self.rate,
            "data.seconds": round(self.seconds, 6),
            "data.bands": self.bands,
            "data.features": self.features,
            "data.level": self.level,
        }

    def prepare(self, stored: Array) -> Array:
        """Samples (N, samples), int16 or float32 from -1 to 1, as float32 (N, *shape)."""
        if stored.ndim != 2 or stored.shape[1] != self.samples:
            raise DataError(f"input: made for {self.samples} samples, got {stored.shape[1:]}")
        values = self.heard(stored)
        if self.features == "samples":
            scaled = (values - np.float32(self.mean[0])) / np.float32(self.std[0])
            return np.asarray(scaled[:, None])
        return self.scaled(log_mel(values, self.mel))

    def spectrogram(self, stored: Array) -> Array:
        """Rows (N, samples) as log-mel spectrograms float32 (N, frames, bands), not scaled yet."""
        return log_mel(self.heard(stored), self.mel)

    def scaled(self, made: Array) -> Array:
        """Spectrograms as the network reads them, (N, 1, frames, bands); changes ``made``."""
        made -= np.asarray(self.mean, np.float32)
        made /= np.asarray(self.std, np.float32)
        return made[:, None]

    def heard(self, stored: Array) -> Array:
        """Stored rows as float32 from -1 to 1, brought to one loudness where that is wanted."""
        values = np.ascontiguousarray(stored, np.float32)
        if stored.dtype.kind == "i":
            values *= np.float32(1 / FULL)
        if self.level == "even" and len(values):
            loud = loudness(values, self.hop)
            gain = np.where(loud > QUIET, LOUDNESS / np.maximum(loud, QUIET), 1.0)
            values = values * gain.astype(np.float32)[:, None]
        return values

    def fitted(self, parts: dict[str, Part]) -> tuple[InputSpec, dict[str, Part]]:
        """The spec with the mean and standard deviation of the training part."""
        train = parts["train"]
        if not len(train):
            return self, parts
        step = -(-len(train) // LEARNT_FROM)
        plain = replace(self, mean=(0.0,) * len(self.mean), std=(1.0,) * len(self.std))
        total, squares, count = np.zeros(len(self.mean)), np.zeros(len(self.mean)), 0
        for first in range(0, len(train), PIECE * step):
            chosen = np.arange(first, min(len(train), first + PIECE * step), step)
            made = plain.prepare(np.asarray(train.inputs[chosen])).astype(np.float64)
            made = made.reshape(-1, len(self.mean))
            total, squares = total + made.sum(axis=0), squares + (made**2).sum(axis=0)
            count += len(made)
        mean = total / count
        std = np.sqrt(np.maximum(squares / count - mean**2, 0.0))
        spec = replace(
            self,
            mean=tuple(round(float(m), 4) for m in mean),
            std=tuple(max(round(float(s), 4), 1e-4) if s > 1e-4 else 1.0 for s in std),
        )
        return spec, parts

    def describe(self) -> str:
        """One line for people.

        >>> SoundSpec.made(8000, 0.8).describe()
        '0.79 s at 8,000 Hz as 77 frames of 40 mel bands; longer sounds: their loudest stretch'
        """
        what = f"{self.shape[1]} frames of {self.bands} mel bands"
        if self.features == "samples":
            what = f"{self.samples:,} samples"
        even = ", brought to one loudness" if self.level == "even" else ""
        return (
            f"{self.seconds:.2f} s at {self.rate:,} Hz as {what}{even}; longer sounds: their "
            "loudest stretch"
        )

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The spec from ``to_json``'s dict; anything else raises DataError with what is wrong."""
        values = cls.checked_fields(data)
        for name in ("shape", "mean", "std"):
            if not isinstance(values[name], tuple) or not values[name]:
                raise DataError(f"input: {name} must be a list of numbers, got {data[name]!r:.80}")
        return cls(**values)


def usual_window(rate: int) -> int:
    """Samples of a window of about 32 ms: the power of two where it is near, as at 8 and 16 kHz.

    >>> [usual_window(rate) for rate in (8000, 11025, 16000, 44100)]
    [256, 360, 512, 1440]
    """
    from beak.shapes import fourier_sizes_near

    return fourier_sizes_near(max(4, round(0.032 * rate)))[1]


def loudness(values: Array, hop: int) -> Array:
    """How loud each row (N, samples) is at its loudest: the mean power of its loudest tenth of
    stretches of ``hop`` samples, as an amplitude, float64 (N,).
    """
    stretches = values[:, : values.shape[1] // hop * hop].reshape(len(values), -1, hop)
    power = np.einsum("nth,nth->nt", stretches, stretches, dtype=np.float64) / hop
    tenth = max(1, power.shape[1] // 10)
    return np.asarray(np.sqrt(np.sort(power, axis=1)[:, -tenth:].mean(axis=1)))
