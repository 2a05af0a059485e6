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


@pytest.mark.parametrize("kind", ["pictures", "sounds", "texts", "go"])
@pytest.mark.parametrize("exact", [True, False])
def test_every_kind_is_answered_by_the_engine_that_exact_and_threads_ask_for(
    asked_for, monkeypatch, capsys, kind, exact
):
    run, file = asked_for(kind)
    engines = []

    def predictor(asked, before=Asked.predictor):
        made = before(asked)
        engines.append(made.engine)
        return made

    monkeypatch.setattr(Asked, "predictor", predictor)
    words = ["predict", str(run), str(file), "--json", "--threads", "1"]
    assert beak([*words, "--exact"] if exact else words) == 0
    assert [(each.exact, each.threads) for each in engines] == [(exact, 1)]
    told = json.loads(capsys.readouterr().out)
    assert told["input"] == ("a fine film" if kind == "texts" else str(file))
