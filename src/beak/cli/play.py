"""``beak play``: Go against a trained network, in the terminal or through GTP."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from beak.cli.options import command, exact_option, threads_option
from beak.errors import UsageError
from beak.play.rulesets import RULESETS

COLOURS = ("black", "white")


@command
@click.argument("run", metavar="RUN", type=click.Path(path_type=Path))
@click.option("--gtp", is_flag=True, help="Speak GTP on standard input and output.")
@click.option("--colour", "--color", type=click.Choice(COLOURS), help="What you play.  [black]")
@click.option("--komi", type=float, metavar="POINTS", help="What White gets (the rules' usual).")
@click.option("--handicap", type=click.IntRange(2, 9), metavar="N", help="Black's stones at first.")
@click.option("--rules", type=click.Choice(list(RULESETS)), default="chinese", help="Which rules.")
@click.option("--sample", is_flag=True, help="Draw moves by their probability; else the likeliest.")
@click.option(
    "--temperature",
    type=click.FloatRange(0, 1000, min_open=True),
    metavar="T",
    help="Draw, below 1 nearer to the likeliest.",
)
@click.option("--seed", type=click.IntRange(0), default=0, help="Of the drawn moves.")
@click.option(
    "--resign",
    type=click.FloatRange(0, min_open=True),
    metavar="POINTS",
    help="The network gives up so many points behind.  [never]",
)
@click.option("--average", is_flag=True, help="Ask all eight symmetries of a position; slower.")
@threads_option
@exact_option
def play(
    run: Path,
    gtp: bool,
    colour: str | None,
    komi: float | None,
    handicap: int | None,
    rules: str,
    sample: bool,
    temperature: float | None,
    seed: int,
    resign: float | None,
    average: bool,
    threads: int | None,
    exact: bool,
) -> None:
    """Play Go against a trained network, or let other programs play it.

    RUN is a run directory of a network that was trained on Go games, or its model.safetensors.
    In the terminal: a point such as Q16, or pass, hint, undo, score, resign, quit.

    With --gtp the network is an engine for GoGui, Sabaki, twogtp: beak play RUN --gtp
    """
    from beak.play.game import HANDICAP_KOMI, Game
    from beak.play.player import Habits, Player
    from beak.play.policy import NetworkPolicy
    from beak.play.rulesets import ruleset
    from beak.runs.model import load_model

    if gtp and (colour or handicap):
        raise UsageError("--gtp: colours and handicap are told by the other program")
    policy = NetworkPolicy(load_model(run), threads=threads, average=average, exact=exact)
    drawn = sample or temperature is not None
    player = Player(policy, Habits(drawn, temperature or 1.0, seed, resign))
    if komi is None and handicap:
        komi = HANDICAP_KOMI
    game = Game(policy.size, ruleset(rules), komi)
    if gtp:
        speak(player, game)
        return
    from beak.cli.table import sit_down

    if handicap:
        from beak.ops.go_board.rules import handicap_points

        game.place(handicap_points(handicap, game.size))
    sit_down(player, game, colour or "black")


def speak(player: object, game: object) -> None:
    """Answer GTP commands until quit or the end of the input."""
    from importlib.metadata import PackageNotFoundError, version

    from beak.play.commands import Session
    from beak.play.game import Game
    from beak.play.gtp import serve
    from beak.play.player import Player

    assert isinstance(player, Player)
    assert isinstance(game, Game)
    try:
        installed = version("beak")
    except PackageNotFoundError:
        installed = "unknown"
    serve(Session(player, game, installed), sys.stdin.buffer, sys.stdout)
