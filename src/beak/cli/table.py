"""A game of Go in the terminal: a person on one side, a network on the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from beak.cli.console import make_console, percent
from beak.cli.go_board import board_lines
from beak.errors import UsageError
from beak.play.analysis import likely
from beak.play.game import Game
from beak.play.player import RESIGN, Player
from beak.play.vertices import NAMES, colour_of, point_of, vertex

if TYPE_CHECKING:
    from rich.console import Console

HINTS = "abcde"
HELP = (
    "a point such as D4; pass; hint: the likeliest moves; undo: your last move and the answer; "
    "score: as it stands; resign; quit"
)


def sit_down(player: Player, game: Game, colour: str) -> None:
    """Play a game to its end, or until the person quits."""
    console, person = make_console(), colour_of(colour)
    console.print(
        f"You are {NAMES[person]}, {player.policy.name} is {NAMES[-person]}; "
        f"{game.rules.name} rules, komi {game.komi:g}. ? tells what you can type."
    )
    draw(console, game)
    while not game.over:
        if game.to_play == person:
            if not persons_turn(console, player, game, person):
                return
        else:
            point = player.move(game.boards, passed=game.last == game.points)
            if point == RESIGN:
                console.print(f"{player.policy.name} resigns: you have won.")
                return
            game.play(point, -person)
            draw(console, game)
            said = "passes" if point == game.points else f"plays {vertex(point, game.size)}"
            console.print(f"{player.policy.name} {said}.")
    tell_score(console, game)


def persons_turn(console: Console, player: Player, game: Game, person: int) -> bool:
    """Ask until a move is played or taken back; False when the person has had enough."""
    while True:
        typed = ask(console, person)
        if typed is None or typed in ("quit", "q", "exit"):
            return False
        if typed == "resign":
            console.print(f"You have resigned: {player.policy.name} has won.")
            return False
        try:
            if typed in ("?", "help"):
                console.print(HELP)
            elif typed == "hint":
                hint(console, player, game)
            elif typed == "score":
                tell_score(console, game)
            elif typed == "undo":
                take_back(game, person)
                draw(console, game)
                return True
            elif typed:
                game.play(point_of(typed, game.size), person)
                return True
        except UsageError as error:
            console.print(f"{error} (? for help)", style="bad")


def ask(console: Console, person: int) -> str | None:
    """What the person types, in small letters; None at the end of the input."""
    try:
        return console.input(f"{NAMES[person]}: ").strip().lower()
    except EOFError:
        console.print()
        return None


def take_back(game: Game, person: int) -> None:
    """The person's last move and what followed. Raises UsageError where there is none."""
    if not any(colour == person for _, colour in game.moves):
        raise UsageError("you have not played yet")
    while True:
        _, colour = game.moves[-1]
        game.undo()
        if colour == person:
            return


def hint(console: Console, player: Player, game: Game) -> None:
    """The network's likeliest moves, as letters on the board and with their probabilities."""
    shares = player.shares(game.boards)[0]
    moves = likely(shares, len(HINTS))
    draw(console, game, dict(zip(moves, HINTS, strict=False)))
    named = zip(HINTS, moves, strict=False)
    words = [f"{a} {vertex(m, game.size)} {percent(float(shares[m]))}" for a, m in named]
    console.print(", ".join(words))


def tell_score(console: Console, game: Game) -> None:
    """Who wins by how much, and which stones were counted as dead."""
    dead = game.dead()
    console.print(f"Score: {game.result()} ({game.rules.scoring} counted, komi {game.komi:g})")
    if dead:
        names = " ".join(vertex(point, game.size) for point in dead)
        console.print(f"Dead by random games to the end, and taken off: {names}", style="dim")


def draw(console: Console, game: Game, marks: dict[int, str] | None = None) -> None:
    """The board with coordinates; the last move in brackets; letters where there are marks."""
    look = game.look
    in_colour = console.is_terminal and not console.no_color
    console.print()
    for line in board_lines(look.colours[0], marks or {}, game.last, in_colour):
        console.print(line)
    taken = f"taken by Black {look.black_took[0]}, by White {look.white_took[0]}"
    console.print(taken, style="dim")
    if game.last == game.points:
        console.print("The last move was a pass.")
