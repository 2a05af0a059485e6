"""Runs for the page, and the server as a user starts it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from beak.data.go_spec import MOVES, GoSpec
from beak.data.picture_spec import PictureSpec
from beak.data.sound_spec import SoundSpec
from beak.data.text_spec import TextSpec
from beak.network.catalogue import make_network
from beak.network.initial import initial_parameters
from beak.network.layers import Conv1D, Conv2D, Dense, Embedding, Flatten, GlobalMaxPool
from beak.network.network import Network
from beak.network.writers import Parallel
from beak.runs.model import Model, save_model

DIGITS = PictureSpec("pictures", (1, 28, 28), "stretch", 0, (0.3,), (0.33,))
COLOUR = PictureSpec("pictures", (3, 32, 32), "stretch", 0, (0.5,) * 3, (0.25,) * 3)
TEXT = TextSpec("texts", (12,), words=("a", "fine", "film", "dull", "and"))
TEN = tuple("0123456789")

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--use-fake-device-for-media-stream",  # a webcam and a microphone that are always there
    "--use-fake-ui-for-media-stream",
]


def saved(folder: Path, name: str, network: Network, spec, labels, seed: int = 0) -> Path:
    parameters = initial_parameters(network, seed)
    path = folder / f"{name}.safetensors"
    save_model(path, Model(network, spec, labels, parameters, {"name": name}))
    return path


def go_network() -> Network:
    layers = [Conv2D(192, 3, padding=1, activation="relu") for _ in range(13)]
    return Network(
        (12, 19, 19), [*layers, Conv2D(1, 1), Flatten(), Dense(361, activation="softmax")]
    )


def text_network() -> Network:
    layers = [Embedding(7, 8), Conv1D(4, 3, activation="relu"), GlobalMaxPool()]
    return Network((12,), [*layers, Dense(2, activation="softmax")])


def widths_network() -> Network:
    """Three widths of windows beside each other, as sentence networks have them."""
    widths = [[Conv1D(4, k, padding=k, activation="relu"), GlobalMaxPool()] for k in (2, 3, 4)]
    return Network((12,), [Embedding(7, 8), Parallel(*widths), Dense(2, activation="softmax")])


def make(folder: Path, kind: str) -> Path:
    """A network of that kind, not trained: the page shows it all the same."""
    if kind == "digits":
        return saved(folder, kind, make_network("lecture", (1, 28, 28), 10), DIGITS, TEN)
    if kind == "other":  # the same network from another seed
        network = make_network("lecture", (1, 28, 28), 10)
        return saved(folder, kind, network, DIGITS, TEN, seed=1)
    if kind == "colour":
        return saved(folder, kind, make_network("resnet20", (3, 32, 32), 10), COLOUR, TEN)
    if kind == "go":
        return saved(folder, kind, go_network(), GoSpec.of("alphago-12"), MOVES)
    if kind == "text":
        return saved(folder, kind, text_network(), TEXT, ("bad", "good"))
    if kind == "widths":
        return saved(folder, kind, widths_network(), TEXT, ("bad", "good"))
    spec = SoundSpec.made(rate=8000, seconds=0.8, bands=40)
    return saved(folder, kind, make_network("lecture", spec.shape, 10), spec, TEN)


@pytest.fixture(scope="session")
def runs(tmp_path_factory):
    """A function that gives the weights file of a kind."""
    folder = tmp_path_factory.mktemp("runs")
    made: dict[str, Path] = {}

    def one(kind: str) -> Path:
        if kind not in made:
            made[kind] = make(folder, kind)
        return made[kind]

    return one


@pytest.fixture(scope="session")
def looking():
    """``beak look RUN …`` as a process of its own: a context that gives the address."""

    @contextmanager
    def started(run: Path, *more: str):
        command = [sys.executable, "-m", "beak", "look", str(run), "--json", "--threads", "2"]
        process = subprocess.Popen([*command, *more], stdout=subprocess.PIPE, text=True)
        try:
            yield json.loads(process.stdout.readline())["address"]
        finally:
            process.terminate()
            process.wait(20)
            process.stdout.close()

    return started


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="needs the extra dev")
    if CHROMIUM is None:
        pytest.skip("there is no Chromium here")
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_FLAGS)
        yield started
        started.close()


@pytest.fixture(scope="module")
def address(runs, looking):
    """A function: the address where a kind's run is shown."""
    with ExitStack() as servers:
        known: dict[str, str] = {}

        def one(kind: str) -> str:
            if kind not in known:
                more = ["--data", "digits"] if kind == "digits" else []
                if kind == "digits":
                    more += ["--beside", str(runs("colour")), "--beside", str(runs("other"))]
                known[kind] = servers.enter_context(looking(runs(kind), *more))
            return known[kind]

        yield one


@pytest.fixture
def opened(browser, address):
    """A function: a page on a kind's run; nothing may go wrong or leave the machine on it."""
    contexts, wrong = [], []

    def one(kind: str, place: str = "", width: int = 1280, height: int = 900, scheme="light"):
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme=scheme,
            reduced_motion="reduce",
        )
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
        page.on("request", lambda asked: wrong.append(asked.url) if not local(asked.url) else None)
        page.goto(address(kind) + place)
        page.locator(".bars li").first.wait_for(state="attached")
        return page

    one.wrong = wrong
    yield one
    for context in contexts:
        context.close()
    assert not wrong


def local(url: str) -> bool:
    return url.startswith(("http://127.0.0.1:", "blob:", "data:"))
