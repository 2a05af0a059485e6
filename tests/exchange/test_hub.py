"""`beak push` and `beak pull` with a hub on loopback: what goes, what comes, every fault."""

from __future__ import annotations

import json
import os
import re
import sys

import numpy as np
import pytest

import beak
from beak.cli.group import run as command
from beak.errors import MissingExtraError, RunError, UsageError
from beak.exchange.hub import PULLED, pull, push
from beak.runs.card import CardData, write_card
from beak.runs.directory import RunDirectory
from tests.exchange.fake_hub import TOKEN, running
from tests.small_disk import small_disk

hub_library = pytest.importorskip("huggingface_hub", reason="needs the extra hub")
pytestmark = pytest.mark.filterwarnings("default:Use 'content=:DeprecationWarning")


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """The hub, with a token and a home of its own; nothing waits between tries."""
    with running() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.address)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        for name in ("HF_TOKEN_PATH", "HF_HOME"):
            monkeypatch.setattr(f"huggingface_hub.constants.{name}", str(tmp_path / "home" / name))
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda _: None)
        yield hub


@pytest.fixture
def trained(picture_run, tmp_path):
    """A whole run directory, as training leaves it, with a checkpoint's neighbours."""
    directory = RunDirectory.create(tmp_path / "run")
    (directory.path / "model.safetensors").write_bytes(
        (tmp_path / "model.safetensors").read_bytes()
    )
    home = f"{tmp_path}/home of someone/photos"
    directory.save_recipe(f'epochs = 3\n[data]\nsource = "{home}"\n')
    directory.append_history({"epoch": 1, "train_loss": 0.5})
    directory.save_machine({"cpu": "some"})
    directory.report_path.write_text(f"<html>source = {home}</html>")
    write_card(directory.path, CardData(picture_run.model, "photos", {"train": 5}, "mit"))
    return directory.path


def test_a_run_goes_to_the_hub_and_comes_back(hub, trained, tmp_path):
    made = push(trained, "someone/animals")
    files = hub.repositories["someone/animals"]
    assert set(made.files) == set(files) == {"model.safetensors", "README.md", "recipe.toml",
                                             "history.jsonl", "report.html"}  # fmt: skip
    assert made.size == sum(map(len, files.values()))
    assert made.address.endswith("/someone/animals")
    assert files["model.safetensors"] == (trained / "model.safetensors").read_bytes()
    got = pull("someone/animals", tmp_path / "got")
    assert {path.name for path in got.path.iterdir()} == set(PULLED)
    pixels = np.full((20, 30, 3), 99, np.uint8)
    answers = [beak.load(run).predict(pixels) for run in (trained, got.path)]
    assert answers[0] == answers[1]
    assert got.read_history() == [{"epoch": 1, "train_loss": 0.5}]


def test_no_path_of_this_machine_goes_along(hub, trained):
    push(trained, "someone/animals")
    for name, content in hub.repositories["someone/animals"].items():
        assert b"home of someone" not in content, name
    assert b'source = "photos"' in hub.repositories["someone/animals"]["recipe.toml"]


def test_a_second_push_replaces_and_the_page_stays_here_if_wished(hub, trained):
    push(trained, "someone/animals", private=True)
    assert hub.private["someone/animals"]
    (trained / "history.jsonl").write_text('{"epoch": 2}\n')
    push(trained, "someone/animals", report=False)
    assert hub.repositories["someone/animals"]["history.jsonl"] == b'{"epoch": 2}\n'
    assert "report.html" not in push(trained, "someone/other", report=False).files


def test_the_cards_front_matter_is_as_the_hub_reads_it(hub, trained):
    push(trained, "someone/animals")
    card = hub_library.ModelCard(hub.repositories["someone/animals"]["README.md"].decode())
    assert card.data.license == "mit"
    assert card.data.pipeline_tag == "image-classification"
    assert card.data.library_name == "beak"


FAULTS = {
    "push": [
        ({"create": 401}, "sign in: hf auth login"),
        ({"create": 403}, "may not do that"),
        ({"commit": 404}, "no such repository"),
        ({"commit": 500}, r"fault of its own \(500\)"),
        ({"preupload": 503}, r"fault of its own \(503\)"),
        ({"/lfs/": 500}, "fault of its own|broke off"),
        ({"commit": 418}, r"refuses it \(418\)"),
        ({"commit": 429}, "too many requests"),
    ],
    "pull": [
        ({"/api/models": 401}, "sign in|no such repository"),
        ({"/api/models": 404}, "no such repository"),
        ({"/api/models": 500}, r"fault of its own \(500\)"),
        ({"resolve": 404}, "broke off"),
        ({"resolve": 502}, "fault of its own|broke off"),
    ],
}


@pytest.mark.parametrize(("faults", "says"), FAULTS["push"])
def test_a_fault_while_pushing_is_one_line(hub, trained, faults, says, capsys):
    hub.faults = faults
    assert command(["push", str(trained), "someone/animals"]) == 1
    out = capsys.readouterr()
    assert out.out == ""
    assert len(out.err.splitlines()) == 1
    assert re.search(says, out.err), out.err


@pytest.mark.parametrize(("faults", "says"), FAULTS["pull"])
def test_a_fault_while_pulling_is_one_line_and_leaves_nothing(
    hub, trained, tmp_path, faults, says, capsys
):
    push(trained, "someone/animals")
    before = set(os.listdir(tmp_path))
    hub.faults = faults
    assert command(["pull", "someone/animals", str(tmp_path / "got")]) == 1
    err = capsys.readouterr().err
    assert len(err.splitlines()) == 1
    assert re.search(says, err), err
    assert set(os.listdir(tmp_path)) == before


def test_a_full_disk_is_one_line_and_the_pull_works_once_there_is_room(
    hub, trained, tmp_path, capsys
):
    push(trained, "someone/animals")
    with small_disk(tmp_path / "small", 64) as disk:
        disk.fill()
        words = ["pull", "someone/animals", str(disk.path / "got")]
        assert command(words) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert "the disk is full; make room and do it again" in line
        assert {path.name for path in disk.path.iterdir()} == {"full"}
        disk.make_room()
        assert command(words) == 0
        assert beak.load(disk.path / "got").labels == beak.load(trained).labels


def test_a_transfer_that_breaks_off_leaves_nothing(hub, trained, tmp_path, capsys):
    push(trained, "someone/animals")
    before = set(os.listdir(tmp_path))
    hub.cut = "resolve"
    assert command(["pull", "someone/animals", str(tmp_path / "got")]) == 1
    assert "broke off" in capsys.readouterr().err
    assert set(os.listdir(tmp_path)) == before


def test_without_a_network_or_a_token_it_says_so(hub, trained, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "")
    with pytest.raises(RunError, match="no token .* hf auth login"):
        push(trained, "someone/animals")
    assert hub.asked == []
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")  # nobody listens there
    with pytest.raises(RunError, match="is there a network"):
        push(trained, "someone/animals")
    with pytest.raises(RunError, match="is there a network"):
        pull("someone/animals", tmp_path / "got")
    assert not (tmp_path / "got").exists()


HOSTILE = {
    "model.safetensors": [b"\x80\x04\x95pickle", b"", (1 << 62).to_bytes(8, "little") + b"{}"],
    "recipe.toml": [b"\xff\xfe", b"epochs = = 3"],
    "README.md": [b"\xff\xfe"],
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_a_stranger_sends_is_checked(hub, trained, tmp_path, name):
    push(trained, "someone/animals")
    for content in HOSTILE[name]:
        hub.repositories["someone/animals"][name] = content
        with pytest.raises(RunError, match=rf"^pull someone/animals: {name.split('.')[0]}") as told:
            pull("someone/animals", tmp_path / "got")
        assert str(told.value).isprintable()
        assert not (tmp_path / "got").exists()


def test_a_repository_without_weights_is_no_run(hub, tmp_path):
    hub.repositories["someone/else"] = {"pytorch_model.bin": b"\x80\x04", "../evil": b"x"}
    with pytest.raises(RunError, match="holds no model.safetensors"):
        pull("someone/else", tmp_path / "got")
    assert os.listdir(tmp_path) == []


def test_files_that_say_to_be_too_large_are_not_fetched(hub, trained, tmp_path, monkeypatch):
    push(trained, "someone/animals")
    monkeypatch.setattr("beak.exchange.hub.TEXT_LIMIT", 10)
    with pytest.raises(RunError, match="README.md has .* bytes, 10 at most"):
        pull("someone/animals", tmp_path / "got")


def test_a_run_that_is_there_is_not_replaced(hub, trained, tmp_path):
    push(trained, "someone/animals")
    with pytest.raises(UsageError, match="is there already"):
        pull("someone/animals", trained)
    (tmp_path / "empty").mkdir()
    assert pull("someone/animals", tmp_path / "empty").finished


@pytest.mark.parametrize("name", ["animals", "a/b/c", "../x", "https://hub/a/b", "a/b c", ""])
def test_a_name_that_is_none_ends_with_2(trained, tmp_path, name):
    with pytest.raises(UsageError, match="write OWNER/NAME"):
        push(trained, name)
    with pytest.raises(UsageError, match="write OWNER/NAME"):
        pull(name, tmp_path / "got")


def test_a_run_in_training_is_not_pushed(hub, trained):
    (trained / "checkpoint.safetensors").write_bytes(b"-")
    with pytest.raises(RunError, match="not trained to its end"):
        push(trained, "someone/animals")
    assert hub.asked == []


def test_programs_get_one_object(hub, trained, tmp_path, capsys):
    assert command(["push", str(trained), "someone/animals", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["files"][0] == "model.safetensors"
    assert command(["pull", "someone/animals", str(tmp_path / "got"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["labels"] == ["label 0", "label 1", "label 2"]


def test_without_the_extra_it_is_named(trained, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(MissingExtraError, match=r"beak\[hub\]"):
        push(trained, "someone/animals")
    with pytest.raises(MissingExtraError, match=r"beak\[hub\]"):
        pull("someone/animals", tmp_path / "got")
