"""The numbers that say how samples become a log-mel spectrogram."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from beak.errors import ShapeError
from beak.shapes import fourier_sizes_near, is_fourier_size, windows_along

SCALES = ("slaney", "htk")


@dataclass(frozen=True)
class MelSettings:
    """How samples become a log-mel spectrogram; names in brackets are librosa's.

    >>> MelSettings(16000, 512, 160, 40).frames(16000)
    97
    """

    rate: int
    """Samples a second [sr]."""
    window: int
    """Samples under the Hann window [win_length]."""
    hop: int
    """Samples from one frame to the next [hop_length]."""
    bands: int
    """Mel bands [n_mels]."""
    fft: int | None = None
    """Samples of a frame, the window in its middle, zeros around it [n_fft]; None: the window."""
    scale: str = "slaney"
    """"slaney" or "htk" [htk=True]; the bands' areas are normalised in both."""
    fmin: float = 0.0
    """Where the lowest band begins, in Hz."""
    fmax: float | None = None
    """Where the highest band ends; None: half the rate."""

    def __post_init__(self) -> None:
        for name in ("rate", "window", "hop", "bands"):
            if type(getattr(self, name)) is not int or getattr(self, name) < 1:
                wrong = getattr(self, name)
                raise ShapeError(f"spectrogram: {name}={wrong!r}; a whole number from 1 was wanted")
        if type(self.size) is not int or not is_fourier_size(self.size):
            near = " or ".join(map(str, fourier_sizes_near(self.size)))
            raise ShapeError(
                f"spectrogram: a Fourier transform of {self.size} is not to be had (even, without "
                f"prime factors above 5); fft={near} is near"
            )
        if self.window > self.size:
            raise ShapeError(f"spectrogram: window={self.window} is longer than fft={self.size}")
        if self.scale not in SCALES:
            raise ShapeError(f"spectrogram: scale={self.scale!r}; 'slaney' or 'htk' was wanted")
        if not 0 <= self.fmin < self.highest <= self.rate / 2:
            raise ShapeError(
                f"spectrogram: bands from {self.fmin} to {self.highest} Hz; they must lie between "
                f"0 and half the rate, {self.rate / 2:g}"
            )

    @property
    def size(self) -> int:
        """Samples of a frame."""
        return self.window if self.fft is None else self.fft

    @property
    def bins(self) -> int:
        """Frequencies that a Fourier transform of real samples gives."""
        return self.size // 2 + 1

    @property
    def highest(self) -> float:
        """Where the highest band ends, in Hz."""
        return self.rate / 2 if self.fmax is None else self.fmax

    def frames(self, samples: int) -> int:
        """How many whole frames so many samples hold."""
        return windows_along(samples, self.size, self.hop)

    def samples(self, frames: int) -> int:
        """The fewest samples that hold so many frames."""
        return (frames - 1) * self.hop + self.size if frames > 0 else 0

    @staticmethod
    def of(other: Any) -> MelSettings:
        """From anything with these fields, such as the network's layer LogMel."""
        return MelSettings(
            other.rate, other.window, other.hop, other.bands, other.fft, other.scale, other.fmin,
            other.fmax,
        )  # fmt: skip
