"""Real recordings: the network's input is librosa's, from a file and from blocks alike."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from beak.data.sound_spec import SoundSpec
from beak.data.sounds import Resampler, decode, fit, load_raw
from beak.ops.spectrogram.kernels import LogMelStream, log_mel

SETS = ("fsdd", "speech-commands-30x10")


def some(folder, count=25):
    paths = sorted(folder.rglob("*.wav"))
    assert len(paths) >= 300
    return paths[:: len(paths) // count]


@pytest.mark.parametrize("name", SETS)
def test_real_files_are_librosas_to_1e_4(real, name):
    librosa = pytest.importorskip("librosa", reason="librosa is the second opinion")
    spec = None
    for path in some(real(name)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # librosa's own readers
            samples, rate = librosa.load(path, sr=None)
        spec = spec or SoundSpec.made(rate, 1.0)
        assert rate == spec.rate
        theirs = librosa.feature.melspectrogram(
            y=samples, sr=rate, n_fft=spec.fft, win_length=spec.window, hop_length=spec.hop,
            center=False, n_mels=spec.bands, fmin=spec.fmin, fmax=spec.fmax,
        )  # fmt: skip
        ours = log_mel(decode(path, path.name).samples, spec.mel)
        np.testing.assert_allclose(ours, np.log(theirs + 1e-6).T, atol=1e-4)


@pytest.mark.parametrize("name", SETS)
def test_a_real_file_and_the_same_from_a_microphone_are_one_spectrogram(real, name):
    for path in some(real(name), 10):
        found = decode(path, path.name)
        spec = SoundSpec.made(found.rate, max(0.1, len(found.samples) / found.rate))
        from_file = spec.prepare(load_raw(path, spec)[0][None])[0, 0]
        heard = fit(found.samples, spec).astype(np.float32) / 32768
        resampler, stream = Resampler(found.rate, spec.rate), LogMelStream(spec.mel)
        blocks = [heard[i : i + 371] for i in range(0, len(heard), 371)]
        streamed = np.concatenate([stream.feed(resampler.feed(block)) for block in blocks])
        np.testing.assert_allclose(streamed, from_file, atol=1e-5)
