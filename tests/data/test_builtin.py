"""The built-in sets, and the real archives where they are."""

import hashlib
import io
import tarfile
import time

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from beak.data import builtin as builtin_room
from beak.data.arrays import idx_member, npz_parts
from beak.data.builtin import BUILTIN, CIFAR_BATCHES
from beak.data.load import load_dataset
from beak.data.picture_augment import DRAWINGS
from beak.errors import DataError, UsageError


def sizes(dataset):
    return {name: len(part) for name, part in dataset.parts.items()}


def test_digits_come_with_the_package():
    dataset = load_dataset("digits")
    assert dataset.labels == tuple("0123456789")
    assert dataset.spec.shape == (1, 28, 28)
    assert sum(sizes(dataset).values()) == 1797
    assert np.abs(np.array([*sizes(dataset).values()]) / 1797 - [0.8, 0.1, 0.1]).max() < 0.03
    whole = dataset.together()
    assert np.bincount(whole.labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert (whole.inputs[:].min(), whole.inputs[:].max()) == (0, 255)
    assert dataset.augmentation == DRAWINGS
    assert dataset.report.warnings == ()


def test_a_run_named_like_a_set_does_not_hide_the_set(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "digits").mkdir()
    (tmp_path / "digits" / "recipe.toml").write_text("")  # beak train digits --out digits
    assert sum(sizes(load_dataset("digits")).values()) == 1797
    with pytest.raises(UsageError, match=r"\./digits: a run .*, not a source of examples"):
        load_dataset("./digits")


def test_digits_are_scikit_learns_enlarged():
    bunch = pytest.importorskip("sklearn.datasets").load_digits()
    whole = load_dataset("digits").together()
    number = {name: i for i, name in enumerate(whole.names)}
    for i in (0, 17, 1796):
        small = bunch.images[i] * 255 / 16
        place = number[f"digits[{i}]"]
        assert whole.labels[place] == bunch.target[i]
        block = whole.inputs[place][0].astype(float)
        middles = block[np.ix_(np.arange(8) * 28 // 8 + 1, np.arange(8) * 28 // 8 + 1)]
        assert np.corrcoef(middles.ravel(), small.ravel())[0, 1] > 0.97


def cifar_archive(path, batches=None, seed=0):
    draw = np.random.default_rng(seed)
    held = {}
    with tarfile.open(path, "w:gz") as archive:
        for name in CIFAR_BATCHES:
            records = draw.integers(0, 256, (20, 3073), dtype=np.uint8)
            records[:, 0] = np.arange(20) % 10
            held[name] = records
            data = (batches or {}).get(name, records.tobytes())
            info = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return held


def test_cifar10_is_read_from_its_archive_and_from_its_folder(tmp_path):
    held = cifar_archive(tmp_path / "cifar-10-binary.tar.gz")
    first = load_dataset("cifar10", data_dir=tmp_path)
    assert first.labels == BUILTIN["cifar10"].labels
    assert sizes(first)["test"] == 20
    test = held["test_batch.bin"]
    np.testing.assert_array_equal(first.parts["test"].inputs[:].reshape(20, -1), test[:, 1:])
    (tmp_path / "cifar-10-binary.tar.gz").unlink()
    for name, records in held.items():
        (tmp_path / name).write_bytes(records.tobytes())
    second = load_dataset("cifar10", data_dir=tmp_path)
    assert second.fingerprint == first.fingerprint


@pytest.mark.parametrize(
    ("batches", "said"),
    [
        ({"data_batch_2.bin": b"x" * 100}, "no records"),
        ({"data_batch_2.bin": b"\x63" * 3073}, "labels beyond 9"),
        ({"test_batch.bin": b""}, "no records"),
    ],
)
def test_a_damaged_cifar10_is_one_line(tmp_path, batches, said):
    cifar_archive(tmp_path / "cifar-10-binary.tar.gz", batches)
    with pytest.raises(DataError, match=said):
        load_dataset("cifar10", data_dir=tmp_path)
    (tmp_path / "cifar-10-binary.tar.gz").write_bytes(b"\x1f\x8bnothing")
    with pytest.raises(DataError, match="damaged or cut short"):
        load_dataset("cifar10", data_dir=tmp_path)


def test_mnists_sums_are_those_of_the_originals(real):
    for file in BUILTIN["mnist"].files:
        data = (real("mnist") / file.name).read_bytes()
        assert hashlib.sha256(data).hexdigest() == file.sha256
        assert len(data) == file.size


def test_mnist_from_a_data_dir_and_as_a_plain_folder(real):
    dataset = load_dataset("mnist", data_dir=real("mnist").parent)
    assert sizes(dataset)["test"] == 10_000
    assert sum(sizes(dataset).values()) >= 69_990
    assert dataset.labels == tuple("0123456789")
    assert dataset.spec.mean == pytest.approx((0.1307,), abs=5e-4)
    assert dataset.spec.std == pytest.approx((0.3081,), abs=5e-4)
    assert dataset.augmentation == DRAWINGS
    assert load_dataset(real("mnist")).fingerprint == dataset.fingerprint
    began = time.process_time()
    load_dataset("mnist", data_dir=real("mnist").parent)
    assert time.process_time() - began < 1


def test_fashion_mnist_is_not_taken_from_mnists_files(real, monkeypatch):
    assert builtin_room.local_files(BUILTIN["fashion-mnist"], real("mnist")) == []
    assert len(builtin_room.local_files(BUILTIN["mnist"], real("mnist"))) == 4


@pytest.mark.slow
def test_sixty_thousand_jpegs_start_in_under_a_second_the_second_time(real):
    dataset = load_dataset(real("cifar10-jpeg"))
    assert sizes(dataset)["test"] == 10_000
    assert sum(sizes(dataset).values()) == 60_000
    assert dataset.spec.shape == (3, 32, 32)
    assert dataset.spec.mean == pytest.approx((0.4913, 0.4821, 0.4465), abs=2e-3)
    assert "lossless-first-4000" in "\n".join(dataset.report.lines())
    times = []
    for _ in range(3):
        began = time.process_time()
        load_dataset(real("cifar10-jpeg"))
        times.append(time.process_time() - began)
    assert min(times) < 1


@pytest.mark.slow
def test_cats_and_dogs(real):
    dataset = load_dataset(real("cats-dogs-a"))
    assert dataset.labels == ("cats", "dogs")
    assert sum(sizes(dataset).values()) == 1399
    assert dataset.spec.shape == (3, 64, 64)
    assert dataset.augmentation.flip
    assert [len(fold.parts["test"]) for fold in dataset.folds(5)] == [280, 280, 280, 280, 279]


hostile = st.binary(max_size=200)


@given(hostile, st.booleans(), st.sampled_from(["a-idx3-ubyte", "a-idx3-ubyte.gz"]))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_hostile_idx_file_is_one_line(tmp_path, data, started, name):
    path = tmp_path / name
    path.write_bytes(b"\0\0\x08\x03" * started + data)
    try:
        member = idx_member(path)
        values = member.read()
        assert values.shape == member.shape
    except DataError as error:
        text = str(error)
        assert "\n" not in text


def test_an_idx_header_that_promises_too_much_takes_no_memory(tmp_path):
    (tmp_path / "a-idx3-ubyte").write_bytes(b"\0\0\x08\x03" + b"\xff" * 12 + b"x" * 100)
    with pytest.raises(DataError, match="its header speaks of"):
        idx_member(tmp_path / "a-idx3-ubyte")


@given(st.integers(0, 2000), st.integers(1, 255), st.integers(0, 2000))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_npz_is_one_line_or_right(tmp_path, place, flip, cut):
    path = tmp_path / "a.npz"
    x = np.arange(5 * 4 * 4, dtype=np.uint8).reshape(5, 4, 4)
    np.savez_compressed(path, x=x, y=np.arange(5))
    data = bytearray(path.read_bytes())
    data[place % len(data)] ^= flip
    path.write_bytes(data[: max(1, len(data) - (cut if cut < 200 else 0))])
    try:
        parts = npz_parts(path)
        assert parts[0].inputs.read().shape[0] == 5
    except DataError as error:
        text = str(error)
        assert "\n" not in text
