"""Every kind of input has its door in ``beak predict``, and takes the options that all take."""

from __future__ import annotations

import json

import numpy as np
import pytest

from beak.cli.asked import Asked
from beak.cli.group import run as beak
from beak.data.go_spec import MOVES, GoSpec
from beak.data.picture_spec import PictureSpec
from beak.data.sound_spec import SoundSpec
from beak.data.sounds import wav
from beak.data.text_spec import TextSpec
from beak.network.initial import initial_parameters
from beak.network.layers import Conv1D, Conv2D, Dense, Embedding, Flatten, GlobalMaxPool
from beak.network.network import Network
from beak.runs.model import Model, save_model

SGF = b"(;GM[1]SZ[19];B[pd];W[dp];B[pp])"


def small(kind: str):
    """A spec, layers, labels and the bytes of one input."""
    if kind == "texts":
        spec = TextSpec("texts", (6,), words=("a", "fine", "film"))
        layers = [Embedding(5, 4), Conv1D(3, 3, activation="relu"), GlobalMaxPool()]
        return spec, layers, ("bad", "good"), b"a fine film"
    if kind == "go":
        return GoSpec.of("alphago-12"), [Conv2D(1, 1), Flatten()], MOVES, SGF
    if kind == "sounds":
        spec = SoundSpec.made(rate=8000, seconds=0.5, bands=16)
        tone = 9000 * np.sin(np.arange(4000) * 0.3)
        return spec, [Conv2D(2, 3), GlobalMaxPool()], ("yes", "no"), wav(tone.astype("<i2"), 8000)
    from PIL import Image

    spec = PictureSpec("pictures", (1, 8, 8))
    return spec, [Conv2D(2, 3, activation="relu"), Flatten()], ("cat", "dog"), Image


@pytest.fixture
def asked_for(tmp_path):
    """A function that gives a run of that kind and a file for it."""

    def made(kind: str):
        spec, layers, labels, content = small(kind)
        network = Network(spec.shape, [*layers, Dense(len(labels), activation="softmax")])
        run, file = tmp_path / "run.safetensors", tmp_path / f"input.{kind}"
        save_model(run, Model(network, spec, labels, initial_parameters(network, 0)))
        if isinstance(content, bytes):
            file.write_bytes(content)
        else:
            content.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).save(file, "png")
        return run, file

    return made


@pytest.fixture
def engines(monkeypatch):
    """The engines that answer, as they are made."""
    found = []

    def predictor(asked, before=Asked.predictor):
        made = before(asked)
        found.append(made.engine)
        return made

    monkeypatch.setattr(Asked, "predictor", predictor)
    return found


@pytest.mark.parametrize("kind", ["pictures", "sounds", "texts", "go"])
@pytest.mark.parametrize("exact", [True, False])
def test_every_kind_is_answered_by_the_engine_that_exact_and_threads_ask_for(
    asked_for, engines, capsys, kind, exact
):
    run, file = asked_for(kind)
    words = ["predict", str(run), str(file), "--json", "--threads", "1"]
    assert beak([*words, "--exact"] if exact else words) == 0
    assert [(each.exact, each.threads) for each in engines] == [(exact, 1)]
    told = json.loads(capsys.readouterr().out)
    assert told["input"] == ("a fine film" if kind == "texts" else str(file))


def numbers(text):
    """All numbers of a JSON answer, in order, by where they stand."""

    def walk(what, where=""):
        if isinstance(what, dict):
            for name in sorted(what):
                yield from walk(what[name], f"{where}.{name}")
        elif isinstance(what, list):
            for place, each in enumerate(what):
                yield from walk(each, f"{where}.{place}")
        elif isinstance(what, int | float):
            yield where, what

    return dict(walk(json.loads(text)))


@pytest.mark.parametrize("kind", ["pictures", "sounds", "texts", "go"])
def test_the_torch_engine_gives_the_same_numbers_and_says_that_it_computes(
    asked_for, engines, capsys, kind
):
    pytest.importorskip("torch")
    run, file = asked_for(kind)
    words = ["predict", str(run), str(file), "--json", "--threads", "1"]
    assert beak(words) == 0
    native = capsys.readouterr()
    assert native.err == ""
    assert beak([*words, "--engine", "torch"]) == 0
    torch = capsys.readouterr()
    assert torch.err == "engine: torch on cpu: it was asked for\n"
    wanted, found = numbers(native.out), numbers(torch.out)
    assert found == pytest.approx(wanted, abs=1e-5)
    assert [type(each).__name__ for each in engines] == ["NativeEngine", "TorchEngine"]


def test_an_evaluation_and_shown_examples_are_the_same_by_both_engines(asked_for, capsys, tmp_path):
    pytest.importorskip("torch")
    run, _ = asked_for("pictures")
    rng = np.random.default_rng(0)
    names = np.array(["cat", "dog"])[np.arange(60) % 2]
    source = tmp_path / "pictures.npz"
    np.savez(source, X=rng.integers(0, 255, (60, 8, 8)).astype(np.uint8), y=names)
    for words in (
        ["evaluate", str(run), str(source), "--json"],
        ["predict", str(run), str(source), "--show", "3", "--json"],
    ):
        told = {}
        for engine in ("native", "torch"):
            assert beak([*words, "--engine", engine]) == 0
            out, err = capsys.readouterr()
            assert f"engine: {engine} on cpu: it was asked for\n" in err
            told[engine] = [numbers(line) for line in out.splitlines()]
        for wanted, found in zip(told["native"], told["torch"], strict=True):
            assert found == pytest.approx(wanted, abs=1e-5)


def test_an_engine_that_cannot_be_is_refused_in_one_line(asked_for, capsys):
    run, file = asked_for("pictures")
    assert beak(["predict", str(run), str(file), "--engine", "native", "--device", "cuda"]) == 2
    told = capsys.readouterr().err
    assert told.startswith("beak predict: the native engine computes on the CPU alone")
    assert told.count("\n") == 1
