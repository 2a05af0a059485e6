"""Small recordings for tests: tones whose pitch tells the label, written as files."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest

soundfile = pytest.importorskip("soundfile", reason="sounds need the extra 'sound'")


def tone(hertz, seconds=0.3, rate=8000, seed=0, loud=0.3):
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * rate)) / rate
    swell = np.sin(np.pi * time / time[-1]) if len(time) > 1 else 1.0
    made = loud * swell * np.sin(2 * np.pi * hertz * time + rng.uniform(0, 6))
    return (made + rng.normal(size=len(time)) * 0.005).astype(np.float32)


def write(path, samples, rate=8000, subtype="PCM_16"):
    path.parent.mkdir(parents=True, exist_ok=True)
    form = {".flac": "FLAC", ".ogg": "OGG", ".mp3": "MP3"}.get(path.suffix, "WAV")
    subtype = {"OGG": "VORBIS", "MP3": "MPEG_LAYER_III"}.get(form, subtype)
    soundfile.write(path, samples, rate, subtype=subtype, format=form)
    return path


def class_folder(root, counts, rate=8000, seconds=0.3, name="{i:03}.wav"):
    """Folders of tones: {"low": 6, "high": 6}; each label has a pitch of its own."""
    for k, (label, count) in enumerate(counts.items()):
        for i in range(count):
            samples = tone(300 * 2**k * (1 + 0.01 * i), seconds, rate, seed=1000 * k + i)
            write(root / label / name.format(i=i, label=label), samples, rate)
    return root


def raw_wav(data=b"", rate=8000, channels=1, promised=None, bits=16):
    """A wav file by hand, whatever its header says."""
    frame = channels * bits // 8
    form = struct.pack("<HHIIHH", 1, channels, rate, rate * frame, frame, bits)
    size = len(data) if promised is None else promised
    head = b"WAVEfmt " + struct.pack("<I", 16) + form + b"data" + struct.pack("<I", size)
    return b"RIFF" + struct.pack("<I", min(len(head) + size, 0xFFFFFFFF)) + head + data


def bytes_of(samples, rate=8000, form="WAV", subtype="PCM_16"):
    held = io.BytesIO()
    soundfile.write(held, samples, rate, subtype=subtype, format=form)
    return held.getvalue()
