import threading
import time

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from beak.data.augment import Augmentation
from beak.data.batches import batches
from beak.data.dataset import Part
from beak.data.kinds import kind_of
from beak.data.picture_augment import (
    DRAWINGS,
    FEW_PHOTOGRAPHS,
    PHOTOGRAPHS,
    SMALL_PHOTOGRAPHS,
    augmented,
    suitable,
)
from beak.data.picture_spec import PictureSpec
from beak.data.rows import Rows
from beak.errors import RecipeError, UsageError

SPEC = PictureSpec("pictures", (3, 16, 12), mean=(0.4,) * 3, std=(0.3,) * 3)


def part(count=50):
    draw = np.random.default_rng(0)
    pixels = draw.integers(0, 256, (count + 7, 3, 16, 12), dtype=np.uint8)
    rows = Rows(pixels, draw.permutation(count + 7)[:count])
    return Part(rows, (np.arange(count) % 3).astype(np.int32), [str(i) for i in range(count)])


def all_of(**options):
    settings = {"seed": 3, "epoch": 2, "batch_size": 8} | options
    return list(batches(part(), SPEC, settings.pop("augmentation", FEW_PHOTOGRAPHS), **settings))


def test_an_epoch_has_every_example_once_and_a_short_last_batch():
    made = all_of()
    assert [len(b) for b in made] == [8] * 6 + [2]
    assert sorted(np.concatenate([b.examples for b in made])) == list(range(50))
    for batch in made:
        assert_array_equal(batch.labels, batch.examples % 3)
        assert batch.inputs.dtype == np.float32
        assert batch.labels.dtype == np.int32
        assert batch.examples.dtype == np.int64


def test_the_same_bytes_for_any_threads_start_and_batch_size():
    wanted = {e: x.tobytes() for b in all_of() for e, x in zip(b.examples, b.inputs, strict=True)}
    for options in ({"threads": 3}, {"start": 4}, {"batch_size": 1}, {"batch_size": 50}):
        for batch in all_of(**options):
            for example, values in zip(batch.examples, batch.inputs, strict=True):
                assert values.tobytes() == wanted[example]
    assert_array_equal(all_of(start=4)[0].examples, all_of()[4].examples)


@pytest.mark.parametrize(("together", "size"), [(1, 8), (16, 8), (24, 7), (10**6, 1)])
def test_how_many_are_prepared_in_one_go_changes_nothing(monkeypatch, together, size):
    wanted = all_of(batch_size=size)
    asked = []
    monkeypatch.setattr("beak.data.batches.TOGETHER", together)
    monkeypatch.setattr("beak.data.batches.kind_of", lambda name: Watched(kind_of(name), asked))
    for one, other in zip(all_of(batch_size=size), wanted, strict=True):
        assert one.inputs.tobytes() == other.inputs.tobytes()
        assert_array_equal(one.labels, other.labels)
        assert_array_equal(one.examples, other.examples)
    assert asked[0] == min(50, max(together // size, 1) * size)
    assert sum(asked) == 50


class Watched:
    """A kind that notes how many examples it was asked for each time."""

    def __init__(self, kind, asked):
        self.kind, self.asked = kind, asked

    def augmented(self, inputs, chosen, *others, **more):
        self.asked.append(len(chosen))
        return self.kind.augmented(inputs, chosen, *others, **more)

    def changed_labels(self, *given, **more):
        return self.kind.changed_labels(*given, **more)


def test_all_threads_prepare_only_while_the_network_waits(monkeypatch):
    used = []

    class Threads(Watched):
        def augmented(self, inputs, chosen, *others, threads, **more):
            used.append(threads)
            return super().augmented(inputs, chosen, *others, threads=threads, **more)

    monkeypatch.setattr("beak.data.batches.TOGETHER", 1)
    monkeypatch.setattr("beak.data.batches.kind_of", lambda name: Threads(kind_of(name), []))
    slow = batches(part(), SPEC, FEW_PHOTOGRAPHS, seed=0, epoch=0, batch_size=5, threads=4)
    for _ in slow:
        time.sleep(0.05)  # a network that takes longer than the data
    assert used[0] == 4
    assert used[2:] == [1] * 8


def test_another_epoch_or_seed_is_another_order_and_other_pictures():
    first = all_of()
    for options in ({"epoch": 3}, {"seed": 4}):
        other = all_of(**options)
        assert any((a.examples != b.examples).any() for a, b in zip(first, other, strict=True))
        same = {e: x for b in first for e, x in zip(b.examples, b.inputs, strict=True)}
        changed = [
            (same[e] != x).any() for b in other for e, x in zip(b.examples, b.inputs, strict=True)
        ]
        assert np.mean(changed) > 0.9


def test_without_augmentation_and_shuffle_it_is_the_prepared_part():
    for nothing in (None, Augmentation()):
        made = all_of(augmentation=nothing, shuffle=False)
        inputs = np.concatenate([b.inputs for b in made])
        assert_array_equal(inputs, SPEC.prepare(np.asarray(part().inputs)))


def test_a_given_order_is_kept():
    made = all_of(order=np.array([5, 5, 49, 0]), batch_size=3)
    assert [b.examples.tolist() for b in made] == [[5, 5, 49], [0]]


def alive():
    return [t for t in threading.enumerate() if t.name == "beak-batches"]


def test_leaving_early_ends_the_background_thread(monkeypatch):
    monkeypatch.setattr("beak.data.batches.TOGETHER", 1)  # so that something is left to do
    for batch in batches(part(), SPEC, None, seed=0, epoch=0, batch_size=2):
        assert alive()
        assert len(batch) == 2
        break
    deadline = time.monotonic() + 5
    while alive() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not alive()
    waiting = batches(part(), SPEC, None, seed=0, epoch=0, batch_size=2)
    next(waiting)
    waiting.close()
    assert not alive()


def test_an_error_while_preparing_is_raised_where_the_batch_is_wanted():
    class Broken(Rows):
        def __getitem__(self, key):
            raise OSError("the disk went away")

    broken = Part(
        Broken(np.zeros((9, 3, 16, 12), np.uint8), np.arange(9)), np.zeros(9, np.int32), []
    )
    with pytest.raises(OSError, match="went away"):
        list(batches(broken, SPEC, None, seed=0, epoch=0, batch_size=2))
    assert not alive()


def test_a_batch_size_of_nothing_is_refused():
    with pytest.raises(UsageError, match="size 0"):
        all_of(batch_size=0)


def changed(spec=SPEC, picture=None, count=400, **fields):
    pixels = np.zeros((count, *spec.shape), np.uint8) if picture is None else picture
    return augmented(pixels, np.arange(count), spec, Augmentation(**fields), seed=0, epoch=0)


BYTES = PictureSpec("pictures", (1, 21, 21), mean=(0.0,), std=(1.0,))


def dot(count=400):
    pixels = np.zeros((count, 1, 21, 21), np.uint8)
    pixels[:, 0, 10, 10] = 255
    return pixels


def centres(out):
    weights = np.maximum(out[:, 0], 0)
    rows, columns = np.mgrid[0:21, 0:21]
    total = weights.sum(axis=(1, 2))
    return (weights * rows).sum(axis=(1, 2)) / total, (weights * columns).sum(axis=(1, 2)) / total


def test_a_shift_alone_moves_by_whole_pixels():
    """So that not one of them is a mixture: in small pictures that is a blur."""
    noise = 255 * np.random.default_rng(0).integers(0, 2, (300, 1, 21, 21)).astype(np.uint8)
    out = changed(BYTES, noise, 300, shift=0.2, flip=True, outside="edge")
    assert set(np.unique(out)) == {0, 1}
    assert sum(not np.array_equal(255 * out[i], noise[i]) for i in range(300)) > 250
    assert len(np.unique(changed(BYTES, noise, 300, shift=0.2, rotate=1.0))) > 2


def test_shift_moves_up_to_its_share_each_way():
    rows, columns = centres(changed(BYTES, dot(), shift=0.2))
    for places in (rows, columns):
        assert np.abs(places - 10).max() <= 0.2 * 21 + 1e-3
        assert places.min() < 10 - 3.5
        assert places.max() > 10 + 3.5


def test_rotation_keeps_the_middle_and_scale_its_place():
    for fields in ({"rotate": 40.0}, {"scale": 0.3}, {"shear": 20.0}, {"stretch": 0.4}):
        rows, columns = centres(changed(BYTES, dot(), **fields))
        np.testing.assert_allclose(rows, 10, atol=1e-3)
        np.testing.assert_allclose(columns, 10, atol=1e-3)


def test_rotation_turns_by_up_to_its_degrees():
    pixels = np.zeros((400, 1, 21, 21), np.uint8)
    pixels[:, 0, 10, 18] = 255
    rows, columns = centres(changed(BYTES, pixels, rotate=30.0))
    angles = np.degrees(np.arctan2(rows - 10, columns - 10))
    assert 27 < angles.max() < 31
    assert -31 < angles.min() < -27
    np.testing.assert_allclose(np.hypot(rows - 10, columns - 10), 8, atol=0.2)


def test_flip_mirrors_every_second_picture():
    pixels = np.random.default_rng(0).integers(0, 256, (1, 1, 21, 21), dtype=np.uint8)
    out = changed(BYTES, np.repeat(pixels, 400, axis=0), flip=True)
    plain = BYTES.prepare(pixels)[0]
    same = np.array([np.abs(x - plain).max() < 1e-6 for x in out])
    mirrored = np.array([np.abs(x - plain[:, :, ::-1]).max() < 1e-6 for x in out])
    assert (same ^ mirrored).all()
    assert 150 < same.sum() < 250


def test_crop_never_shows_anything_outside():
    spec = PictureSpec("pictures", (1, 21, 21), background=255, mean=(0.0,), std=(1.0,))
    assert changed(spec, np.zeros((400, 1, 21, 21), np.uint8), crop=0.5).max() < 1e-5


def test_colours_change_within_their_bounds():
    grey = np.full((400, 3, 16, 12), 100, np.uint8)
    plain = PictureSpec("pictures", (3, 16, 12), mean=(0.0,) * 3, std=(1.0,) * 3)
    levels = changed(plain, grey, brightness=0.1)[:, :, 0, 0] * 255
    assert 74 < levels.min() < 78
    assert 122 < levels.max() < 126
    np.testing.assert_allclose(changed(plain, grey, saturation=0.5) * 255, 100, atol=1e-3)
    levels = changed(plain, grey, contrast=1.0)[:, 0, 0, 0] * 255
    assert 72 < levels.min() < 75
    assert 112 < levels.max() < 114


def test_erase_blanks_a_rectangle_every_second_time():
    out = changed(SPEC, np.full((400, 3, 16, 12), 255, np.uint8), erase=0.5)
    blank = (out[:, 0] == 0).sum(axis=(1, 2))
    assert 150 < (blank > 0).sum() < 250
    assert blank.max() <= 8 * 6


def test_what_suits_which_pictures():
    digits = PictureSpec("pictures", (1, 28, 28), mean=(0.1,), std=(0.3,))
    photos = PictureSpec("pictures", (3, 64, 64), mean=(0.5,) * 3, std=(0.3,) * 3)
    assert suitable(digits, "0123456789", 60_000, True) == DRAWINGS
    assert suitable(digits, "0123456789", 60_000, False) == DRAWINGS
    assert not suitable(digits, ("a", "b"), 99, True).flip
    assert suitable(photos, ("cat", "dog"), 1100, False) == FEW_PHOTOGRAPHS
    assert suitable(photos, ("cat", "dog"), 5_000, False) == PHOTOGRAPHS
    assert suitable(photos, ("cat", "dog"), 20_000, False) == PHOTOGRAPHS
    assert suitable(photos, ("cat", "dog"), 50_000, False).flip
    small = PictureSpec("pictures", (3, 32, 32), mean=(0.5,) * 3, std=(0.3,) * 3)
    assert suitable(small, ("cat", "dog"), 20_000, False) == SMALL_PHOTOGRAPHS
    assert suitable(small, ("cat", "dog"), 5_000, False) == PHOTOGRAPHS
    assert not suitable(photos, ("turn left", "turn-right"), 50_000, False).flip
    assert not suitable(photos, ("0", "1", "42"), 50_000, False).flip
    assert suitable(PictureSpec("numbers", (1, 1, 4)), ("a", "b"), 9, False).none


def test_augmentation_there_and_back_and_refusals():
    assert Augmentation.from_json(FEW_PHOTOGRAPHS.to_json()) == FEW_PHOTOGRAPHS
    for bad, said in (
        ({"flipp": True}, "did you mean 'flip'"),
        ({"shift": 2}, "not from 0 to 1"),
        ({"shift": "much"}, "must be a number"),
        ({"flip": 1}, "true or false"),
        ({"outside": "mirror"}, "no outside 'mirror'"),
    ):
        with pytest.raises(RecipeError, match=said):
            Augmentation.from_json(bad)
