"""Hearing a recording a little differently: by its number alone, and by no more than asked for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from beak.data.augment import Augmentation
from beak.data.batches import batches
from beak.data.dataset import Part
from beak.data.kinds import kind_of
from beak.data.sound_augment import (
    augmented,
    made_noise,
    moved,
    toned,
    warped,
    with_noise,
)
from beak.data.sound_spec import SoundSpec, loudness
from beak.ops.spectrogram.reference import band_centres
from tests.data.sound_files import tone

SPEC = SoundSpec.made(8000, 0.4, bands=20)
EVERYTHING = Augmentation(
    time_shift=0.2,
    gain=6.0,
    speed=0.2,
    warp=0.2,
    tone=6.0,
    noise=0.5,
    mask_time=0.3,
    mask_bands=0.3,
)


def recordings(count=12):
    row = np.zeros((count, SPEC.samples), np.int16)
    for i in range(count):
        samples = tone(300 + 40 * i, 0.3, seed=i)
        row[i, 200 : 200 + len(samples)] = samples * 32000
    return row


def heard(augmentation, rows, chosen=None, epoch=0, seed=0, spec=SPEC):
    chosen = np.arange(len(rows)) if chosen is None else np.asarray(chosen)
    return augmented(rows, chosen, spec, augmentation, seed=seed, epoch=epoch)


def test_an_example_is_changed_alike_in_any_batch_and_differently_in_every_epoch():
    rows = recordings()
    whole = heard(EVERYTHING, rows)
    np.testing.assert_array_equal(heard(EVERYTHING, rows, [7, 2]), whole[[7, 2]])
    assert np.abs(heard(EVERYTHING, rows, epoch=1) - whole).max() > 0.5
    assert np.abs(heard(EVERYTHING, rows, seed=1) - whole).max() > 0.5
    part = Part(rows, np.zeros(12, np.int32), [str(i) for i in range(12)])
    for size in (5, 12):
        got = list(batches(part, SPEC, EVERYTHING, seed=0, epoch=0, batch_size=size, threads=2))
        order = np.concatenate([b.examples for b in got])
        np.testing.assert_array_equal(np.concatenate([b.inputs for b in got]), whole[order])


def test_nothing_asked_for_changes_nothing():
    rows = recordings()
    np.testing.assert_allclose(heard(Augmentation(), rows), SPEC.prepare(rows), atol=1e-6)


def test_a_shift_moves_the_sound_and_brings_silence_in():
    values = np.zeros((1, 1000), np.float32)
    values[0, 500:520] = 1
    draws = np.full((1, 16), 0.5)
    draws[0, 0] = 1.0
    later = moved(values, draws, Augmentation(time_shift=0.1))
    assert later[0, 600:620].min() == pytest.approx(1)
    assert later.sum() == pytest.approx(values.sum(), rel=1e-3)
    draws[0, 0] = 0.0
    assert moved(values, draws, Augmentation(time_shift=1.0)).sum() == 0


def test_faster_is_higher_by_as_much():
    values = np.resize(tone(500, 0.4), (1, SPEC.samples)).astype(np.float32)
    draws = np.full((1, 16), 0.5)
    draws[0, 1] = 1.0
    fast = moved(values, draws, Augmentation(speed=0.25))[0]
    middle = fast[400 : SPEC.samples - 800]
    peak = np.abs(np.fft.rfft(middle * np.hanning(len(middle)))).argmax() * 8000 / len(middle)
    assert peak == pytest.approx(625, rel=0.01)


def test_gain_stays_within_its_decibels():
    rows = np.repeat(recordings(1), 200, axis=0)
    plain = SPEC.prepare(rows[:1])
    loud = heard(Augmentation(gain=6.0), rows) - plain
    strong = plain[0, 0] > plain.max() - 3  # far above the floor a gain is a plain sum
    steps = loud[:, 0, strong].mean(axis=1) / np.log(10) * 10
    assert 5 < steps.max() < 6.1
    assert -6.1 < steps.min() < -5


def test_noise_is_at_most_as_loud_as_asked_for_and_comes_from_the_sources_own():
    rows = recordings(50)
    own = np.zeros((2, SPEC.samples), np.int16)
    own[:, ::2] = 8000
    changed = heard(Augmentation(noise=0.5), with_noise(rows, own))
    assert np.abs(changed - SPEC.prepare(rows)).max() > 0.5
    silent = heard(Augmentation(noise=0.5), with_noise(rows, np.zeros_like(own)))
    np.testing.assert_allclose(silent, SPEC.prepare(rows), atol=1e-6)
    mixed = heard(
        Augmentation(noise=0.5),
        with_noise(np.repeat(rows[:1], 99, 0), own),
        spec=replace(SPEC, features="samples", shape=(1, SPEC.samples), mean=(0.0,), std=(1.0,)),
    )
    added = mixed[:, 0] - rows[0] / 32768
    most = 0.5 * loudness(rows[:1] / 32768, SPEC.hop)[0]
    assert 0.9 * most < loudness(added, SPEC.hop).max() <= 1.001 * most


def test_masks_blank_a_stretch_of_frames_and_of_bands():
    rows = recordings(40)
    plain, masked = SPEC.prepare(rows), heard(Augmentation(mask_time=0.3, mask_bands=0.3), rows)
    gone = masked[:, 0] != plain[:, 0]
    assert (masked[:, 0][gone] == 0).all()
    frames, bands = gone.all(axis=2).sum(axis=1), gone.all(axis=1).sum(axis=1)
    assert frames.max() <= 0.3 * SPEC.shape[1] + 1
    assert bands.max() <= 0.3 * SPEC.shape[2] + 1
    assert (frames > 3).any()
    assert (bands > 2).any()


def test_made_noise_is_loud_enough_and_everywhere_the_same():
    noise = made_noise(4000)
    assert noise.shape == (12, 4000)
    assert np.abs(noise).max(axis=1).tolist() == [9830] * 12
    low = np.abs(np.fft.rfft(noise[2]))[1:40].mean() / np.abs(np.fft.rfft(noise[2]))[1000:].mean()
    assert low > 20  # brown


def test_a_row_can_be_heard_by_people():
    row = recordings(1)[0]
    made = kind_of("sounds").sound(row, SPEC)
    assert made[:4] == b"RIFF"
    assert len(made) == 44 + 2 * SPEC.samples
    assert kind_of("pictures").sound(row, SPEC) is None


def test_a_longer_throat_moves_a_tone_along_the_bands_and_keeps_its_pace():
    values = np.resize(tone(800, 0.4), (2, SPEC.samples)).astype(np.float32)
    wide = SoundSpec.made(8000, 0.4, bands=60)
    made = wide.spectrogram(np.resize(values, (2, wide.samples)))
    draws = np.full((2, 16), 0.5)
    draws[1, 11] = 1.0
    centres = band_centres(wide.mel)
    same, moved_up = warped(made, centres, draws, Augmentation(warp=0.25))
    np.testing.assert_allclose(same, made[0], atol=1e-5)
    assert centres[made[1].mean(axis=0).argmax()] == pytest.approx(800, rel=0.05)
    assert centres[moved_up.mean(axis=0).argmax()] == pytest.approx(800 / 1.25, rel=0.05)


def test_another_microphone_changes_bands_within_its_decibels_and_leaves_silence_alone():
    rows = np.repeat(recordings(1), 99, axis=0)
    made = SPEC.spectrogram(rows)
    draws = np.random.default_rng(0).random((99, 16))
    changed = toned(made, draws, Augmentation(tone=12.0))
    loud = made > np.log(1e-6) + 8
    decibels = (changed - made)[loud] / np.log(10) * 10
    assert 6 < np.abs(decibels).max() <= 12.1
    np.testing.assert_array_less(made.min() - 0.01, changed)
    empty = np.full_like(made, np.log(1e-6))
    np.testing.assert_allclose(toned(empty, draws, Augmentation(tone=12.0)), empty, atol=1e-5)
    assert np.ptp(changed - made, axis=1)[:, loud[0].all(axis=0)].max(initial=0) < 0.01


def test_a_row_can_be_seen_by_people():
    row = np.resize(tone(800, 0.4) * 32000, SPEC.samples).astype(np.int16)
    drawn = kind_of("sounds").drawn(row, SPEC)
    frames, bands = SPEC.shape[1:]
    assert (drawn.shape, drawn.dtype) == ((1, bands, frames), np.uint8)
    loudest = bands - 1 - drawn[0].mean(axis=1).argmax()
    assert band_centres(SPEC.mel)[loudest] == pytest.approx(800, rel=0.15)
    silence = kind_of("sounds").drawn(np.zeros(SPEC.samples, np.int16), SPEC)
    assert np.ptp(silence) == 0
    assert kind_of("pictures").drawn(row, SPEC) is None
