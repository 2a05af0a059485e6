"""From a folder of recordings to answers: as someone does it who has only recordings."""

from __future__ import annotations

import base64
import json
import re

import numpy as np
import pytest

from beak.cli.group import run as beak
from beak.data.sounds import decode
from tests.data.sound_files import raw_wav, tone, write

WORDS = {"down": (900, 300), "up": (300, 900)}
SPEAKERS = ("anna", "bert", "carl", "dora")


def said(word, speaker, take):
    """Two tones, the second higher or lower; every speaker has a voice of another height."""
    voice = 1 + 0.15 * SPEAKERS.index(speaker)
    first, second = WORDS[word]
    parts = [tone(h * voice, 0.15, seed=9 * take + i) for i, h in enumerate((first, second))]
    return np.concatenate(parts) * (0.5 + 0.1 * take)


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    """The current directory with recordings/LABEL/LABEL_SPEAKER_TAKE.wav."""
    for word in WORDS:
        for speaker in SPEAKERS:
            for take in range(6):
                path = tmp_path / "recordings" / word / f"{word}_{speaker}_{take}.wav"
                write(path, said(word, speaker, take))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BEAK_CACHE", str(tmp_path / "cache"))
    return tmp_path


def test_from_recordings_to_answers(workplace, capsys):
    (workplace / "recordings" / "up" / "broken.wav").write_text("words, no sound\n" * 9)
    (workplace / "recordings" / "up" / "empty.wav").write_bytes(raw_wav())
    assert beak(["train", "recordings", "--out", "run", "--epochs", "25"]) == 0
    out = capsys.readouterr().out
    assert "sounds: 8,000 Hz" in out
    assert "warning    2 files cannot be used and are left out" in out
    assert re.search(r"broken\.wav: no sound file that can be read", out)
    assert "up/empty.wav: it holds no samples" in out
    assert "keyword" in out
    assert beak(["evaluate", "run", "recordings", "--part", "all", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["accuracy"] > 0.9
    write(workplace / "mine.flac", said("up", "bert", 9), 8000)
    assert beak(["predict", "run", "mine.flac", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["label"] == "up"
    assert beak(["train", "recordings", "--out", "strict", "--strict"]) == 1
    told = capsys.readouterr().err
    assert "(strict)" in told
    assert told.count("\n") == 1


def test_a_report_plays_its_mistakes_and_loads_nothing(workplace):
    command = ["train", "recordings", "--out", "run", "--epochs", "1", "--no-baseline"]
    assert beak([*command, "--set", "optimiser.learning_rate=0"]) == 0
    page = (workplace / "run" / "report.html").read_text()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    assert "default-src 'none'" in policy[1]
    assert "media-src data:" in policy[1]
    sounds = re.findall(r'<audio controls preload="none" src="data:audio/wav;base64,([^"]+)"', page)
    assert sounds
    for sound in sounds:
        assert len(decode(base64.b64decode(sound), "mistake").samples) >= 1000
    assert page.count('<div class="heard"><img') == len(sounds)
    assert not re.search(r'(src|href)="(?!data:|#)', page)


def test_each_speaker_in_turn_is_left_out(workplace, capsys):
    command = ["train", "recordings", "--out", "run", "--epochs", "1", "--no-baseline"]
    assert beak([*command, "--folds", "speaker", "--set", "network.axis=time", "--json"]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    folds = [event for event in events if event["event"] == "fold"]
    assert [fold["test"]["examples"] for fold in folds] == [12] * len(SPEAKERS)
    (start,) = {e["network"] for e in events if e["event"] == "start"}
    assert start == "spectrogram-frequency"
    assert beak([*command, "--overwrite", "--set", "network.axis=diagonal"]) == 2
    assert "axis 'diagonal'" in capsys.readouterr().err
