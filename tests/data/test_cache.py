import errno
import os
import shutil
import tempfile
import time

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from beak.data import array_cache as array_room
from beak.data import build as build_room
from beak.data import builtin as builtin_room
from beak.data import cache as cache_room
from beak.data import load as load_room
from beak.data import store as store_room
from beak.data.load import load_dataset
from beak.data.store import DamagedStoreError, StoreWriter, open_store, write_store
from beak.errors import DataError


def content(dataset):
    whole = dataset.together()
    return {n: whole.inputs[i].tobytes() for i, n in enumerate(whole.names)}


def lines(dataset):
    return "\n".join(dataset.report.lines())


@pytest.fixture
def decoded(monkeypatch):
    """The names that were decoded into the cache, one list for each run."""
    seen = []
    original = build_room.decoded_chunks

    def spy(found, keys, todo, spec, old, threads):
        seen.append([found.names[i] for i in todo if keys[i].tobytes() not in old])
        return original(found, keys, todo, spec, old, threads)

    monkeypatch.setattr(build_room, "decoded_chunks", spy)
    return seen


def test_the_second_start_decodes_nothing_and_gives_the_same(class_folders, decoded):
    folder = class_folders({"cat": 30, "dog": 30})
    first, second = load_dataset(folder), load_dataset(folder)
    assert len(decoded) == 1
    assert content(first) == content(second)
    assert first.fingerprint == second.fingerprint
    assert isinstance(second.parts["train"].inputs.base, np.memmap)


def test_any_number_of_threads_gives_the_same_cache(class_folders, tmp_path):
    folder, files = class_folders({"cat": 30, "dog": 30}), []
    for threads in (1, 5):
        load_dataset(folder, cache_dir=tmp_path / str(threads), threads=threads)
        files.append([p.read_bytes() for p in (tmp_path / str(threads) / "pictures").iterdir()])
    assert files[0] == files[1]


def test_an_added_file_is_the_only_one_decoded_and_moves_no_other(class_folders, decoded, picture):
    folder = class_folders({"cat": 30, "dog": 30})
    before = load_dataset(folder)
    picture(999).save(folder / "cat" / "new.png")
    after = load_dataset(folder)
    assert decoded[1] == ["cat/new.png"]
    for name, part in before.parts.items():
        assert set(part.names) <= set(after.parts[name].names)


def test_a_changed_file_is_seen(class_folders, picture):
    folder = class_folders({"cat": 10, "dog": 10})
    load_dataset(folder)
    time.sleep(0.01)
    picture(4242).save(folder / "cat" / "0003.png")
    found = content(load_dataset(folder))["cat/0003.png"]
    assert found == np.asarray(picture(4242)).transpose(2, 0, 1).tobytes()


def test_a_moved_folder_uses_the_same_cache(class_folders, decoded):
    folder = class_folders({"cat": 30, "dog": 30})
    load_dataset(folder)
    shutil.move(folder, folder.parent / "elsewhere")
    load_dataset(folder.parent / "elsewhere")
    assert len(decoded) == 1


def test_a_removed_file_is_forgotten(class_folders):
    folder = class_folders({"cat": 20, "dog": 20})
    load_dataset(folder)
    (folder / "cat" / "0003.png").unlink()
    dataset = load_dataset(folder)
    assert "cat/0003.png" not in content(dataset)
    assert "cat/0003.png" not in lines(dataset)


def test_a_file_that_vanishes_while_it_is_read_is_named(class_folders, monkeypatch, tmp_path):
    folder = class_folders({"cat": 20, "dog": 20})
    original = cache_room.build_store

    def build(*arguments):
        (folder / "cat" / "0003.png").rename(tmp_path / "aside.png")
        return original(*arguments)

    monkeypatch.setattr(cache_room, "build_store", build)
    dataset = load_dataset(folder)
    assert "cat/0003.png: the file is not there (any more)" in lines(dataset)
    assert len(content(dataset)) == 39
    monkeypatch.undo()
    monkeypatch.setenv("BEAK_CACHE", os.environ.get("BEAK_CACHE", str(tmp_path / "c")))
    (tmp_path / "aside.png").rename(folder / "cat" / "0003.png")
    assert len(content(load_dataset(folder))) == 40


@pytest.mark.parametrize("place", [0, 20, 70, 5000, -10, -400])
@pytest.mark.parametrize("how", ["flip", "cut", "empty"])
def test_a_damaged_cache_is_made_again_and_said(class_folders, cache, place, how):
    folder = class_folders({"cat": 30, "dog": 30})
    wanted = content(load_dataset(folder))
    path = next((cache / "pictures").iterdir())
    data = bytearray(path.read_bytes())
    data[place] ^= 0x55
    path.write_bytes(data if how == "flip" else data[: place or 30] if how == "cut" else b"")
    dataset = load_dataset(folder)
    assert content(dataset) == wanted
    assert "was made again" in lines(dataset)
    assert "was made again" not in lines(load_dataset(folder))


def test_a_damaged_manifest_is_made_again(class_folders, cache):
    folder = class_folders({"cat": 30, "dog": 30})
    wanted = content(load_dataset(folder))
    path = next((cache / "manifests").iterdir())
    for damage in (b"", b"BEAKDATA" + bytes(100), path.read_bytes()[:-1]):
        path.write_bytes(damage)
        assert content(load_dataset(folder)) == wanted


def test_a_full_disk_is_one_clear_line_and_leaves_nothing(class_folders, cache, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(store_room.os, "posix_fallocate", full)
    with pytest.raises(DataError, match=r"the disk is full.*BEAK_CACHE") as error:
        load_dataset(class_folders({"cat": 30, "dog": 30}))
    assert "\n" not in str(error.value)
    assert list((cache / "pictures").iterdir()) == []


def save_npz(folder):
    pixels = np.random.default_rng(1).integers(0, 256, (40, 8, 8), dtype=np.uint8)
    folder.mkdir()
    np.savez(folder / "set.npz", x=pixels, y=np.arange(40) % 2)
    return folder / "set.npz"


def kept_notes(dataset):
    return [f.text for f in dataset.report.notes if "cannot write the cache" in f.text]


@pytest.mark.parametrize("kind", ["folders", "arrays"])
def test_where_the_cache_cannot_be_written_it_goes_on_and_says_so(
    class_folders, tmp_path, monkeypatch, kind
):
    folder = class_folders({"cat": 30, "dog": 30})
    source = folder if kind == "folders" else save_npz(tmp_path / "arrays")
    wanted = content(load_dataset(source))
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "aside").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "aside"))
    dataset = load_dataset(source, cache_dir=tmp_path / "file")
    (told,) = kept_notes(dataset)
    assert "Not a directory; choose another folder with BEAK_CACHE; until then" in told
    assert "was made again" not in lines(dataset)
    assert list((tmp_path / "aside").iterdir()) == []
    assert isinstance(dataset.parts["train"].inputs.base, np.memmap)
    assert content(dataset) == wanted


def test_without_a_home_it_goes_on_and_says_so(class_folders, tmp_path, monkeypatch):
    def unknown():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("BEAK_CACHE", raising=False)
    monkeypatch.setattr(load_room.Path, "home", unknown)
    monkeypatch.setattr(builtin_room, "NO_HOME", tmp_path / "file" / "home")
    (tmp_path / "file").touch()
    dataset = load_dataset(class_folders({"cat": 30, "dog": 30}))
    assert "choose another folder with BEAK_CACHE; until then" in kept_notes(dataset)[0]


def test_where_nothing_at_all_can_be_written_is_one_clear_line(
    class_folders, tmp_path, monkeypatch
):
    folder = class_folders({"cat": 30, "dog": 30})
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    with pytest.raises(DataError, match="cannot write the cache in .*file.*BEAK_CACHE") as error:
        load_dataset(folder, cache_dir=tmp_path / "file")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("kind", ["pictures", "arrays", "manifests"])
def test_a_folder_in_place_of_a_cache_file_is_answered(class_folders, tmp_path, cache, kind):
    folder = class_folders({"cat": 30, "dog": 30})
    source = save_npz(tmp_path / "arrays") if kind == "arrays" else folder
    wanted = content(load_dataset(source))
    (path,) = (cache / kind).iterdir()
    path.unlink()
    path.mkdir()
    dataset = load_dataset(source)
    (told,) = kept_notes(dataset)
    assert f"{path.name} is a folder" in told
    assert "was made again" not in lines(dataset)
    assert content(dataset) == wanted
    assert [p.name for p in (cache / kind).iterdir()] == [path.name]


@pytest.mark.parametrize("kind", ["folders", "arrays"])
def test_where_only_the_list_of_files_cannot_be_written_the_cache_is_used(
    class_folders, tmp_path, cache, monkeypatch, kind
):
    folder = class_folders({"cat": 30, "dog": 30})
    source = folder if kind == "folders" else save_npz(tmp_path / "arrays")
    wanted = content(load_dataset(source))
    shutil.rmtree(cache / "manifests")
    (cache / "manifests").write_text("in the way")
    monkeypatch.setattr(cache_room, "build_store", None)
    monkeypatch.setattr(array_room, "_build", None)
    dataset = load_dataset(source)
    assert len(kept_notes(dataset)) == 1
    assert content(dataset) == wanted


def test_progress_counts_to_the_end(class_folders):
    seen = []
    load_dataset(class_folders({"a": 200, "b": 200}), progress=lambda *done: seen.append(done))
    assert seen[-1] == (400, 400)
    assert len(seen) > 1
    assert all(whole == 400 for _, whole in seen)


def test_looking_through_a_large_tree_is_told(class_folders):
    folder, seen = class_folders({"a": 20, "b": 20}), []
    for sub in "xyz":
        (folder / "a" / sub).mkdir()
        for i in range(700):
            (folder / "a" / sub / f"{i}.txt").touch()
    load_dataset(folder, progress=lambda *done: seen.append(done))
    assert seen == [(23 + 1400, 0), (23 + 2100, 0), (40, 40)]


def test_an_interrupted_writer_leaves_nothing(tmp_path):
    def interrupted():
        with StoreWriter(tmp_path / "a.beak") as writer:
            writer.add("x", np.arange(10))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []


arrays = st.dictionaries(
    st.text("abc", min_size=1, max_size=3),
    st.tuples(st.sampled_from(["|u1", "<i4", "<i8", "<f4"]), st.integers(0, 40), st.integers(0, 5)),
    max_size=4,
)


@given(arrays, st.integers(0, 2**40), st.integers(1, 255))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_store_comes_back_as_written_and_any_flipped_byte_is_found(tmp_path, shapes, place, flip):
    draw = np.random.default_rng(place)
    written = {n: draw.integers(0, 100, (a, b)).astype(t) for n, (t, a, b) in shapes.items()}
    path = tmp_path / "a.beak"
    write_store(path, {"word": "x"}, written)
    store = open_store(path)
    assert store.info == {"word": "x"}
    for name, values in written.items():
        np.testing.assert_array_equal(store.arrays[name], values)
        assert store.arrays[name].dtype == values.dtype
    data = bytearray(path.read_bytes())
    data[place % len(data)] ^= flip
    path.write_bytes(data)
    try:
        again = open_store(path)
    except DamagedStoreError:
        return
    # what is found undamaged must be undamaged: the flip hit the unused rest between sections
    for name, values in written.items():
        np.testing.assert_array_equal(again.arrays[name], values)


@given(st.binary(max_size=400), st.booleans())
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_hostile_store_is_refused(tmp_path, data, good_start):
    path = tmp_path / "a.beak"
    path.write_bytes(b"BEAKDATA\1\0\0\0" * good_start + data)
    with pytest.raises(DamagedStoreError):
        open_store(path)


def test_an_index_that_lies_is_refused(tmp_path):
    path = tmp_path / "a.beak"
    lies = [
        {"place": -8}, {"place": 10**30}, {"shape": [10**18]}, {"shape": [-1]}, {"type": "|O"},
        {"type": "<U9"}, {"sums": []}, {"shape": [10, True]}, {"place": "64"}, {"sums": None},
    ]  # fmt: skip
    for lie in lies:
        with StoreWriter(path) as writer:
            writer.add("x", np.arange(10))
            writer.sections["x"] |= lie
            writer.finish({})
        with pytest.raises(DamagedStoreError):
            open_store(path)


def test_a_store_that_is_replaced_while_it_is_opened_stays_whole(tmp_path, monkeypatch):
    path, newer, original = tmp_path / "a.beak", tmp_path / "b.beak", store_room._index
    write_store(path, {}, {"x": np.arange(10)})
    write_store(newer, {}, {"x": np.arange(10) * 3})

    def replaced(file, size):
        newer.replace(path)
        return original(file, size)

    monkeypatch.setattr(store_room, "_index", replaced)
    np.testing.assert_array_equal(open_store(path).arrays["x"], np.arange(10))


def test_large_arrays_are_checked_in_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr(store_room, "BLOCK", 1000)
    values = np.random.default_rng(0).integers(0, 256, (77, 91), dtype=np.uint8)
    with StoreWriter(tmp_path / "a.beak") as writer:
        writer.start("x", "|u1", (91,))
        for first in range(0, 77, 10):
            writer.append(values[first : first + 10])
        writer.end()
        writer.finish({})
    np.testing.assert_array_equal(open_store(tmp_path / "a.beak").arrays["x"], values)
    data = bytearray((tmp_path / "a.beak").read_bytes())
    data[64 + 5555] ^= 1
    (tmp_path / "a.beak").write_bytes(data)
    with pytest.raises(DamagedStoreError, match="content"):
        open_store(tmp_path / "a.beak")
