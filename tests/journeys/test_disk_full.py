"""The disk is full: one line, no half file, and what was begun goes on once there is room."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx2
import pytest

import beak
from beak.cli.group import run
from tests.journeys.conftest import draw
from tests.small_disk import small_disk

QUICK = ("--network", "linear", "--no-baseline", "--seed", "3")


@pytest.fixture
def disk(tmp_path):
    with small_disk(tmp_path / "small", 256) as made:
        yield made


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    where = tmp_path_factory.mktemp("trained") / "run"
    assert run(["train", "digits", "--epochs", "1", *QUICK, "--out", str(where)]) == 0
    return where


def one_line(capsys, command: list[str]) -> str:
    """The line that the command ends with, on standard error, with exit code 1."""
    capsys.readouterr()
    assert run(command) == 1
    lines = capsys.readouterr().err.splitlines()
    assert [line for line in lines if not line.startswith("note: ")] == lines[-1:]
    return lines[-1]


def test_a_training_that_fills_the_disk_goes_on_to_the_same_bytes(
    disk, trained, capsys, monkeypatch
):
    monkeypatch.setenv("BEAK_CHECKPOINT_SECONDS", "0")
    command = ["train", "digits", "--epochs", "2", *QUICK, "--out"]
    assert run([*command, str(disk.path.parent / "whole")]) == 0
    place = disk.path / "run"
    # a checkpoint has 95 kB, and is written beside the one before: there is room for one
    said = one_line(capsys, [*command, str(place)])
    whole = (place / "checkpoint.safetensors").stat().st_size
    assert whole < (256 << 10) < 3 * whole
    assert "the disk is full; make room and go on with: beak train --resume" in said
    assert not [name for name in disk.files if name.endswith(".part")]
    assert one_line(capsys, ["train", "--resume", str(place)]) == said
    disk.make_room()
    assert run(["train", "--resume", str(place)]) == 0
    made = (place / "model.safetensors").read_bytes()
    assert made == (disk.path.parent / "whole" / "model.safetensors").read_bytes()


def test_a_training_on_a_full_disk_ends_before_it_has_begun(disk, capsys):
    disk.fill()
    said = one_line(capsys, ["train", "digits", *QUICK, "--out", str(disk.path / "run")])
    assert said.endswith(
        "recipe.toml could not be written: the disk is full; make room and do it again"
    )
    assert disk.files == set()
    disk.make_room()
    words = ["train", "digits", "--epochs", "1", *QUICK, "--out", str(disk.path / "run")]
    assert run(words) == 0


def test_a_cache_on_a_full_disk_is_told_and_leaves_nothing(disk, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("BEAK_CACHE", str(disk.path))
    for kind in ("disc", "cross"):
        (tmp_path / "photos" / kind).mkdir(parents=True)
        for i in range(12):
            draw(kind, i).save(tmp_path / "photos" / kind / f"{i}.png")
    disk.fill()
    words = ["train", str(tmp_path / "photos"), "--epochs", "1", *QUICK]
    said = one_line(capsys, [*words, "--out", str(tmp_path / "run")])
    assert "the disk is full; make room, or choose another folder with BEAK_CACHE" in said
    assert disk.files == set()
    assert not (tmp_path / "run").exists()
    disk.make_room()
    assert run([*words, "--out", str(tmp_path / "run")]) == 0


@pytest.mark.parametrize(
    "name",
    ["net.onnx", "net.c", "net.keras", "net.html", pytest.param("net.pt2", marks=pytest.mark.slow)],
)
def test_an_export_to_a_full_disk_keeps_the_file_before(disk, trained, capsys, name):
    for suffix, needed in ((".onnx", "onnxruntime"), (".keras", "h5py"), (".pt2", "torch")):
        if name.endswith(suffix):
            pytest.importorskip(needed)
    place = disk.path / name
    place.write_bytes(b"the one before")
    disk.fill()
    words = ["look", str(trained), "--html"] if name == "net.html" else ["export", str(trained)]
    said = one_line(capsys, [*words, str(place)])
    why = "could not be written: the disk is full; make room and do it again"
    assert said == f"beak {words[0]}: {place} {why}"
    assert place.read_bytes() == b"the one before"
    assert disk.files == {name}
    disk.make_room()
    assert run([*words, str(place)]) == 0
    assert place.stat().st_size > 1000


def test_an_export_needs_no_room_for_temporary_files_but_a_compilers(disk, trained, monkeypatch):
    pytest.importorskip("onnxruntime")
    monkeypatch.setenv("TMPDIR", str(disk.path))
    monkeypatch.setattr("tempfile.tempdir", None)
    disk.fill()
    for name in ("net.onnx", "net.c"):
        assert run(["export", str(trained), str(disk.path.parent / name)]) == 0


def test_an_import_to_a_full_disk_leaves_no_run_and_works_again(disk, trained, capsys, tmp_path):
    pytest.importorskip("onnxruntime")
    file = tmp_path / "net.onnx"
    assert run(["export", str(trained), str(file)]) == 0
    disk.fill()
    words = ["import", str(file), str(disk.path / "run")]
    assert "the disk is full; make room and do it again" in one_line(capsys, words)
    assert disk.files == set()
    disk.make_room()
    assert run(words) == 0
    assert beak.load(disk.path / "run").labels == tuple("0123456789")


def test_a_figure_that_does_not_fit_into_the_card_is_told_all_the_same(disk, trained, capsys):
    place = disk.path / "run"
    place.mkdir()
    for name in ("model.safetensors", "README.md", "recipe.toml"):
        (place / name).write_bytes((trained / name).read_bytes())
    disk.fill()
    assert run(["evaluate", str(place), "digits"]) == 0
    told = capsys.readouterr()
    assert " % of 186 pictures right" in told.out
    assert "README.md could not be written: the disk is full" in told.err
    assert (place / "README.md").read_bytes() == (trained / "README.md").read_bytes()


def test_files_that_may_grow_no_further_are_told_as_a_full_disk(trained, tmp_path, capsys):
    """No mounting is needed for this one: it runs everywhere."""
    pytest.importorskip("onnxruntime")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        said = one_line(capsys, ["export", str(trained), str(tmp_path / "net.onnx")])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "the disk is full" in said
    assert list(tmp_path.iterdir()) == []


def test_a_service_does_not_mind_a_full_disk_under_its_log_and_its_folders(disk, trained):
    model = disk.path / "digits.safetensors"
    model.write_bytes((trained / "model.safetensors").read_bytes())
    disk.fill()
    home = dict.fromkeys(("HOME", "TMPDIR", "BEAK_CACHE"), str(disk.path))
    command = [sys.executable, "-m", "beak", "serve", str(model), "--port", "0", "--json"]
    with open(disk.path / "log", "ab") as log:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=log, env={**os.environ, **home}, cwd=disk.path
        )
    try:
        address = json.loads(process.stdout.readline())["address"]
        picture = json.dumps({"data": _digit()}).encode()
        headers = {"content-type": "application/json"}

        def ask() -> int:
            try:
                return httpx2.post(
                    f"{address}predict", content=picture, headers=headers
                ).status_code
            except httpx2.TransportError:
                return 0

        def killed() -> float:
            """Seconds until it answers again."""
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
            os.kill(int(children), signal.SIGKILL)
            begun = time.monotonic()
            while ask() != 200:
                assert time.monotonic() - begun < 10
            return time.monotonic() - begun

        assert ask() == 200
        assert killed() < 10
        assert disk.files == {"digits.safetensors", "log"}
        assert (disk.path / "log").read_bytes() == b""
        disk.make_room()
        assert killed() < 10
    finally:
        process.terminate()
        assert process.wait(40) == 0
        process.stdout.close()
    log_lines = (disk.path / "log").read_text().splitlines()
    assert "worker 1 died (signal 9); another is started" in log_lines[-1]


def _digit() -> str:
    import base64
    import io

    file = io.BytesIO()
    draw("disc", 1, grey=True).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()
