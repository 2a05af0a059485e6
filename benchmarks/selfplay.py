"""Games of a player against itself, every move checked: illegal moves, moves into own eyes.

    python benchmarks/selfplay.py                        10,000 games, 19x19, a small random network
    python benchmarks/selfplay.py --run runs/go-small    the network of a run
    python benchmarks/selfplay.py --size 9 --policy random

Moves are sampled; a game ends with two passes. Afterwards every game is played again from its
record by the rules' own check. One move in --eyes-every is compared with the plane "sensible".
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import fields

from beak.network.initial import initial_parameters
from beak.network.layers import Activation, Conv2D, Flatten, PositionBias
from beak.network.network import Network
from beak.ops.go_board.boards import Boards
from beak.ops.go_board.planes import planes_in
from beak.ops.go_board.rules import Rules
from beak.play.player import Evenly, Habits, Player, Policy
from beak.play.policy import NetworkPolicy
from beak.play.selfplay import Tally, recheck, self_play
from beak.runs.model import Model, load_model

PLANES = "alphago-4"
CHUNK = 1000
"""Games after which a line is printed."""


def small_network(size: int) -> Network:
    """5x5 and 3x3 filters, 8 of each, one answer a point."""
    return Network(
        (planes_in(PLANES), size, size),
        [
            Conv2D(8, 5, padding="same", activation="relu"),
            Conv2D(8, 3, padding="same", activation="relu"),
            Conv2D(1, 1, bias=False),
            PositionBias(),
            Flatten(),
            Activation("softmax"),
        ],
    )


class SmallSpec:
    """What a policy asks of a run's input."""

    kind, planes = "go", PLANES

    def __init__(self, size: int) -> None:
        self.shape = (planes_in(PLANES), size, size)


def policy_of(run: str | None, kind: str, size: int, threads: int) -> Policy:
    if run:
        return NetworkPolicy(load_model(run), threads=threads)
    if kind == "random":
        return Evenly()
    network = small_network(size)
    parameters = initial_parameters(network, 1)
    spec: object = SmallSpec(size)
    model = Model(network, spec, (), parameters, {"name": "small, random weights"})  # type: ignore[arg-type]
    return NetworkPolicy(model, threads=threads)


def row(tally: Tally, size: int, seconds: float, name: str) -> dict[str, object]:
    return {
        "policy": name,
        "size": size,
        "games": tally.games,
        "moves": tally.moves,
        "illegal": tally.illegal,
        "refused when played again": recheck(tally, size, Rules("positional")),
        "eyes looked at": tally.looked_at,
        "into own eyes": tally.into_eyes,
        "cut": tally.cut,
        "seconds": round(seconds, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--games", type=int, default=10_000)
    parser.add_argument("--size", type=int, default=19)
    parser.add_argument("--run")
    parser.add_argument("--policy", choices=("network", "random"), default="network")
    parser.add_argument("--temperature", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--at-once", type=int, default=512)
    parser.add_argument("--eyes-every", type=int, default=20)
    parser.add_argument("--threads", type=int, default=2)
    told = parser.parse_args()
    policy = policy_of(told.run, told.policy, told.size, told.threads)
    player = Player(policy, Habits(True, told.temperature, told.seed))
    player.moves(Boards(1, told.size))  # what is loaded at the first use is not measured
    begun = time.perf_counter()
    sum_ = Tally()
    while sum_.games < told.games:
        tally = self_play(
            player,
            min(CHUNK, told.games - sum_.games),
            told.size,
            at_once=told.at_once,
            eyes_every=told.eyes_every,
            first=sum_.games,
        )
        for field in fields(Tally):
            setattr(sum_, field.name, getattr(sum_, field.name) + getattr(tally, field.name))
        seconds = time.perf_counter() - begun
        print(json.dumps(row(sum_, told.size, seconds, policy.name)), flush=True)


if __name__ == "__main__":
    main()
