"""The layer that makes spectrograms of samples."""

from __future__ import annotations

from typing import ClassVar

from beak.errors import NetworkError, ShapeError, did_you_mean
from beak.network.layer import Layer, Shape, layer, short
from beak.shapes import fourier_sizes_near, is_fourier_size, shape_text, windows_along

SCALES = ("slaney", "htk")


@layer
class LogMel(Layer):
    """Samples as a log-mel spectrogram: (n,) or (1, n) -> (1, T, bands), time down.

    It has no parameters. ``rate`` samples a second; frames of ``fft`` samples (None: ``window``),
    ``hop`` apart, a Hann window of ``window`` samples in their middle; no centring, T whole
    frames. ``bands`` from ``fmin`` to ``fmax`` Hz (None: half the rate) on the "slaney" or "htk"
    scale; then ln(mel + 1e-6). As ops/spectrogram/reference.py defines it.
    """

    prefix: ClassVar[str] = "log_mel"
    opens: ClassVar[bool] = True

    rate: int
    window: int
    hop: int
    bands: int = 40
    fft: int | None = None
    scale: str = "slaney"
    fmin: float = 0.0
    fmax: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        for field in ("rate", "window", "hop", "bands"):
            self._whole(field)
        if self.fft is not None:
            self._whole("fft")
        if not is_fourier_size(self.size):
            below, above = fourier_sizes_near(self.size)
            raise NetworkError(
                f"LogMel: a Fourier transform of {self.size}; an even number without prime factors "
                f"above 5 was wanted, as fft={below} or fft={above}"
            )
        if self.window > self.size:
            raise NetworkError(f"LogMel: window={self.window} is longer than fft={self.size}")
        if self.scale not in SCALES:
            raise NetworkError(
                f"LogMel: scale={short(self.scale)}{did_you_mean(str(self.scale), SCALES)}"
            )
        self._number("fmin", 0, self.rate / 2)
        if self.fmax is not None:
            self._number("fmax", self.fmin, self.rate / 2 + 1e-9)
            if self.fmax == self.fmin:
                raise NetworkError(f"LogMel: fmax={self.fmax} must be above fmin={self.fmin}")

    @property
    def size(self) -> int:
        """Samples of a frame."""
        return self.window if self.fft is None else self.fft

    def output(self, *shapes: Shape) -> Shape:
        """(1, frames, bands)."""
        (shape,) = shapes
        if len(shape) > 2 or (len(shape) == 2 and shape[0] != 1):
            raise ShapeError(
                f"{shape_text(shape)} came in, samples of one channel, (n,) or (1, n), were wanted"
            )
        frames = windows_along(shape[-1], self.size, self.hop)
        if not frames:
            raise ShapeError(
                f"{shape[-1]} samples came in, one frame has {self.size}; longer inputs or a "
                "shorter window would fit"
            )
        return (1, frames, self.bands)

    def multiply_adds(self, *shapes: Shape) -> int:
        """As a convolution with fixed filters (cosines and sines) and a fixed dense map."""
        frames = self.output(*shapes)[1]
        bins = self.size // 2 + 1
        return frames * bins * (2 * self.size + 2 + self.bands)
