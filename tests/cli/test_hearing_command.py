"""`beak predict` for sounds: files, long recordings, bytes, and a microphone that is played."""

from __future__ import annotations

import io
import json
import sys
import types

import numpy as np
import pytest

from beak.cli import microphone as microphones
from beak.cli.group import run
from beak.data.sound_spec import SoundSpec
from beak.data.sounds import Resampler, at_rate
from beak.network.layers import Dense, Flatten
from beak.network.network import Network
from beak.runs.model import Model, save_model
from tests.data.sound_files import tone, write

SPEC = SoundSpec.made(8000, 0.4, bands=20)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """The current directory, with model.safetensors: which half of the bands is louder."""
    monkeypatch.chdir(tmp_path)
    network = Network(SPEC.shape, [Flatten(), Dense(2, activation="softmax")])
    frames, bands = SPEC.shape[1:]
    half = np.tile(np.where(np.arange(bands) < bands // 2, 1.0, -1.0), frames) * 0.01
    parameters = {
        "dense1.weight": np.stack([half, -half]).astype(np.float32),
        "dense1.bias": np.zeros(2, np.float32),
    }
    save_model(
        tmp_path / "model.safetensors", Model(network, SPEC, ("low", "high"), parameters, {})
    )
    return tmp_path


def lines(capsys):
    return [line.split("\t") for line in capsys.readouterr().out.splitlines()]


def test_files_folders_and_bytes_of_any_format_are_answered(place, capsys, monkeypatch):
    write(place / "said" / "a.wav", tone(300, 0.4))
    write(place / "said" / "b.flac", tone(3000, 0.3, 44100), 44100)
    (place / "said" / "read.me").write_text("no sound")
    assert run(["predict", "model.safetensors", "said"]) == 0
    assert [row[:2] for row in lines(capsys)] == [["said/a.wav", "low"], ["said/b.flac", "high"]]
    stream = io.TextIOWrapper(io.BytesIO((place / "said" / "b.flac").read_bytes()))
    monkeypatch.setattr(sys, "stdin", stream)
    assert run(["predict", "model.safetensors", "-", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["label"] == "high"


def test_a_long_recording_is_a_line_for_each_stretch(place, capsys):
    write(place / "long.wav", np.concatenate([tone(300, 2.0), tone(3000, 2.0)]))
    assert run(["predict", "model.safetensors", "long.wav"]) == 0
    said = capsys.readouterr()
    rows = [line.split("\t") for line in said.out.splitlines()]
    assert [row[2] for row in rows] == ["low", "high"]
    assert float(rows[0][0]) == 0
    assert float(rows[1][1]) == 4
    assert abs(float(rows[0][1]) - 2) <= SPEC.seconds / 2
    assert "4.0 s; what is heard when" in said.err
    assert run(["predict", "model.safetensors", "long.wav", "--json"]) == 0
    first, _ = map(json.loads, capsys.readouterr().out.splitlines())
    assert (first["input"], first["begin"], first["label"]) == ("long.wav", 0.0, "low")


def test_a_bad_file_is_one_line_and_the_others_are_answered(place, capsys):
    write(place / "said" / "a.wav", tone(300, 0.4))
    (place / "said" / "text.wav").write_text("words\n" * 99)
    assert run(["predict", "model.safetensors", "said"]) == 1
    said = capsys.readouterr()
    assert said.out.startswith("said/a.wav\tlow")
    assert "text.wav: no sound file that can be read" in said.err
    assert run(["predict", "model.safetensors", "said/text.wav"]) == 1
    assert capsys.readouterr().err.count("\n") == 1


class PlayedError(Exception):
    pass


def played(monkeypatch, samples, rate, *, knows=(8000,), block=800, then=KeyboardInterrupt):
    """A sounddevice whose microphone hears ``samples`` and then Ctrl-C, or nothing any more."""
    opened = []

    class InputStream:
        def __init__(self, *, samplerate, channels, dtype, callback):
            if samplerate not in knows:
                raise PlayedError("Invalid sample rate\n [PaErrorCode -9997]")
            opened.append(samplerate)
            self.callback, self.active = callback, True

        def __enter__(self):
            for i in range(0, len(samples), block):
                piece = samples[i : i + block, None]
                self.callback(piece, len(piece), None, None)
                piece[:] = 0  # PortAudio uses its memory again
            self.active = False
            return self

        def __exit__(self, *_):
            pass

    def check(*, samplerate, channels, dtype):
        if samplerate not in knows:
            raise PlayedError("Invalid sample rate")

    made = types.SimpleNamespace(
        InputStream=InputStream, PortAudioError=PlayedError, check_input_settings=check,
        query_devices=lambda kind: {"default_samplerate": float(rate)},
    )  # fmt: skip
    monkeypatch.setitem(sys.modules, "sounddevice", made)
    monkeypatch.setattr(microphones, "PATIENCE", 0.01)
    if then is not None:
        real = microphones.queue.Queue.get

        def get(self, timeout=None):
            try:
                return real(self, timeout=timeout)
            except microphones.queue.Empty:
                raise then from None

        monkeypatch.setattr(microphones.queue.Queue, "get", get)
    return opened


def test_the_microphone_is_answered_every_quarter_of_a_second_until_ctrl_c(
    place, capsys, monkeypatch
):
    heard = np.concatenate([tone(300, 1.0), tone(3000, 1.0)])
    opened = played(monkeypatch, heard.copy(), 8000)
    assert run(["predict", "model.safetensors", "--microphone", "--json"]) == 0
    said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert opened == [8000]
    assert len(said) == (len(heard) - SPEC.samples) // 2000 + 1
    for i, one in enumerate(said):
        window = heard[2000 * i : 2000 * i + SPEC.samples]
        write(place / "window.wav", window, subtype="FLOAT")
        assert run(["predict", "model.safetensors", "window.wav", "--json"]) == 0
        alone = json.loads(capsys.readouterr().out)
        assert one["label"] == alone["label"]
        assert one["probability"] == pytest.approx(alone["probabilities"][alone["label"]], abs=1e-5)
        assert one["end"] - one["begin"] == pytest.approx(SPEC.seconds)


def test_people_are_told_what_is_new_only(place, capsys, monkeypatch):
    played(monkeypatch, np.concatenate([tone(300, 1.5), tone(3000, 1.5)]), 8000)
    assert run(["predict", "model.safetensors", "--microphone"]) == 0
    said = capsys.readouterr()
    assert [line.split("\t")[2] for line in said.out.splitlines()] == ["low", "high"]
    assert "listening; Ctrl-C stops" in said.err


def test_a_microphone_of_another_rate_is_opened_at_its_own(place, capsys, monkeypatch):
    opened = played(monkeypatch, tone(3000, 2.0, 44100), 44100, knows=(44100,))
    assert run(["predict", "model.safetensors", "--microphone", "--json"]) == 0
    assert opened == [44100]
    labels = [json.loads(line)["label"] for line in capsys.readouterr().out.splitlines()]
    assert labels == ["high"] * len(labels)
    assert len(labels) >= 5


@pytest.mark.parametrize("rate", [8000, 11025, 44100])
def test_blocks_are_brought_to_another_rate_as_the_whole_is(rate):
    samples = tone(440, 1.0, rate)
    resampler = Resampler(rate, 8000)
    parts = [resampler.feed(samples[i : i + 999]) for i in range(0, len(samples), 999)]
    streamed = np.concatenate(parts)
    whole = at_rate(samples, rate, 8000)
    assert len(streamed) > 0.9 * len(whole)
    np.testing.assert_allclose(streamed, whole[: len(streamed)], atol=1e-5)


def test_without_a_microphone_it_is_one_line(place, capsys, monkeypatch):
    with monkeypatch.context() as none:
        played(none, tone(300, 1.0), 44100, knows=())
        assert run(["predict", "model.safetensors", "--microphone"]) == 1
    assert "the microphone cannot be heard: Invalid sample rate [Pa" in capsys.readouterr().err
    with monkeypatch.context() as unplugged:
        played(unplugged, tone(300, 1.0), 8000, then=None)
        assert run(["predict", "model.safetensors", "--microphone"]) == 1
        assert "the microphone is gone; is it still plugged in?" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    assert run(["predict", "model.safetensors", "--microphone"]) == 1
    assert "needs an extra" in capsys.readouterr().err
    assert run(["predict", "model.safetensors", "a.wav", "--microphone"]) == 2
    assert "--microphone takes no INPUT" in capsys.readouterr().err
