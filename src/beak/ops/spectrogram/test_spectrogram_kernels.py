"""The spectrogram kernels against NumPy, on every instruction set."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from beak.errors import ShapeError
from beak.ops.spectrogram import reference
from beak.ops.spectrogram.kernels import (
    LOG_MEL_BACKWARD,
    LOG_MEL_FORWARD,
    LogMelStream,
    arguments,
    log_mel,
    log_mel_backward,
)
from beak.ops.spectrogram.settings import MelSettings
from beak.ops.test_support import run

pytestmark = pytest.mark.usefixtures("every_instruction_set")

sizes = st.sampled_from([2, 4, 6, 8, 10, 12, 16, 20, 30, 50, 64, 90, 128, 200, 256, 400, 512])


@st.composite
def mel_settings(draw):
    fft = draw(sizes)
    rate = draw(st.sampled_from([8000, 16000, 44100]))
    return MelSettings(
        rate=rate,
        window=draw(st.integers(1, fft)),
        hop=draw(st.integers(1, fft + 7)),
        bands=draw(st.integers(1, 70)),
        fft=fft,
        scale=draw(st.sampled_from(["slaney", "htk"])),
        fmin=draw(st.sampled_from([0.0, 20.0, 125.5])),
        fmax=draw(st.sampled_from([None, 3999.0])),
    )


def noise(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@given(mel_settings(), st.integers(1, 3), st.integers(1, 40), st.integers(1, 5), st.integers(0, 99))
def test_a_spectrogram_is_the_references(settings, images, frames, parts, seed):
    samples = noise((images, settings.samples(frames) + seed % settings.hop), seed)
    out = run(
        LOG_MEL_FORWARD[0], {"out": (images, frames, settings.bands)}, parts=parts, threads=2,
        samples=samples, dy=None, **arguments(settings, images, samples.shape[1]),
    )["out"]  # fmt: skip
    np.testing.assert_allclose(out, reference.log_mel(samples, settings), atol=1e-3)
    mel = np.exp(reference.log_mel(samples, settings))
    np.testing.assert_allclose(np.exp(out), mel, rtol=2e-4, atol=1e-7 * mel.max())


@given(mel_settings(), st.integers(1, 3), st.integers(1, 25), st.integers(1, 4), st.integers(0, 99))
def test_its_gradient_is_the_references(settings, images, frames, parts, seed):
    samples = noise((images, settings.samples(frames) + seed % settings.hop), seed)
    dy = noise((images, frames, settings.bands), seed + 1)
    out = run(
        LOG_MEL_BACKWARD[0], {"out": samples.shape}, parts=parts, threads=2,
        samples=samples, dy=dy, **arguments(settings, images, samples.shape[1]),
    )["out"]  # fmt: skip
    wanted = reference.log_mel_backward(dy, samples, settings)
    np.testing.assert_allclose(out, wanted, atol=2e-3 * max(1e-3, np.abs(wanted).max()))


def test_the_gradient_of_a_loud_tone_points_where_finite_differences_do():
    settings = MelSettings(8000, 64, 20, 8)
    samples = np.sin(np.arange(150) * 0.7) + 0.1 * noise(150)
    dy = noise((5, 8), 3)
    slope = log_mel_backward(dy, samples, settings)
    for place in (0, 17, 60, 143):
        moved = [samples + step * (np.arange(150) == place) for step in (1e-5, -1e-5)]
        up, down = ((reference.log_mel(x, settings) * dy).sum() for x in moved)
        assert slope[place] == pytest.approx((up - down) / 2e-5, rel=1e-3, abs=1e-4)


@given(mel_settings(), st.lists(st.integers(0, 700), max_size=9), st.integers(0, 99))
def test_a_stream_of_blocks_gives_the_same_bits_as_the_whole(settings, blocks, seed):
    samples = noise(sum(blocks), seed)
    stream, got = LogMelStream(settings), [np.zeros((0, settings.bands), np.float32)]
    for end, block in zip(np.cumsum(blocks), blocks, strict=True):
        got.append(stream.feed(samples[end - block : end]))
    got = np.concatenate(got)
    if settings.frames(len(samples)):
        np.testing.assert_array_equal(got, log_mel(samples, settings))
    else:
        assert got.shape == (0, settings.bands)


def test_a_frame_hangs_on_its_own_samples_alone():
    settings = MelSettings(8000, 100, 40, 12, fft=128)
    samples = noise(2000)
    whole = log_mel(samples, settings)
    samples[128 + 40 * 5 :] = np.nan
    changed = log_mel(samples, settings)
    np.testing.assert_array_equal(changed[:6], whole[:6])
    assert np.isnan(changed[-1]).all()


def test_silence_is_the_logarithm_of_the_floor():
    quiet = log_mel(np.zeros((2, 1, 900), np.float32), MelSettings(8000, 256, 80, 20))
    assert quiet.shape == (2, 1, 9, 20)
    np.testing.assert_allclose(quiet, np.log(1e-6), rtol=1e-7)


def test_what_does_not_fit_is_refused_with_what_would():
    with pytest.raises(ShapeError, match="255 samples came, a frame has 256"):
        log_mel(np.zeros(255), MelSettings(8000, 256, 80, 20))
    with pytest.raises(ShapeError, match=r"442 is not to be had .* fft=432 or 450 is near"):
        MelSettings(44100, 442, 80, 20)
    with pytest.raises(ShapeError, match="half the rate, 4000"):
        MelSettings(8000, 256, 80, 20, fmax=4001.0)
    with pytest.raises(ShapeError, match="window=300 is longer than fft=256"):
        MelSettings(8000, 300, 80, 20, fft=256)
    with pytest.raises(ShapeError, match="'slaney' or 'htk'"):
        MelSettings(8000, 256, 80, 20, scale="bark")
    with pytest.raises(ShapeError, match="hop=0; a whole number"):
        MelSettings(8000, 256, 0, 20)
