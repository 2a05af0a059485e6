"""The definition of the log-mel spectrogram against librosa and against layers that do the same."""

from __future__ import annotations

import doctest

import numpy as np
import pytest

from beak.ops.spectrogram import kernels, reference, settings
from beak.ops.spectrogram.kernels import log_mel
from beak.ops.spectrogram.settings import MelSettings


def chirp(rate, seconds=0.7):
    time = np.arange(int(rate * seconds)) / rate
    loud = np.exp(-(((time - 0.3) * 6) ** 2))
    hiss = np.random.default_rng(0).normal(size=len(time)) * 0.003
    return (0.6 * loud * np.sin(2 * np.pi * (200 + 2000 * time) * time) + hiss).astype(np.float32)


CHOICES = [
    MelSettings(8000, 256, 80, 40),
    MelSettings(16000, 400, 160, 40, fft=512),
    MelSettings(16000, 400, 160, 64, scale="htk", fmin=20.0, fmax=7600.0),
    MelSettings(44100, 1024, 441, 80, fft=2048, fmin=50.0),
    MelSettings(22050, 551, 220, 23, fft=576),
]


@pytest.mark.parametrize("chosen", CHOICES)
def test_it_is_librosas_to_1e_4(chosen):
    librosa = pytest.importorskip("librosa", reason="librosa is the second opinion")
    samples = chirp(chosen.rate)
    theirs = librosa.feature.melspectrogram(
        y=samples, sr=chosen.rate, n_fft=chosen.size, win_length=chosen.window,
        hop_length=chosen.hop, center=False, power=2.0, n_mels=chosen.bands,
        fmin=chosen.fmin, fmax=chosen.highest, htk=chosen.scale == "htk",
    )  # fmt: skip
    wanted = np.log(theirs + 1e-6).T
    np.testing.assert_allclose(reference.log_mel(samples, chosen), wanted, atol=1e-5)
    np.testing.assert_allclose(log_mel(samples, chosen), wanted, atol=1e-4)


@pytest.mark.parametrize("chosen", CHOICES)
def test_a_convolution_with_fixed_filters_and_a_dense_map_give_the_same(chosen):
    samples = chirp(chosen.rate, 0.2)
    filters, mel = (w.astype(np.float32) for w in reference.fixed_filters(chosen))
    assert filters.shape == (2 * chosen.bins, 1, chosen.size)
    assert mel.shape == (chosen.bands, chosen.bins)
    windows = np.lib.stride_tricks.sliding_window_view(samples, chosen.size)[:: chosen.hop]
    waves = windows @ filters[:, 0].T
    power = waves[:, : chosen.bins] ** 2 + waves[:, chosen.bins :] ** 2
    answer = np.log(power @ mel.T + np.float32(1e-6))
    np.testing.assert_allclose(answer, log_mel(samples, chosen), atol=1e-4)


def test_a_tone_is_loudest_in_its_own_band():
    chosen = MelSettings(16000, 512, 160, 40)
    for hertz in (440.0, 1500.0, 6000.0):
        tone = np.sin(2 * np.pi * hertz * np.arange(2000) / 16000)
        band = reference.log_mel(tone, chosen)[0].argmax()
        weights = reference.mel_map(chosen)[:, round(hertz / 16000 * 512)]
        assert weights[band] >= 0.9 * weights.max()


def test_the_examples_of_the_docstrings():
    for module in (reference, kernels, settings):
        assert doctest.testmod(module).failed == 0
