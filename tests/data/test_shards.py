"""Shards of WebDataset: samples in tar files, read where they lie."""

from __future__ import annotations

import io
import os
import tarfile
import tracemalloc

import numpy as np
import pytest
from PIL import Image

from beak.data.load import load_dataset
from beak.data.pictures import SUFFIXES
from beak.data.shards import find_samples, shards_at
from beak.errors import DataError, UsageError
from tests.data.sound_files import bytes_of, tone


def picture(value):
    held = io.BytesIO()
    Image.fromarray(np.full((8, 8), value, np.uint8)).save(held, "PNG")
    return held.getvalue()


def samples(numbers):
    """Pictures of one value each: odd ones are cats, even ones dogs."""
    files = {}
    for i in numbers:
        files[f"{i:03}.png"] = picture(i)
        files[f"{i:03}.json"] = b"{}"
        files[f"{i:03}.cls"] = b"cat" if i % 2 else b"dog\n"
    return files


def packed(path, files):
    with tarfile.open(path, "w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return path


@pytest.fixture
def shards(tmp_path):
    place = tmp_path / "set"
    place.mkdir()
    for part, numbers in (("train-00", range(20)), ("train-01", range(20, 60)), ("val-00", (77,))):
        packed(place / f"{part}.tar", samples(numbers))
    return place


def values_of(dataset):
    return np.asarray(dataset.together().inputs)[:, 0, 0, 0]


def test_a_folder_of_shards_is_a_source(shards, tmp_path):
    made = load_dataset(shards, cache_dir=tmp_path / "cache")
    assert made.labels == ("cat", "dog")
    assert made.name == "set"
    pixels = values_of(made)
    assert sorted(pixels) == [*range(60), 77]
    assert np.array_equal(np.array(made.labels)[made.together().labels] == "cat", pixels % 2 == 1)
    assert list(made.parts["validation"].names) == ["val-00.tar/077.png"]
    assert not (tmp_path / "cache" / "unpacked").exists()


def test_a_range_of_shards_and_a_shard_alone(shards, tmp_path):
    some = load_dataset(shards / "train-{00..01}.tar", cache_dir=tmp_path / "cache")
    assert sorted(values_of(some)) == [*range(60)]
    alone = load_dataset(shards / "train-01.tar", cache_dir=tmp_path / "cache")
    assert sorted(values_of(alone)) == [*range(20, 60)]
    with pytest.raises(UsageError, match=r"a range of more than 1,000,000 shards"):
        load_dataset(shards / "train-{0..99999999999}.tar", cache_dir=tmp_path / "cache")
    with pytest.raises(UsageError, match=r"train-02.tar of the 3 is not there"):
        load_dataset(shards / "train-{00..02}.tar", cache_dir=tmp_path / "cache")


def test_a_shard_that_is_written_again_is_read_again(shards, tmp_path):
    load_dataset(shards, cache_dir=tmp_path / "cache")
    before = os.stat(shards / "train-00.tar")
    packed(shards / "train-00.tar", samples(range(100, 120)))
    os.utime(shards / "train-00.tar", ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    made = load_dataset(shards, cache_dir=tmp_path / "cache")
    assert sorted(values_of(made)) == [*range(20, 60), 77, *range(100, 120)]


def test_a_sample_without_a_class_is_named_and_a_bad_class_refused(tmp_path):
    files = {**samples(range(40)), "zz.png": picture(5), "yy.cls": b"cat", "xx.txt": b"?"}
    made = load_dataset(packed(tmp_path / "a.tar", files), cache_dir=tmp_path / "cache")
    assert len(made.together()) == 40
    (told,) = [f for f in made.report.warnings if "without a class" in f.text]
    assert told.files == ("a.tar/zz.png", "a.tar/yy", "a.tar/xx")
    for bad in (b"a\nb", b"x" * 300):
        path = packed(tmp_path / "b.tar", {**files, "010.cls": bad})
        with pytest.raises(DataError, match=r"b.tar: the class of 010 is .* a name or a number"):
            load_dataset(path, cache_dir=tmp_path / "cache")


def test_of_a_damaged_shard_what_stands_before_the_damage_is_taken(shards, tmp_path):
    path = shards / "train-01.tar"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2 + 300])
    made = load_dataset(shards, cache_dir=tmp_path / "cache")
    assert 30 <= len(made.together()) < 60
    assert any("train-01.tar" in line for line in made.report.lines())
    path.write_bytes(whole[:100])
    made = load_dataset(shards, cache_dir=tmp_path / "cache")
    assert len(made.together()) == 21


def test_a_picture_that_the_shard_cuts_is_named(tmp_path):
    path = packed(tmp_path / "a.tar", samples(range(40)))
    whole = path.read_bytes()
    path.write_bytes(whole[: whole.rindex(b"\x89PNG") + 20])
    made = load_dataset(path, cache_dir=tmp_path / "cache")
    assert sorted(values_of(made)) == [*range(39)]


def test_sounds_come_from_shards_too(tmp_path):
    files = {}
    for i in range(24):
        files[f"{i}.wav"] = bytes_of(tone(300 + 40 * i, 0.1))
        files[f"{i}.cls"] = b"high" if i > 11 else b"low"
    made = load_dataset(packed(tmp_path / "tones.tar", files), cache_dir=tmp_path / "cache")
    assert made.kind == "sounds"
    assert made.labels == ("high", "low")
    assert len(made.together()) == 24


def test_many_samples_are_found_in_little_memory(tmp_path):
    """What is kept of a sample is its name and three numbers, whatever its size."""
    path = tmp_path / "many.tar"
    with tarfile.open(path, "w") as archive:
        for i in range(3000):
            for ending, content in (("png", b"?" * 2000), ("cls", b"cat")):
                entry = tarfile.TarInfo(f"{i}.{ending}")
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
    assert shards_at(path) == [path]
    find_samples([path], frozenset(SUFFIXES), "pictures")  # what is loaded once is not counted
    tracemalloc.start()
    found = find_samples([path], frozenset(SUFFIXES), "pictures")
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(found.names) == 3000
    assert most < 3000 * 400
