"""Time lines of long recordings, and answers for sound that comes in blocks."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from beak.data.sound_spec import SoundSpec
from beak.network.layers import Dense, Flatten
from beak.network.network import Network
from beak.runs.hearing import Listener, samples_of, timeline
from beak.runs.model import Model, save_model
from beak.runs.predictor import Predictor
from beak.runs.run import Run
from tests.data.sound_files import tone, write

SPEC = SoundSpec.made(8000, 0.4, bands=20)


@pytest.fixture(scope="module")
def predictor():
    """Hears which half of the bands is louder: low or high."""
    network = Network(SPEC.shape, [Flatten(), Dense(2, activation="softmax")])
    frames, bands = SPEC.shape[1:]
    half = np.where(np.arange(bands) < bands // 2, 1.0, -1.0)
    weight = np.stack([np.tile(half, frames), -np.tile(half, frames)]) * 0.01
    parameters = {
        "dense1.weight": weight.astype(np.float32),
        "dense1.bias": np.zeros(2, np.float32),
    }
    return Predictor(Model(network, SPEC, ("low", "high"), parameters, {}))


def test_a_long_recording_is_a_line_of_stretches(predictor, tmp_path):
    said = np.concatenate([tone(300, 2.0), tone(3000, 1.6), tone(300, 1.2)])
    samples = samples_of(predictor.model, write(tmp_path / "long.wav", said))
    line = timeline(predictor, samples)
    assert [heard.label for heard in line] == ["low", "high", "low"]
    assert line[0].begin == 0
    assert line[-1].end == pytest.approx(4.8)
    for heard, after, turn in zip(line, line[1:], (2.0, 3.6), strict=False):
        assert heard.end == after.begin == pytest.approx(turn, abs=SPEC.seconds / 2)
    assert all(0.5 < heard.probability <= 1 for heard in line)


def test_where_hardly_anything_sounds_nothing_is_answered(predictor):
    quiet = np.random.default_rng(0).normal(size=8000).astype(np.float32) * 1e-3
    samples = np.concatenate([quiet, tone(300, 1.2), quiet, tone(300, 1.2), quiet])
    first, second = timeline(predictor, samples)
    for heard, begin, end in ((first, 1.0, 2.2), (second, 3.2, 4.4)):
        assert heard.begin == pytest.approx(begin, abs=SPEC.seconds / 2)
        assert heard.end == pytest.approx(end, abs=SPEC.seconds / 2)
    knows = Predictor(replace(predictor.model, labels=("low", "silence")))
    line = timeline(knows, samples)
    assert line[0].begin == 0
    assert line[-1].end == pytest.approx(len(samples) / 8000)
    assert all(a.end == b.begin for a, b in itertools.pairwise(line))


def test_a_short_recording_is_one_stretch(predictor):
    (heard,) = timeline(predictor, tone(300, 0.1))
    assert (heard.begin, heard.end, heard.label) == (0, pytest.approx(0.1), "low")


@pytest.mark.parametrize("block", [1, 100, 777, 8000, 99999])
def test_a_microphones_windows_answer_as_files_of_their_own(predictor, block):
    samples = np.concatenate([tone(300, 1.0), tone(3000, 1.0)])
    if block == 1:
        samples = samples[:5000]
    listener = Listener(predictor)
    heard = [
        h for i in range(0, len(samples), block) for h in listener.feed(samples[i : i + block])
    ]
    assert len(heard) == (len(samples) - SPEC.samples) // 2000 + 1
    for i, one in enumerate(heard):
        window = samples[2000 * i : 2000 * i + SPEC.samples]
        answer = predictor.predict(window)
        assert one.begin == pytest.approx(0.25 * i)
        assert one.label == answer.label
        assert one.probability == pytest.approx(answer.probabilities[answer.label], abs=1e-7)


def test_a_pair_of_samples_and_rate_is_one_sound(predictor, tmp_path):
    save_model(tmp_path / "model.safetensors", predictor.model)
    run = Run(tmp_path / "model.safetensors")
    assert run.predict((tone(300, 0.4, 16000), 16000)).label == "low"
    pair = run.predict((tone(300, 0.4), tone(3000, 0.4)))
    assert [answer.label for answer in pair] == ["low", "high"]
