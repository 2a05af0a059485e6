"""Players for tests, and GNU Go beside them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from beak.network.catalogue import make_network
from beak.network.initial import initial_parameters
from beak.network.layers import Activation, Conv2D, Dense, Flatten
from beak.network.network import Network
from beak.play.player import Evenly, Habits, Player

SOURCE = Path(__file__).parents[2] / "src"
ENGINE = """
import sys
from beak.play.commands import Session
from beak.play.game import Game
from beak.play.gtp import serve
from beak.play.player import Evenly, Habits, Player
serve(Session(Player(Evenly(), Habits(sampled=True, seed=int(sys.argv[1]))), Game()),
      sys.stdin.buffer, sys.stdout)
"""


class Leaning:
    """A policy that prefers points in the order in which they are given, and may like to pass."""

    name, size = "leaning", None

    def __init__(self, order, passing=0.0):
        self.order, self.passing = order, passing

    def __call__(self, boards):
        shares = np.full((len(boards), boards.points + 1), 1e-6)
        for place, point in enumerate(self.order):
            shares[:, point] = 0.5 ** (place + 1)
        shares[:, -1] = self.passing
        return shares


class Gtp:
    """A program that speaks GTP."""

    def __init__(self, *command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, command):
        """The text of the answer; an AssertionError where it begins with ?."""
        self.process.stdin.write(command.encode() + b"\n")
        self.process.stdin.flush()
        first = self.process.stdout.readline().decode()
        lines = [first[1:].strip()]
        while line := self.process.stdout.readline().decode().strip():
            lines.append(line)
        assert first.startswith("="), f"{command}: {first}"
        return "\n".join(lines).strip()

    def close(self):
        self.process.communicate(b"quit\n", timeout=20)
        assert self.process.returncode == 0


@pytest.fixture
def leaning():
    return Leaning


@pytest.fixture
def randomly():
    """A player of random sensible moves."""
    return Player(Evenly(), Habits(sampled=True, seed=3))


@pytest.fixture
def start():
    """Starts programs that speak GTP; they are ended with the test."""
    started = []

    def run(*command):
        started.append(Gtp(*command))
        return started[-1]

    yield run
    for program in started:
        program.close()


@pytest.fixture
def engine(start):
    """Starts a player of random moves behind GTP, as a process."""
    return lambda seed=0: start(sys.executable, "-c", ENGINE, str(seed))


@pytest.fixture
def engine_command():
    """The command that ``engine`` starts."""
    return [sys.executable, "-c", ENGINE, "0"]


@pytest.fixture
def gnugo(start):
    """Starts GNU Go."""
    found = shutil.which("gnugo") or "/usr/games/gnugo"
    if not Path(found).exists():
        pytest.skip("GNU Go is not installed (gnugo)")
    return lambda *options: start(found, "--mode", "gtp", *options)


@pytest.fixture
def go_model():
    """Makes models of small Go networks with random weights, of any board and set of planes."""

    def make(size=9, planes="alphago-4", channels=4, passes=True, seed=1):
        network = Network(
            (channels, size, size),
            [Conv2D(4, 3, padding="same", activation="relu"), Flatten(),
             Dense(size * size + passes), Activation("softmax")],
        )  # fmt: skip
        spec = SimpleNamespace(kind="go", planes=planes, shape=network.input)
        parameters = initial_parameters(network, seed)
        return SimpleNamespace(name="tiny", network=network, spec=spec, parameters=parameters)

    return make


@pytest.fixture
def picture_model():
    network = make_network("linear", (1, 8, 8), 3)
    return SimpleNamespace(
        name="photos", network=network, spec=SimpleNamespace(kind="pictures", shape=(1, 8, 8)),
        parameters=initial_parameters(network, 1),
    )  # fmt: skip
