from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from beak.errors import RunError
from beak.runs.files import read_arrays, read_header, write_arrays, write_whole
from beak.runs.safe import one_line
from tests.small_disk import small_disk

KINDS = st.sampled_from(["<f4", "<f8", "<i4", "<i8", "<u4", "<u8", "u1"])
ARRAYS = st.dictionaries(
    st.text(min_size=1, max_size=20),
    KINDS.flatmap(
        lambda kind: hnp.arrays(
            kind, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)
        )
    ),
    max_size=5,
)
LOVELY = {
    "b.weight": np.arange(6, dtype=np.float32).reshape(2, 3),
    "a": np.array([1.5, -0.0, np.nan]),
}


@given(
    arrays=ARRAYS, metadata=st.dictionaries(st.text(max_size=5), st.text(max_size=9), max_size=3)
)
@settings(max_examples=60, deadline=None)
def test_what_is_written_is_read_back_to_the_last_bit(tmp_path_factory, arrays, metadata):
    path = tmp_path_factory.mktemp("a") / "x.safetensors"
    metadata.pop("sha256", None)
    arrays.pop("__metadata__", None)
    write_arrays(path, arrays, metadata)
    found, said = read_arrays(path, checksum=True)
    assert {k: (v.dtype, v.shape, v.tobytes()) for k, v in found.items()} == {
        k: (v.dtype, v.shape, v.tobytes()) for k, v in arrays.items()
    }
    assert {k: v for k, v in said.items() if k != "sha256"} == metadata


def test_the_safetensors_library_reads_what_we_write(tmp_path):
    write_arrays(tmp_path / "x.safetensors", LOVELY, {"label": "ä\n"})
    found = safetensors.numpy.load_file(tmp_path / "x.safetensors")
    assert found.keys() == LOVELY.keys()
    for name, array in LOVELY.items():
        np.testing.assert_array_equal(found[name], array)
    with safetensors.safe_open(tmp_path / "x.safetensors", "np") as file:
        assert file.metadata()["label"] == "ä\n"


def test_we_read_what_the_safetensors_library_writes(tmp_path):
    safetensors.numpy.save_file(LOVELY, tmp_path / "x.safetensors", {"who": "them"})
    found, metadata = read_arrays(tmp_path / "x.safetensors")
    assert metadata == {"who": "them"}
    for name, array in LOVELY.items():
        np.testing.assert_array_equal(found[name], array)


def test_the_same_arrays_in_another_order_give_the_same_bytes(tmp_path):
    write_arrays(tmp_path / "one", LOVELY, {"x": "1", "y": "2"})
    write_arrays(tmp_path / "two", dict(reversed(LOVELY.items())), {"y": "2", "x": "1"})
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_arrays_lie_aligned_behind_the_header(tmp_path):
    odd = {"u": np.zeros(3, np.uint8), "d": np.zeros(1), "f": np.zeros(1, np.float32)}
    write_arrays(tmp_path / "x", odd, {})
    header = read_header(tmp_path / "x")
    begin = 8 + int.from_bytes((tmp_path / "x").read_bytes()[:8], "little")
    assert begin % 8 == 0
    assert header.entries["d"].start % 8 == 0
    assert header.entries["f"].start % 4 == 0


def test_every_changed_byte_of_the_numbers_is_noticed(tmp_path):
    path = tmp_path / "x.safetensors"
    write_arrays(path, LOVELY, {})
    whole = bytearray(path.read_bytes())
    for place in range(len(whole) - 48, len(whole)):
        changed = whole.copy()
        changed[place] ^= 1
        path.write_bytes(changed)
        with pytest.raises(RunError, match="do not match their checksum"):
            read_arrays(path)


def test_weights_without_a_checksum_are_refused_only_where_one_is_wanted(tmp_path):
    safetensors.numpy.save_file(LOVELY, tmp_path / "x")
    assert read_arrays(tmp_path / "x")[0].keys() == LOVELY.keys()
    with pytest.raises(RunError, match="no checksum"):
        read_arrays(tmp_path / "x", checksum=True)


def test_a_file_of_half_precision_is_no_file_of_ours(tmp_path):
    safetensors.numpy.save_file({"h": np.zeros(2, np.float16)}, tmp_path / "x")
    with pytest.raises(RunError, match="array 'h' is of kind 'F16'"):
        read_arrays(tmp_path / "x")
    with pytest.raises(TypeError, match="float16"):
        write_arrays(tmp_path / "y", {"h": np.zeros(2, np.float16)}, {})


@pytest.mark.parametrize("kind", ["missing", "directory", "pipe", "device", "empty"])
def test_what_is_no_ordinary_file_is_told_at_once(tmp_path, kind):
    path = tmp_path / "model.safetensors"
    if kind == "directory":
        path.mkdir()
    if kind == "pipe":
        os.mkfifo(path)
    if kind == "device":
        path = Path("/dev/zero")
    if kind == "empty":
        path.touch()
    with pytest.raises(RunError) as told:
        read_arrays(path)
    assert path.name in str(told.value)
    assert "\n" not in str(told.value)


def test_a_hostile_file_name_cannot_drive_the_terminal(tmp_path):
    path = tmp_path / "a\x1b[2J\nb"
    path.write_bytes(b"12345678901234")
    with pytest.raises(RunError) as told:
        read_arrays(path)
    assert str(told.value).isprintable()
    assert len(one_line("x" * 10_000)) == 80


@pytest.mark.parametrize(
    ("number", "word"),
    [
        (errno.ENOSPC, "disk is full"),
        (errno.EDQUOT, "disk is full"),
        (errno.EACCES, "no permission"),
        (errno.EROFS, "no permission"),
        (errno.EIO, "what was there before is kept"),
    ],
)
@pytest.mark.parametrize("call", ["write", "fsync", "replace"])
def test_a_failing_disk_is_told_in_one_line_and_the_old_file_stays(
    tmp_path, monkeypatch, number, word, call
):
    path = tmp_path / "model.safetensors"
    write_whole(path, (b"old",))

    def fail(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(RunError, match=word) as told:
        write_whole(path, (b"new" * 1000,))
    monkeypatch.undo()
    assert "\n" not in str(told.value)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["model.safetensors"]


def test_a_disk_that_fills_up_midway_leaves_the_old_file(tmp_path, monkeypatch):
    path, real, written = tmp_path / "x", os.write, []

    def write(descriptor, data):
        if sum(written) > 5000:
            raise OSError(errno.ENOSPC, "No space left on device")
        written.append(real(descriptor, data[:1000]))
        return written[-1]

    write_whole(path, (b"old",))
    monkeypatch.setattr(os, "write", write)
    with pytest.raises(RunError, match="disk is full"):
        write_whole(path, (bytes(10_000),))
    assert path.read_bytes() == b"old"
    assert len(written) > 3


def test_short_writes_are_carried_on(tmp_path, monkeypatch):
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, data[:7]))
    write_whole(tmp_path / "x", (bytes(range(100)), b"", b"end"))
    assert (tmp_path / "x").read_bytes() == bytes(range(100)) + b"end"


def test_a_full_file_system_leaves_the_old_file(tmp_path):
    with small_disk(tmp_path / "small", 64) as disk:
        place = disk.path / "x"
        write_arrays(place, LOVELY, {})
        with pytest.raises(RunError, match="disk is full"):
            write_arrays(place, {"big": np.zeros(100_000)}, {})
        assert read_arrays(place, checksum=True)[0].keys() == LOVELY.keys()
        assert disk.files == {"x"}


def test_a_vanished_directory_is_told(tmp_path):
    with pytest.raises(RunError, match="directory is gone"):
        write_whole(tmp_path / "gone" / "x", (b"1",))


def test_a_written_file_has_the_rights_of_any_new_file(tmp_path):
    write_whole(tmp_path / "x", (b"1",))
    (tmp_path / "y").touch()
    assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == stat.S_IMODE(
        (tmp_path / "y").stat().st_mode
    )


def test_a_kill_while_writing_leaves_the_old_or_the_new_file(tmp_path):
    code = (
        "import sys, numpy as np; from pathlib import Path\n"
        "from beak.runs.files import write_arrays\n"
        "for n in range(10**6):\n"
        "    write_arrays(Path(sys.argv[1]), {'x': np.full(200_000, n)}, {'n': str(n)})\n"
        "    print(n, flush=True)\n"
    )
    for _ in range(4):
        command = [sys.executable, "-c", code, str(tmp_path / "x")]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
            for _ in range(5):
                writer.stdout.readline()
            writer.kill()
            writer.stdout.read()
        arrays, metadata = read_arrays(tmp_path / "x", checksum=True)
        assert (arrays["x"] == int(metadata["n"])).all()
