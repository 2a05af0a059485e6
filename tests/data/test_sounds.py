"""One sound file as samples: formats, channels, rates, lengths, and files that are none."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from beak.data.sound_spec import SoundSpec
from beak.data.sounds import at_rate, decode, fit, load_raw, loudest, wav
from beak.errors import DataError
from tests.data.sound_files import bytes_of, raw_wav, tone, write

SPEC = SoundSpec.made(8000, 0.3)


@pytest.mark.parametrize("ending", ["wav", "flac", "ogg", "mp3"])
def test_every_format_gives_the_tone_that_was_written(tmp_path, ending):
    samples = tone(440, 0.5, 16000)
    found = decode(write(tmp_path / f"a.{ending}", samples, 16000), "a")
    assert found.rate == 16000
    middle = slice(2000, 6000)
    best = max(
        np.corrcoef(found.samples[2000 + lag : 6000 + lag], samples[middle])[0, 1]
        for lag in range(0, 1200)
    )
    assert best > 0.98
    if ending in ("wav", "flac"):
        np.testing.assert_allclose(found.samples, samples, atol=4e-5)


@pytest.mark.parametrize("channels", [2, 32])
def test_several_channels_become_their_mean_and_that_is_said(tmp_path, channels):
    many = np.stack([tone(440, seed=k) for k in range(channels)], axis=1)
    found = decode(write(tmp_path / "many.wav", many), "many.wav")
    np.testing.assert_allclose(found.samples, many.mean(axis=1), atol=5e-5)
    assert found.notes == (f"{channels} channels: their mean is used",)


BAD = {
    "a text behind .wav": (b"These are words, and no sound at all.\n" * 20, "no sound file"),
    "an empty file": (b"", "no sound file"),
    "no samples": (raw_wav(), "holds no samples"),
    "0 Hz": (raw_wav(b"\0" * 2000, rate=0), "no sound file|0 samples a second"),
    "a header that lies": (
        raw_wav(b"\1\0" * 500, promised=32000),
        "promises 16,000 samples, 500 are there; it was cut short",
    ),
    "NaN samples": (
        bytes_of(np.r_[tone(440), np.nan, tone(440)].astype(np.float32), subtype="FLOAT"),
        r"holds NaN or infinity, first at 0.300 s",
    ),
    "no channels": (raw_wav(b"\0" * 2000, channels=0), "no sound file"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_is_one_line_with_its_name(tmp_path, case):
    data, says = BAD[case]
    path = tmp_path / "bad.wav"
    path.write_bytes(data)
    with pytest.raises(DataError, match=rf"bad\.wav: .*({says})") as told:
        decode(path, "bad.wav")
    assert "\n" not in str(told.value)
    with pytest.raises(DataError, match=says):
        decode(data, "sound")


def test_a_streamed_header_that_knows_no_length_is_read(tmp_path):
    path = tmp_path / "streamed.wav"
    path.write_bytes(raw_wav(struct.pack("<800h", *range(800)), promised=0xFFFFFFFF))
    assert len(decode(path, "streamed").samples) == 800


def test_a_pipe_and_a_folder_are_no_sounds(tmp_path):
    for path in (tmp_path, tmp_path / "none.wav"):
        with pytest.raises(DataError, match="cannot be read"):
            decode(path, "x")


@given(st.binary(max_size=400))
def test_any_bytes_are_a_sound_or_one_line(data):
    head = raw_wav()[:20]
    for content in (data, head + data, b"fLaC" + data, b"OggS" + data, b"ID3" + data):
        says, samples = "", np.zeros(1)
        try:
            samples = decode(content, "bytes").samples
        except DataError as error:
            says = str(error)
        assert "\n" not in says
        assert len(samples)
        assert np.isfinite(samples).all()


@pytest.mark.parametrize("rate", [6000, 11025, 16000, 44100, 48000])
def test_another_rate_is_brought_to_the_networks(rate):
    told = at_rate(tone(440, 1.0, rate, loud=0.5), rate, 8000)
    assert abs(len(told) - 8000) <= 2
    peaks = np.abs(np.fft.rfft(told[1000:7000]))
    assert peaks.argmax() * 8000 / 6000 == pytest.approx(440, abs=3)


def test_a_short_sound_stands_in_the_middle_of_silence():
    row = fit(np.full(100, 0.5, np.float32), SPEC)
    assert row.shape == (SPEC.samples,)
    assert row.dtype == np.int16
    first = (SPEC.samples - 100) // 2
    assert (row[first : first + 100] == 16384).all()
    assert (row != 0).sum() == 100


def test_of_a_long_sound_the_loudest_stretch_is_taken():
    long = np.concatenate([np.zeros(9000), tone(440, 0.25), np.zeros(4000)]).astype(np.float32)
    row = fit(long, SPEC).astype(float)
    assert (row**2).sum() > 0.99 * ((long.astype(float) * 32768) ** 2).sum()
    assert loudest(long, 2000, 80) % 80 == 0


def test_what_is_louder_than_full_is_cut_off():
    row = fit(np.array([2.0, -2.0, 1.0, -1.0], np.float32), SPEC)
    assert sorted({*row.tolist()}) == [-32768, 0, 32767]


def test_the_same_sound_is_the_same_row_from_path_bytes_and_array(tmp_path):
    samples = tone(700)
    path = write(tmp_path / "a.wav", samples)
    rows = [load_raw(raw, SPEC)[0] for raw in (path, str(path), path.read_bytes())]
    exact = decode(path, "a").samples
    rows += [load_raw(raw, SPEC)[0] for raw in (exact, (exact, 8000), exact[:, None])]
    for row in rows[1:]:
        np.testing.assert_array_equal(row, rows[0])


def test_a_long_sound_is_noted_and_a_written_row_reads_back(tmp_path):
    row, notes = load_raw(write(tmp_path / "long.wav", tone(440, 2.0)), SPEC)
    assert notes == ("2.0 s long: the loudest 0.3 s are heard",)
    again = decode(wav(row, 8000), "again")
    np.testing.assert_array_equal(fit(again.samples, SPEC), row)


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (np.zeros((0,), np.float32), "are no samples"),
        (np.zeros((2, 3, 4)), "are no samples"),
        (np.array(["a"]), "are no samples"),
        (np.array([0.0, np.nan]), "NaN or infinity"),
        ((np.zeros(5), 0), "cannot be a sound's rate"),
    ],
)
def test_arrays_that_are_no_sounds_are_refused(raw, says):
    with pytest.raises(DataError, match=says):
        load_raw(raw, SPEC)
