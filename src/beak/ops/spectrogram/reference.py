"""What a log-mel spectrogram is: power by Fourier transform, gathered into mel bands, logarithm.

    y[frame, band] = ln(sum over f of mel[band, f] |X[frame, f]|^2 + 1e-6)
    X[frame, f] = sum over n of hann[n] x[frame hop + n] e^(-2 pi i f n / fft)

Frames begin at whole multiples of the hop and lie wholly within the samples: no centring, no
padding. The logarithm is of the sum itself: what other sounds hold never changes a frame.

Sources: Davis and Mermelstein 1980 (mel bands); Slaney, Auditory Toolbox, 1998, and the HTK book
for the two scales; the bands' areas as Slaney has them: triangle heights 2 / (width in Hz).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from beak.ops.spectrogram.settings import MelSettings

Array = npt.NDArray[np.float64]

FLOOR = 1e-6
"""What is added before the logarithm."""
STEP, KNEE, PER_OCTAVE = 200.0 / 3, 1000.0, 27.0 / np.log(6.4)
"""Slaney's scale: so many Hz a mel up to the knee, then equal ratios."""


def log_mel(samples: npt.ArrayLike, settings: MelSettings) -> Array:
    """Samples (..., n) as log-mel spectrograms (..., frames, bands).

    >>> log_mel(np.zeros(400), MelSettings(8000, 200, 80, 3)).round(2).tolist()
    [[-13.82, -13.82, -13.82], [-13.82, -13.82, -13.82], [-13.82, -13.82, -13.82]]
    """
    spectrum = np.fft.rfft(frames_of(samples, settings) * window_of(settings))
    return np.asarray(np.log(_power(spectrum) @ mel_map(settings).T + FLOOR))


def log_mel_backward(gradient: Array, samples: npt.ArrayLike, settings: MelSettings) -> Array:
    """The gradient by the samples (..., n) from that by the spectrogram (..., frames, bands)."""
    samples = np.asarray(samples, np.float64)
    window, mel = window_of(settings), mel_map(settings)
    spectrum = np.fft.rfft(frames_of(samples, settings) * window)
    by_power = (gradient / (_power(spectrum) @ mel.T + FLOOR)) @ mel
    # d|X|^2 = 2 Re(conj(X) dX): the transform's adjoint is an unnormalised inverse one
    whole = np.zeros((*spectrum.shape[:-1], settings.size), np.complex128)
    whole[..., : settings.bins] = 2 * by_power * spectrum
    by_frame = (np.fft.ifft(whole).real * settings.size) * window
    out = np.zeros_like(samples)
    for frame in range(by_frame.shape[-2]):
        begin = frame * settings.hop
        out[..., begin : begin + settings.size] += by_frame[..., frame, :]
    return out


def frames_of(samples: npt.ArrayLike, settings: MelSettings) -> Array:
    """Samples (..., n) as overlapping frames (..., frames, fft)."""
    samples = np.asarray(samples, np.float64)
    first = np.arange(settings.frames(samples.shape[-1])) * settings.hop
    return np.asarray(samples[..., first[:, None] + np.arange(settings.size)])


def window_of(settings: MelSettings) -> Array:
    """The periodic Hann window in the middle of a frame: (fft,)."""
    out = np.zeros(settings.size)
    before = (settings.size - settings.window) // 2
    turn = 2 * np.pi * np.arange(settings.window) / settings.window
    out[before : before + settings.window] = 0.5 - 0.5 * np.cos(turn)
    return out


def mel_map(settings: MelSettings) -> Array:
    """The fixed dense map from power to mel bands: (bands, bins), triangles of equal area."""
    corners = band_corners(settings)
    bins = np.linspace(0.0, settings.rate / 2, settings.bins)
    left, middle, right = (corners[i : i + settings.bands, None] for i in range(3))
    rising, falling = (bins - left) / (middle - left), (right - bins) / (right - middle)
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    return np.asarray(triangles * (2.0 / (right - left)))


def band_centres(settings: MelSettings) -> Array:
    """The frequency in Hz at which each band is most open, (bands,).

    >>> band_centres(MelSettings(8000, 256, 80, 3)).round().tolist()
    [586.0, 1194.0, 2186.0]
    """
    return band_corners(settings)[1:-1]


def band_corners(settings: MelSettings) -> Array:
    """The frequencies in Hz where bands begin, are most open and end, (bands + 2,).

    Band i begins at the i-th, is most open at the next one and ends at the one after.
    """
    low, high = (_to_mel(f, settings.scale) for f in (settings.fmin, settings.highest))
    return _to_hertz(np.linspace(low, high, settings.bands + 2), settings.scale)


def fixed_filters(settings: MelSettings) -> tuple[Array, Array]:
    """The same by layers with fixed weights: filters (2 bins, 1, fft) and map (bands, bins).

    A convolution with stride ``hop`` gives cosine parts (the first ``bins`` channels) and sine
    parts; their squares added up go through the map, then ln(x + 1e-6).
    """
    turns = 2 * np.pi / settings.size * np.outer(range(settings.bins), range(settings.size))
    window = window_of(settings)
    filters = np.concatenate([np.cos(turns) * window, -np.sin(turns) * window])
    return filters[:, None, :], mel_map(settings)


def _power(spectrum: npt.NDArray[np.complex128]) -> Array:
    return np.asarray(spectrum.real**2 + spectrum.imag**2)


def _to_mel(hertz: float, scale: str) -> float:
    if scale == "htk":
        return float(2595.0 * np.log10(1.0 + hertz / 700.0))
    if hertz < KNEE:
        return hertz / STEP
    return float(KNEE / STEP + np.log(hertz / KNEE) * PER_OCTAVE)


def _to_hertz(mels: Array, scale: str) -> Array:
    if scale == "htk":
        return np.asarray(700.0 * (10.0 ** (mels / 2595.0) - 1.0))
    above = KNEE * np.exp((mels - KNEE / STEP) / PER_OCTAVE)
    return np.where(mels < KNEE / STEP, mels * STEP, above)
