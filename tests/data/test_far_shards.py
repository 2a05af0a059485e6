"""Shards on a web server: brought, kept within bounds, and the same examples as from a disk."""

from __future__ import annotations

import numpy as np
import pytest

from beak.data import far
from beak.data.load import load_dataset
from beak.data.manifest import file_key
from beak.data.pictures import SUFFIXES
from beak.data.plain import open_plain
from beak.data.shards import find_samples
from beak.errors import DataError, UnreachableError, UsageError
from tests.data.far_server import serving
from tests.data.sound_files import bytes_of, tone
from tests.data.test_shards import packed, picture, samples


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    monkeypatch.setattr(far.time, "sleep", lambda seconds: None)
    monkeypatch.setattr(far, "_asking", ("", 0))
    place = tmp_path / "here"
    place.mkdir()
    with serving() as found:
        for i in range(4):
            path = packed(place / f"train-{i:02}.tar", samples(range(25 * i, 25 * i + 25)))
            found.files[path.name] = path.read_bytes()
        yield found


def address(shelf, last=3):
    return f"{shelf.url}/set/train-{{00..{last:02}}}.tar"


def tars(cache):
    return sorted(path.name for path in (cache / "far").glob("*/*/*.tar"))


def same(made, wanted):
    assert made.labels == wanted.labels
    assert set(made.parts) == set(wanted.parts)
    for name, part in made.parts.items():
        other = wanted.parts[name]
        assert list(part.names) == list(other.names)
        np.testing.assert_array_equal(part.labels, other.labels)
        np.testing.assert_array_equal(np.asarray(part.inputs), np.asarray(other.inputs))


def test_shards_on_a_server_give_the_examples_that_they_give_from_a_disk(shelf, tmp_path):
    made = load_dataset(address(shelf), cache_dir=tmp_path / "cache")
    here = tmp_path / "here" / "train-{00..03}.tar"
    same(made, load_dataset(here, cache_dir=tmp_path / "other"))
    assert made.name == "train"
    assert made.spec == load_dataset(here, cache_dir=tmp_path / "other").spec
    for name, data in shelf.files.items():
        assert shelf.bytes_of(name) == len(data)


def test_the_second_time_nothing_is_brought_again(shelf, tmp_path):
    first = load_dataset(address(shelf), cache_dir=tmp_path / "cache")
    for path in (tmp_path / "cache" / "far").glob("*/*/*.tar"):
        path.unlink()
    shelf.asked.clear()
    same(load_dataset(address(shelf), cache_dir=tmp_path / "cache"), first)
    # the first shard alone, which tells the kind of its files
    assert {name for _, name, _ in shelf.asked} == {"train-00.tar"}


def test_little_room_holds_few_shards_and_gives_the_same(shelf, tmp_path, monkeypatch):
    size = len(shelf.files["train-00.tar"])
    monkeypatch.setenv("BEAK_SHARDS_GB", str(1.5 * size / 1e9))
    monkeypatch.setattr("beak.data.shards.BROUGHT", 1)
    made = load_dataset(address(shelf), cache_dir=tmp_path / "cache", threads=1)
    assert len(tars(tmp_path / "cache")) == 1
    same(made, load_dataset(tmp_path / "here" / "train-{00..03}.tar", cache_dir=tmp_path / "other"))
    for name in shelf.files:  # to list it, to look at some samples, and to decode them
        assert shelf.bytes_of(name) <= 3 * size + 6 * 200


def test_of_a_shard_that_lies_far_single_samples_come_alone(shelf, tmp_path):
    folder, _ = far.far_source(address(shelf), tmp_path / "cache")
    found = find_samples(far.listed(folder), frozenset(SUFFIXES), "pictures")
    for path in far.listed(folder):
        path.unlink()
    shelf.asked.clear()
    for i in (3, 30, 31, 80):
        with open_plain(found.path(i)) as file:
            assert file.read() == picture(i)
    assert found.there(3)
    assert [count for _, _, count in shelf.asked] == [len(picture(i)) for i in (3, 30, 31, 80)]
    for i in (81, 82):
        with open_plain(found.path(i)) as file:
            assert file.read() == picture(i)
    assert tars(tmp_path / "cache") == ["train-03.tar"]
    shelf.cut["train-01.tar"] = [10]  # what comes short is not taken for the sample
    with open_plain(found.path(30)) as file:
        assert file.read() == picture(30)


@pytest.mark.parametrize("trouble", ["ranges", "heads", "tags"])
def test_a_server_without_ranges_heads_or_tags_will_do(shelf, tmp_path, trouble):
    setattr(shelf, trouble, False)
    made = load_dataset(address(shelf, 1), cache_dir=tmp_path / "cache")
    assert len(made.together()) == 50


def test_a_connection_that_breaks_is_gone_on_with(shelf, tmp_path):
    size = len(shelf.files["train-01.tar"])
    shelf.cut["train-01.tar"] = [size // 10] * 8  # more often than it is tried without progress
    made = load_dataset(address(shelf, 1), cache_dir=tmp_path / "cache")
    assert len(made.together()) == 50
    assert shelf.bytes_of("train-01.tar") == size
    shelf.ranges = False
    shelf.cut["train-02.tar"] = [size // 3]
    assert len(load_dataset(address(shelf, 2), cache_dir=tmp_path / "cache").together()) == 75
    assert shelf.bytes_of("train-02.tar") == size + size // 3


def test_what_never_comes_whole_is_one_line_and_what_came_is_kept(shelf, tmp_path):
    size = len(shelf.files["train-01.tar"])
    shelf.cut["train-01.tar"] = [size // 2, *[0] * 20]
    with pytest.raises(UnreachableError, match=r"train-01.tar: cut off after .*goes on from there"):
        load_dataset(address(shelf, 1), cache_dir=tmp_path / "cache")
    shelf.cut.clear()
    shelf.asked.clear()
    assert len(load_dataset(address(shelf, 1), cache_dir=tmp_path / "cache").together()) == 50
    assert shelf.bytes_of("train-01.tar") == size - size // 2
    assert shelf.bytes_of("train-00.tar") == 0


def test_a_shard_that_is_not_there_is_named_before_anything_is_brought(shelf, tmp_path):
    with pytest.raises(UnreachableError, match=r"/set/train-04.tar: HTTP 404 Not Found; is the"):
        load_dataset(address(shelf, 4), cache_dir=tmp_path / "cache")
    assert not shelf.asked
    assert not tars(tmp_path / "cache")


def test_a_server_that_tells_a_wrong_size_is_not_believed(shelf, tmp_path):
    shelf.said["train-01.tar"] = len(shelf.files["train-01.tar"]) + 512
    with pytest.raises(UnreachableError, match=r"train-01.tar: cut off after"):
        load_dataset(address(shelf, 1), cache_dir=tmp_path / "cache")
    assert tars(tmp_path / "cache") == ["train-00.tar"]


def test_a_shard_that_changes_is_read_again(shelf, tmp_path):
    load_dataset(address(shelf, 1), cache_dir=tmp_path / "cache")
    changed = packed(tmp_path / "new.tar", samples(range(100, 125))).read_bytes()
    shelf.files["train-01.tar"] = changed
    made = load_dataset(address(shelf, 1), cache_dir=tmp_path / "cache")
    pixels = np.asarray(made.together().inputs)[:, 0, 0, 0]
    assert sorted(pixels) == [*range(25), *range(100, 125)]
    assert "train-01.tar/100.png" in list(made.together().names)


def test_what_a_shard_holds_is_known_the_second_time_without_it(shelf, tmp_path):
    folder, _ = far.far_source(address(shelf, 1), tmp_path / "cache")
    for _ in range(2):
        found = find_samples(far.listed(folder), frozenset(SUFFIXES), "pictures")
        assert [found.key(i) for i in range(50)] == [file_key(found.path(i)) for i in range(50)]


def test_those_that_came_first_go_first(shelf, tmp_path, monkeypatch):
    monkeypatch.setenv("BEAK_SHARDS_GB", str(2.5 * len(shelf.files["train-00.tar"]) / 1e9))
    folder, _ = far.far_source(address(shelf, 2), tmp_path / "cache")
    for path in far.listed(folder):
        far.bring(path)
    assert tars(tmp_path / "cache") == ["train-01.tar", "train-02.tar"]


def test_a_shard_that_changes_while_it_is_read_ends_the_work(shelf, tmp_path):
    folder, _ = far.far_source(address(shelf, 1), tmp_path / "cache")
    shelf.files["train-01.tar"] = shelf.files["train-02.tar"]
    with pytest.raises(UnreachableError, match=r"train-01.tar: HTTP 412.*changed.*start again"):
        far.bring(folder / "train-01.tar")


def test_without_the_server_what_was_listed_before_is_taken(shelf, tmp_path):
    first = load_dataset(address(shelf, 1), cache_dir=tmp_path / "cache")
    with serving() as other:  # a port where nobody answers any more
        away = f"{other.url}/train-{{00..01}}.tar"
        other.files.update(shelf.files)
        load_dataset(away, cache_dir=tmp_path / "cache")
    made = load_dataset(away, cache_dir=tmp_path / "cache")
    same(made, first)
    assert any("no answer" in f.text and "listed before" in f.text for f in made.report.findings)
    with pytest.raises(UnreachableError, match=r"no answer \("):
        load_dataset(away, cache_dir=tmp_path / "empty")


def test_a_server_that_goes_while_samples_are_decoded_ends_the_work(shelf, tmp_path, monkeypatch):
    """Its samples are not taken for damaged ones and left out."""
    bring = far.bring
    size = len(shelf.files["train-00.tar"])
    monkeypatch.setenv("BEAK_SHARDS_GB", str(1.2 * size / 1e9))
    monkeypatch.setattr("beak.data.shards.BROUGHT", 1)
    monkeypatch.setattr("beak.data.cache.build_store", _without(shelf))
    with pytest.raises(UnreachableError, match=r"train-0\d.tar: HTTP 404"):
        load_dataset(address(shelf), cache_dir=tmp_path / "cache")
    assert far.bring is bring


def _without(shelf):
    from beak.data.build import build_store

    def build(*given):
        shelf.files.clear()
        return build_store(*given)

    return build


def test_of_a_damaged_shard_what_stands_before_the_damage_is_taken(shelf, tmp_path):
    whole = shelf.files["train-01.tar"]
    shelf.files["train-01.tar"] = whole[: len(whole) // 2 + 300]
    for _ in range(2):  # as it was read, and from what is kept of it
        made = load_dataset(address(shelf, 1), cache_dir=tmp_path / "cache")
        assert 25 < len(made.together()) < 50
        assert any("train-01.tar" in line for line in made.report.lines())


def test_sounds_come_from_a_server_too(shelf, tmp_path):
    files = {}
    for i in range(24):
        files[f"{i}.wav"] = bytes_of(tone(300 + 40 * i, 0.1))
        files[f"{i}.cls"] = b"high" if i > 11 else b"low"
    shelf.files["tones.tar"] = packed(tmp_path / "tones.tar", files).read_bytes()
    made = load_dataset(f"{shelf.url}/tones.tar", cache_dir=tmp_path / "cache")
    assert (made.kind, made.labels, len(made.together())) == ("sounds", ("high", "low"), 24)


def test_shards_of_one_name_in_several_folders_do_not_meet(shelf, tmp_path):
    shelf.files["part.tar"] = shelf.files["train-00.tar"]
    folder, _ = far.far_source(f"{shelf.url}/{{0..2}}/part.tar?key=1", tmp_path / "cache")
    assert [path.name for path in far.listed(folder)] == [f"part-{i:06}.tar" for i in range(3)]


@pytest.mark.parametrize(
    ("name", "error", "said"),
    [
        ("s3://bucket/train-{0..9}.tar", UsageError, r"s3: is not read; .*https://.*mount"),
        ("gs://bucket/a.tar", UsageError, "gs: is not read"),
        ("pipe:curl -s http://a/b.tar", UsageError, "pipe: is not read"),
        ("http://127.0.0.1:9/photos.zip", UsageError, r"only shards of WebDataset \(.tar\) are"),
        ("http://127.0.0.1:9/a.tar", UnreachableError, r"127.0.0.1:9/a.tar: no answer \("),
        ("http://127.0.0.1:9/{0..9999999}.tar", UsageError, "more than 1,000,000 shards"),
    ],
)  # fmt: skip
def test_addresses_that_are_not_read_are_one_line_with_the_way(tmp_path, name, error, said):
    with pytest.raises(error, match=said) as caught:
        load_dataset(name, cache_dir=tmp_path / "cache")
    assert "\n" not in str(caught.value)


def test_a_bound_that_is_no_number_or_too_small_is_told(shelf, tmp_path, monkeypatch):
    monkeypatch.setenv("BEAK_SHARDS_GB", "much")
    with pytest.raises(UsageError, match="BEAK_SHARDS_GB=much: gigabytes"):
        load_dataset(address(shelf), cache_dir=tmp_path / "cache")
    monkeypatch.setenv("BEAK_SHARDS_GB", "0.000001")
    with pytest.raises(UnreachableError, match="more than is kept of shards; set BEAK_SHARDS_GB"):
        load_dataset(address(shelf), cache_dir=tmp_path / "cache")


def test_a_cache_that_cannot_be_written_is_one_line(shelf, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DataError, match=r"shards cannot be kept there .*BEAK_CACHE"):
        load_dataset(address(shelf), cache_dir=tmp_path / "file")
