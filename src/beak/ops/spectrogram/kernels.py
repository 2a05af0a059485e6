"""The kernel table of spectrograms, and spectrograms as the other rooms call them."""

from __future__ import annotations

from typing import Any

import numpy as np

from beak.errors import ShapeError
from beak.ops.kernel import Kernel, call_kernel, choose, structure
from beak.ops.spectrogram.reference import FLOOR
from beak.ops.spectrogram.settings import MelSettings
from beak.ops.spectrogram.tables import mel_tables

Array = np.ndarray[Any, Any]

_ARGS = structure(
    "LogMelArgs",
    "ptr:samples ptr:dy ptr:out ptr:window ptr:radices ptr:turns ptr:places ptr:halves ptr:first "
    "ptr:taps ptr:weights int:images int:length int:frames int:fft int:hop int:bands int:row "
    "int:stages real:floor",
)
LOG_MEL_FORWARD = (Kernel("log_mel_forward", _ARGS, scratch="log_mel_scratch"),)
LOG_MEL_BACKWARD = (Kernel("log_mel_backward", _ARGS, scratch="log_mel_scratch"),)


def arguments(settings: MelSettings, images: int, length: int) -> dict[str, Any]:
    """What both kernels want besides samples, dy and out."""
    t = mel_tables(settings)
    return {
        "window": t.window, "radices": t.radices, "turns": t.turns, "places": t.places,
        "halves": t.halves, "first": t.first, "taps": t.taps, "weights": t.weights,
        "images": images, "length": length, "frames": settings.frames(length),
        "fft": settings.size, "hop": settings.hop, "bands": settings.bands,
        "row": t.weights.shape[1], "stages": len(t.radices), "floor": FLOOR,
    }  # fmt: skip


def log_mel(samples: Array, settings: MelSettings, threads: int = 1) -> Array:
    """Samples (..., n) as log-mel spectrograms float32 (..., frames, bands).

    A frame's numbers hang on its own samples alone, to the bit. Raises ShapeError where the
    samples do not fill one frame.
    """
    samples = np.ascontiguousarray(samples, np.float32)
    *outer, length = samples.shape
    frames = settings.frames(length)
    if not frames:
        raise ShapeError(
            f"spectrogram: {length} samples came, a frame has {settings.size}; pad them with zeros"
        )
    out = np.empty((*outer, frames, settings.bands), np.float32)
    images = out.size // (frames * settings.bands)
    call_kernel(
        choose(LOG_MEL_FORWARD),
        parts=max(1, min(64, images * frames // 64)),
        threads=threads,
        samples=samples,
        dy=None,
        out=out,
        **arguments(settings, images, length),
    )
    return out


def log_mel_backward(gradient: Array, samples: Array, settings: MelSettings) -> Array:
    """The gradient by the samples float32 (..., n); gradient (..., frames, bands)."""
    samples = np.ascontiguousarray(samples, np.float32)
    length = samples.shape[-1]
    out = np.empty_like(samples)
    images = out.size // length
    call_kernel(
        choose(LOG_MEL_BACKWARD),
        parts=max(1, min(64, images)),
        samples=samples,
        dy=np.ascontiguousarray(gradient, np.float32),
        out=out,
        **arguments(settings, images, length),
    )
    return out


class LogMelStream:
    """The spectrogram of samples that come in blocks: the same bits as of all of them at once.

    >>> stream = LogMelStream(MelSettings(8000, 200, 80, 40))
    >>> [stream.feed(np.zeros(100, np.float32)).shape for _ in range(3)]
    [(0, 40), (1, 40), (1, 40)]
    """

    def __init__(self, settings: MelSettings) -> None:
        self.settings = settings
        self._waiting = np.zeros(0, np.float32)
        self._skip = 0
        """Samples still to come that lie between two frames, where the hop is longer than they."""

    def feed(self, samples: Array) -> Array:
        """The frames that these samples (n,) complete: float32 (frames, bands), perhaps none."""
        samples = np.asarray(samples, np.float32)
        skipped = min(self._skip, len(samples))
        self._skip -= skipped
        waiting = np.concatenate([self._waiting, samples[skipped:]])
        frames = self.settings.frames(len(waiting))
        used = frames * self.settings.hop
        self._waiting = waiting[used:].copy()
        self._skip += max(0, used - len(waiting))
        if not frames:
            return np.zeros((0, self.settings.bands), np.float32)
        return log_mel(waiting, self.settings)
