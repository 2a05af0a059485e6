"""`beak.load` in any Python program: one file, any number of threads, nothing left behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import beak
from beak.data.go_spec import MOVES, GoSpec
from beak.data.picture_spec import PictureSpec
from beak.data.sound_spec import SoundSpec
from beak.data.sounds import wav
from beak.data.text_spec import TextSpec
from beak.network.initial import initial_parameters
from beak.network.layers import Conv2D, Dense, Embedding, Flatten, GlobalMaxPool, MaxPool2D
from beak.network.network import Network
from beak.runs.model import Model, save_model

THREADS = 16
ALONE = """
import json, os, sys, time
begin = time.perf_counter()
import beak
imported = time.perf_counter() - begin
begin = time.perf_counter()
run = beak.load("model.safetensors")
loaded = time.perf_counter() - begin
raw = {raw}
begin = time.perf_counter()
found = run.predict(raw)
first = time.perf_counter() - begin
print(json.dumps({{"import": imported, "load": loaded, "first": first, "label": found.label,
                  "files": sorted(os.listdir())}}))
"""


def picture_case():
    spec = PictureSpec("pictures", (1, 28, 28), "stretch", 0, (0.3,), (0.33,))
    layers = [Conv2D(25, 3, activation="relu"), MaxPool2D(2), Conv2D(50, 3, activation="relu"),
              MaxPool2D(2), Flatten(), Dense(100, activation="relu"), Dense(10)]  # fmt: skip
    random = np.random.default_rng(0)
    raws = [random.integers(0, 256, (20 + i, 30, 3)).astype(np.uint8) for i in range(12)]
    return spec, layers, tuple("0123456789"), raws


def sound_case():
    spec = SoundSpec.made(rate=4000, seconds=0.3, bands=12)
    layers = [Conv2D(4, 3, activation="relu"), Flatten(), Dense(3)]
    random = np.random.default_rng(0)
    raws = [wav(random.integers(-9000, 9000, 1200).astype(np.int16), 4000) for _ in range(12)]
    return spec, layers, ("a", "b", "c"), raws


def text_case():
    spec = TextSpec("texts", (12,), words=("a", "fine", "film", "dull", "and"))
    layers = [Embedding(spec.numbers, 6, 0), GlobalMaxPool(), Dense(2)]
    raws = ["a fine film", "dull", "a dull and dull film", "and fine", "fine fine fine"]
    return spec, layers, ("bad", "good"), raws


def go_case():
    spec = GoSpec.of("alphago-4")
    layers = [Conv2D(4, 3, padding=1, activation="relu"), Conv2D(1, 1), Flatten()]
    games = ["(;SZ[19];B[dd];W[pp])", "(;SZ[19];B[pd];W[dp];B[qq])", "(;SZ[19];B[jj])"]
    return spec, layers, MOVES, [(game.encode(), 1) for game in games]


CASES = {"pictures": picture_case, "sounds": sound_case, "texts": text_case, "go": go_case}


def saved(folder: Path, kind: str) -> tuple[Path, list]:
    spec, layers, labels, raws = CASES[kind]()
    network = Network(spec.shape, layers)
    path = folder / "model.safetensors"
    save_model(path, Model(network, spec, labels, initial_parameters(network, 1)))
    return path, raws


@pytest.mark.parametrize("kind", CASES)
def test_many_threads_get_the_answers_that_one_gets(kind, tmp_path):
    path, raws = saved(tmp_path, kind)
    wanted = [found.probabilities for found in map(beak.load(path).predict, raws)]
    run, start = beak.load(path), threading.Barrier(THREADS)

    def ask(thread: int) -> list[tuple[int, dict]]:
        start.wait()  # the first question of all at once: the engine is made then
        order = np.random.default_rng(thread).permutation(len(raws))
        single = [(int(i), run.predict(raws[i]).probabilities) for i in order]
        several = [answer.probabilities for answer in run.predict([raws[i] for i in order])]
        return single + list(zip(map(int, order), several, strict=True))

    with ThreadPoolExecutor(THREADS) as pool:
        for answers in pool.map(ask, range(THREADS)):
            for number, probabilities in answers:
                assert list(probabilities) == list(wanted[number])
                np.testing.assert_allclose(
                    list(probabilities.values()), list(wanted[number].values()), atol=1e-6
                )


def test_threads_may_look_into_a_network_while_others_ask_it(tmp_path):
    path, raws = saved(tmp_path, "pictures")
    run = beak.load(path)
    engine, inputs = run.predictor.engine, run.spec.prepare(np.full((1, 1, 28, 28), 77, np.uint8))
    wanted, answer = engine.activations(inputs), run.predict(raws[0]).probabilities
    gradient = engine.gradients(inputs, np.ones((1, 10), np.float32)).input

    def look(turn: int) -> None:
        if turn % 3 == 0:
            assert run.predict(raws[0]).probabilities == answer
        elif turn % 3 == 1:
            found = engine.gradients(inputs, np.ones((1, 10), np.float32)).input
            np.testing.assert_array_equal(found, gradient)
        else:
            for name, value in engine.activations(inputs).items():
                np.testing.assert_array_equal(value, wanted[name])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(look, range(120)))


def test_two_runs_in_one_program_know_nothing_of_each_other(tmp_path):
    runs, raws = {}, {}
    for kind in CASES:
        (tmp_path / kind).mkdir()
        path, raws[kind] = saved(tmp_path / kind, kind)
        runs[kind] = beak.load(path)
    alone = {kind: run.predict(raws[kind][0]).probabilities for kind, run in runs.items()}

    def ask(turn: int) -> None:
        kind = list(CASES)[turn % len(CASES)]
        found = runs[kind].predict(raws[kind][0]).probabilities
        np.testing.assert_allclose(list(found.values()), list(alone[kind].values()), atol=1e-6)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(ask, range(160)))


def process(folder: Path, raw: str, **more: str) -> dict:
    """A program of its own in that folder, without a home; what it measured."""
    source = str(Path(beak.__file__).parents[1])
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("HOME", "BEAK_", "XDG_"))}
    kept |= {"PYTHONPATH": source, "PYTHONWARNINGS": "error"} | more
    done = subprocess.run(
        [sys.executable, "-c", ALONE.format(raw=raw)],
        cwd=folder, env=kept, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stderr == ""
    return json.loads(done.stdout)


RAW = {
    "pictures": "__import__('numpy').full((40, 30, 3), 200, 'uint8')",
    "texts": "'a fine film'",
    "go": "(b'(;SZ[19];B[dd];W[pp])', 1)",
}


@pytest.mark.parametrize("kind", RAW)
def test_the_one_file_is_all_it_needs(kind, tmp_path):
    """No home, a folder that cannot be written, nothing beside the file, before or after."""
    path, _ = saved(tmp_path, kind)
    path.chmod(0o400)
    tmp_path.chmod(0o500)
    try:
        told = process(tmp_path, RAW[kind])
    finally:
        tmp_path.chmod(0o700)
    assert told["files"] == ["model.safetensors"]
    assert told["label"] in beak.load(path).labels


def test_a_prediction_changes_nothing_of_the_program(tmp_path):
    path, raws = saved(tmp_path, "pictures")
    beak.load(path).predict(raws[0])  # what is imported at the first one

    def state() -> tuple:
        return (dict(os.environ), os.getcwd(), np.geterr(), np.random.get_state()[1].tolist(),
                sys.getrecursionlimit(), threading.active_count())  # fmt: skip

    before = state()
    beak.load(path).predict(raws)
    assert state() == before
