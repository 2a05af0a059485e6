"""Archives as sources: what they hold, what stays in them, what is said of broken ones."""

from __future__ import annotations

import io
import os
import tarfile
import zipfile
from pathlib import PurePosixPath

import numpy as np
import pytest
from PIL import Image

from beak.data import archives
from beak.data.load import load_dataset
from beak.errors import DataError, UsageError


def picture(value):
    held = io.BytesIO()
    Image.fromarray(np.full((8, 8), value, np.uint8)).save(held, "PNG")
    return held.getvalue()


def photographs(top=""):
    """40 pictures in two class folders: dark cats, bright dogs."""
    return {
        f"{top}{label}/{i}.png": picture(at + i)
        for label, at in (("cat", 10), ("dog", 200))
        for i in range(20)
    }


def packed_tar(path, files, mode="w:gz"):
    with tarfile.open(path, mode) as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return path


def packed_zip(path, files):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def unpacked_folder(path, files):
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path


@pytest.mark.parametrize("top", ["", "photos/", "a/b/c/d/"])
@pytest.mark.parametrize("name", ["photos.zip", "photos.tar", "photos.tar.gz", "photos.tar.xz"])
def test_an_archive_is_the_folder_that_it_holds(tmp_path, top, name):
    folder = unpacked_folder(tmp_path / "photos", photographs())
    modes = {"photos.tar": "w", "photos.tar.gz": "w:gz", "photos.tar.xz": "w:xz"}
    litter = {"__MACOSX/._x": b"?", f"{top}cat/.DS_Store": b"?"}
    files = {**photographs(top), **litter}
    path = tmp_path / name
    if name in modes:
        packed_tar(path, files, modes[name])
    else:
        packed_zip(path, files)
    plain, packed = (load_dataset(p, cache_dir=tmp_path / "cache") for p in (folder, path))
    assert packed.name == "photos"
    assert packed.fingerprint == plain.fingerprint
    assert packed.labels == ("cat", "dog")
    assert packed.report.lines() == plain.report.lines()


def test_it_is_unpacked_once_and_again_when_it_changes(tmp_path, monkeypatch):
    path = packed_zip(tmp_path / "photos.zip", photographs())
    load_dataset(path, cache_dir=tmp_path / "cache")
    with monkeypatch.context() as m:
        m.setattr(archives, "_make", lambda *a: pytest.fail("unpacked a second time"))
        load_dataset(path, cache_dir=tmp_path / "cache")
    packed_zip(path, {**photographs(), "cat/new.png": picture(99)})
    made = load_dataset(path, cache_dir=tmp_path / "cache")
    assert len(made.together()) == 41


def test_parts_in_an_archive_stay_parts(tmp_path):
    files = {**photographs("set/train/"), "set/test/cat/x.png": picture(60)}
    made = load_dataset(packed_tar(tmp_path / "s.tgz", files), cache_dir=tmp_path / "cache")
    assert len(made.parts["test"].labels) == 1
    only = packed_tar(tmp_path / "t.tgz", photographs("set/train/"))
    told = load_dataset(only, cache_dir=tmp_path / "cache")
    folder = unpacked_folder(tmp_path / "set", photographs("train/"))
    plain = load_dataset(folder, cache_dir=tmp_path / "cache")
    assert {n: len(p.labels) for n, p in told.parts.items()} == {
        n: len(p.labels) for n, p in plain.parts.items()
    }


@pytest.mark.parametrize(
    ("names", "archive", "around"),
    [
        (["set/train/cat/a.png", "set/train/dog/b.png"], "", "set"),
        (["train/cat/a.png", "train/dog/b.png"], "train", "train"),
        (["cat/a.png", "cats/b.png"], "", "."),
        (["a/b/c.png", "a/c.png", "__MACOSX/x", "../d.png"], "", "a"),
        ([], "", "."),
    ],
)
def test_the_folders_around_everything_but_parts(names, archive, around):
    assert archives._around(names, archive) == PurePosixPath(around)


def test_links_in_a_zip_are_left_out(tmp_path):
    path = packed_zip(tmp_path / "a.zip", photographs())
    link = zipfile.ZipInfo("cat/link.png")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(link, "/etc/passwd")
    made = load_dataset(path, cache_dir=tmp_path / "cache")
    assert len(made.together()) == 40
    assert any(f.files == ("cat/link.png",) for f in made.report.findings)


def test_a_folder_of_archives_has_a_folder_for_each(tmp_path):
    place = tmp_path / "pets"
    place.mkdir()
    for label in ("cat", "dog"):
        files = {n: c for n, c in photographs().items() if n.startswith(label)}
        packed_zip(place / f"{label}.zip", files)
    made = load_dataset(place, cache_dir=tmp_path / "cache")
    assert made.labels == ("cat", "dog")
    parts = tmp_path / "parts"
    parts.mkdir()
    packed_zip(parts / "train.zip", photographs("train/"))
    packed_zip(parts / "test.zip", {"test/cat/x.png": picture(60), "test/dog/x.png": picture(61)})
    made = load_dataset(parts, cache_dir=tmp_path / "cache")
    assert made.labels == ("cat", "dog")
    assert len(made.parts["test"].labels) == 2


def test_tables_sentences_and_sounds_come_out_of_archives_too(tmp_path):
    lines = "".join(f"good film number {i},pos\nbad film number {i},neg\n" for i in range(30))
    path = packed_zip(tmp_path / "reviews.zip", {"reviews.csv": b"text,label\n" + lines.encode()})
    made = load_dataset(path, cache_dir=tmp_path / "cache")
    assert made.kind == "texts"
    assert made.labels == ("neg", "pos")


def test_nothing_leads_out_of_an_archive(tmp_path):
    path = tmp_path / "evil.tar"
    with tarfile.open(path, "w") as archive:
        for name, content in photographs().items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
        for name in ("../out.png", "/tmp/out.png", "cat/../../out.png", "cat\\..\\out.png"):
            entry = tarfile.TarInfo(name)
            entry.size = 4
            archive.addfile(entry, io.BytesIO(b"evil"))
        for kind, to in ((tarfile.SYMTYPE, "/etc"), (tarfile.LNKTYPE, "/etc/passwd")):
            entry = tarfile.TarInfo(f"cat/link-{kind.decode()}.png")
            entry.type, entry.linkname = kind, to
            archive.addfile(entry)
        entry = tarfile.TarInfo("cat/pipe.png")
        entry.type = tarfile.FIFOTYPE
        archive.addfile(entry)
    made = load_dataset(path, cache_dir=tmp_path / "cache")
    assert len(made.together()) == 40
    (note,) = [f for f in made.report.findings if "links, devices" in f.text]
    assert len(note.files) == 7
    written = {p.name for p in tmp_path.rglob("*")}
    assert not {name for name in written if "out" in name and name != "left-out"}
    assert not any(p.is_symlink() for p in tmp_path.rglob("*"))


def test_a_name_that_is_a_file_and_a_folder_is_left_out(tmp_path):
    files = {**photographs(), "cat/0.png/inside.png": picture(3), "cat/" + "x" * 300: b"?"}
    made = load_dataset(packed_tar(tmp_path / "a.tar", files), cache_dir=tmp_path / "cache")
    assert len(made.together()) == 40


@pytest.mark.parametrize("keep", [0, 10, 0.31, 0.87])
@pytest.mark.parametrize("name", ["a.zip", "a.tar.gz", "a.tar"])
def test_a_damaged_archive_is_said_in_a_line_and_leaves_nothing(tmp_path, name, keep):
    path = tmp_path / name
    files = {n: c + os.urandom(2000) for n, c in photographs().items()}
    if name == "a.zip":
        packed_zip(path, files)
    else:
        packed_tar(path, files, "w" if name == "a.tar" else "w:gz")
    whole = path.read_bytes()
    path.write_bytes(whole[: keep if isinstance(keep, int) else int(len(whole) * keep)])
    with pytest.raises(DataError, match=rf"{name}: damaged, or packed in a way") as caught:
        load_dataset(path, cache_dir=tmp_path / "cache")
    assert "\n" not in str(caught.value)
    assert not list((tmp_path / "cache" / "unpacked").iterdir())


def test_what_is_too_large_for_the_disk_is_refused(tmp_path):
    path = tmp_path / "bomb.tar"
    with tarfile.open(path, "w") as archive:
        entry = tarfile.TarInfo("cat/a.png")
        entry.size = 1 << 60
        path.write_bytes(b"")
        archive.fileobj.write(entry.tobuf())
        archive.fileobj.write(b"\0" * 20480)
    with pytest.raises(DataError, match=r"cannot be unpacked into .* \(no space left.*make room"):
        load_dataset(path, cache_dir=tmp_path / "cache", kind="pictures")
    assert not list((tmp_path / "cache" / "unpacked").iterdir())


def test_what_is_wrong_inside_is_said_of_the_archive(tmp_path):
    path = packed_zip(tmp_path / "empty.zip", {})
    with pytest.raises(DataError, match=r"empty\.zip: no pictures") as caught:
        load_dataset(path, cache_dir=tmp_path / "cache")
    assert "unpacked" not in str(caught.value)


def test_other_packers_are_refused_with_what_is_read(tmp_path):
    path = tmp_path / "photos.7z"
    path.write_bytes(b"7z\xbc\xaf\x27\x1c")
    with pytest.raises(UsageError, match=r"unpack it, or give a .zip or .tar.gz"):
        load_dataset(path)
