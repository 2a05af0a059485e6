"""How a recording becomes the network's input: numbers, scale, JSON."""

from __future__ import annotations

import doctest
import json

import numpy as np
import pytest

from beak.data import sound_spec
from beak.data.dataset import Part
from beak.data.kinds import read_spec
from beak.data.sound_spec import SoundSpec
from beak.errors import DataError
from beak.ops.spectrogram.kernels import LogMelStream
from tests.data.sound_files import tone

SPEC = SoundSpec.made(8000, 0.5, bands=20)


def rows(count, samples, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(-9000, 9000, (count, samples)).astype(np.int16)


def part_of(inputs):
    return Part(inputs, np.zeros(len(inputs), np.int32), [str(i) for i in range(len(inputs))])


@pytest.mark.parametrize("features", ["log-mel", "samples"])
@pytest.mark.parametrize("level", ["kept", "even"])
def test_json_there_and_back_gives_the_same_spec_and_input(features, level):
    spec = SoundSpec.made(16000, 0.4, bands=30, features=features, level=level)
    back = read_spec(json.loads(json.dumps(spec.to_json())))
    assert back == spec
    inputs = rows(3, spec.samples)
    np.testing.assert_array_equal(back.prepare(inputs), spec.prepare(inputs))
    assert spec.prepare(inputs).shape == (3, *spec.shape)
    assert spec.prepare(inputs).dtype == np.float32


def test_the_training_part_has_mean_0_and_deviation_1_afterwards():
    inputs = rows(40, SPEC.samples) // np.arange(1, 41)[:, None].astype(np.int16)
    spec, _ = SPEC.fitted({"train": part_of(inputs)})
    made = spec.prepare(inputs)
    np.testing.assert_allclose(made.mean(axis=(0, 1, 2)), 0, atol=1e-3)
    np.testing.assert_allclose(made.std(axis=(0, 1, 2)), 1, atol=1e-3)
    again, _ = spec.fitted({"train": part_of(inputs)})
    assert again == spec


def test_a_silent_training_part_has_a_scale_all_the_same():
    spec, _ = SPEC.fitted({"train": part_of(np.zeros((4, SPEC.samples), np.int16))})
    assert np.isfinite(spec.prepare(rows(2, SPEC.samples))).all()


def test_even_brings_loud_and_quiet_to_one_loudness_and_leaves_silence():
    spec = SoundSpec.made(8000, 0.5, level="even")
    loud = np.resize(tone(440, 0.4, loud=0.5), spec.samples) * 32000
    three = np.stack([loud, loud / 20, np.zeros_like(loud)]).astype(np.int16)
    made = spec.prepare(three)
    assert np.abs(made[0] - made[1]).max() < 1.0  # ln 20 = 3 apart as recorded
    assert np.median(np.abs(made[0] - made[1])) < 0.05
    np.testing.assert_allclose(made[2], np.log(1e-6), rtol=1e-6)


def test_a_stream_gives_the_spectrogram_of_the_row():
    row = rows(1, SPEC.samples)
    stream = LogMelStream(SPEC.mel)
    blocks = np.array_split(SPEC.heard(row)[0], 13)
    streamed = np.concatenate([stream.feed(block) for block in blocks])
    np.testing.assert_allclose(SPEC.prepare(row)[0, 0], streamed, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"features": "mfcc"}, "no features 'mfcc'"),
        ({"level": "loud"}, "no level 'loud'"),
        ({"rate": 0}, "rate 0 is not a whole number from 1"),
        ({"rate": True}, "rate True"),
        ({"samples": 100}, r"the shape \(1, 47, 20\) is not"),
        ({"fft": 254}, "a Fourier transform of 254"),
        ({"fmax": 9000.0}, "half the rate"),
        ({"fmax": "high"}, "fmax 'high' is no number"),
        ({"mean": [0.0]}, "mean needs 20 numbers"),
        ({"std": [0.0] * 20}, "std must be above 0"),
        ({"std": []}, "std must be a list of numbers"),
        ({"scale": "bark"}, "'slaney' or 'htk'"),
        ({"hops": 3}, "no field 'hops'; did you mean 'hop'"),
    ],
)
def test_a_damaged_spec_is_one_line(change, says):
    with pytest.raises(DataError, match=says) as told:
        SoundSpec.from_json({**SPEC.to_json(), **change})
    assert "\n" not in str(told.value)


def test_rows_of_another_length_are_refused():
    with pytest.raises(DataError, match="made for 3936 samples"):
        SPEC.prepare(rows(1, 100))


def test_the_examples_of_the_docstrings():
    assert doctest.testmod(sound_spec).failed == 0
