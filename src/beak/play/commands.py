"""What GTP commands do: one function each, in a table by name."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from beak.errors import BeakError, UsageError
from beak.ops.go_board.rules import BLACK, check_size, handicap_points
from beak.play.game import Game
from beak.play.player import RESIGN, Player
from beak.play.sgf import read_main_line
from beak.play.showing import show_board
from beak.play.vertices import colour_of, point_of, vertex


class CommandError(Exception):
    """A command that cannot be done, in the protocol's words."""


@dataclass
class Session:
    """What a GTP engine remembers between commands."""

    player: Player
    game: Game
    version: str = "unknown"
    ended: bool = False
    streaming: bool = False
    """The answer just given goes on until the next line comes."""
    clock: dict[str, float] = field(default_factory=dict)
    """What the time commands told; no move takes long enough to need it."""


Command = Callable[[Session, list[str]], str]
COMMANDS: dict[str, Command] = {}
"""Every command that is answered."""


def command(name: str) -> Callable[[Command], Command]:
    """Enter a function into ``COMMANDS``."""

    def enter(function: Command) -> Command:
        COMMANDS[name] = function
        return function

    return enter


def wanted(arguments: list[str], count: int) -> list[str]:
    """The first so many words. Raises CommandError where there are fewer."""
    if len(arguments) < count:
        raise CommandError("syntax error")
    return arguments[:count]


def whole(text: str) -> int:
    """A whole number; CommandError for anything else."""
    if len(text) > 9 or not text.removeprefix("-").isdecimal():
        raise CommandError("syntax error: not a whole number")
    return int(text)


def number(text: str) -> float:
    """A number; CommandError for anything else, infinity too."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise CommandError("syntax error: not a number")
    return value


def coloured(session: Session, text: str) -> int:
    """A colour; the protocol's CommandError for anything else."""
    try:
        return colour_of(text)
    except UsageError:
        raise CommandError("invalid color or coordinate") from None


def pointed(session: Session, text: str) -> int:
    """A point or pass of the board; the protocol's CommandError for anything else."""
    try:
        return point_of(text, session.game.size)
    except UsageError:
        raise CommandError("invalid color or coordinate") from None


def vertices(session: Session, points: list[int]) -> str:
    """Names of points with spaces between."""
    return " ".join(vertex(point, session.game.size) for point in points)


@command("protocol_version")
def protocol_version(session: Session, arguments: list[str]) -> str:
    """Always 2."""
    return "2"


@command("name")
def name(session: Session, arguments: list[str]) -> str:
    """What plays."""
    return f"beak {session.player.policy.name}"


@command("version")
def version(session: Session, arguments: list[str]) -> str:
    """Beak's version."""
    return session.version


@command("known_command")
def known_command(session: Session, arguments: list[str]) -> str:
    """Whether a command is answered."""
    return str(wanted(arguments, 1)[0] in COMMANDS).lower()


@command("list_commands")
def list_commands(session: Session, arguments: list[str]) -> str:
    """All commands."""
    return "\n".join(sorted(COMMANDS))


@command("quit")
def quit_(session: Session, arguments: list[str]) -> str:
    """The last command."""
    session.ended = True
    return ""


@command("boardsize")
def boardsize(session: Session, arguments: list[str]) -> str:
    """An empty board of another size, if the network plays on it."""
    size, only = whole(wanted(arguments, 1)[0]), session.player.policy.size
    try:
        check_size(size)
    except UsageError:
        raise CommandError("unacceptable size") from None
    if only not in (None, size):
        raise CommandError(f"unacceptable size: this network plays on {only}x{only}")
    session.game.clear(size)
    return ""


@command("clear_board")
def clear_board(session: Session, arguments: list[str]) -> str:
    """An empty board."""
    session.game.clear(session.game.size)
    return ""


@command("query_boardsize")
def query_boardsize(session: Session, arguments: list[str]) -> str:
    """The board's lines."""
    return str(session.game.size)


@command("komi")
def komi(session: Session, arguments: list[str]) -> str:
    """What White gets."""
    session.game.komi = number(wanted(arguments, 1)[0])
    return ""


@command("get_komi")
def get_komi(session: Session, arguments: list[str]) -> str:
    """What White gets."""
    return f"{session.game.komi:g}"


@command("play")
def play(session: Session, arguments: list[str]) -> str:
    """A move of either colour."""
    colour, point = wanted(arguments, 2)
    _played(session, coloured(session, colour), pointed(session, point))
    return ""


def _played(session: Session, colour: int, point: int) -> None:
    if reason := session.game.refusal(point, colour):
        raise CommandError(f"illegal move: {reason}")
    session.game.play(point, colour)


@command("gogui-play_sequence")
def play_sequence(session: Session, arguments: list[str]) -> str:
    """Several moves: colour and point in turn."""
    if len(arguments) % 2:
        raise CommandError("syntax error")
    for colour, point in zip(arguments[::2], arguments[1::2], strict=True):
        play(session, [colour, point])
    return ""


@command("genmove")
def genmove(session: Session, arguments: list[str]) -> str:
    """The player's move, which is played; or "resign"."""
    colour = coloured(session, wanted(arguments, 1)[0])
    point = _chosen(session, colour)
    if point == RESIGN:
        return "resign"
    _played(session, colour, point)
    return vertex(point, session.game.size)


@command("reg_genmove")
def reg_genmove(session: Session, arguments: list[str]) -> str:
    """The player's move, which is not played."""
    point = _chosen(session, coloured(session, wanted(arguments, 1)[0]))
    return "resign" if point == RESIGN else vertex(point, session.game.size)


def _chosen(session: Session, colour: int) -> int:
    game = session.game
    passed = game.last == game.points and game.moves[-1][1] == -colour
    return session.player.move(game.turn_of(colour), passed)


@command("undo")
def undo(session: Session, arguments: list[str]) -> str:
    """The last move is taken back."""
    try:
        session.game.undo()
    except UsageError:
        raise CommandError("cannot undo") from None
    return ""


@command("fixed_handicap")
def fixed_handicap(session: Session, arguments: list[str]) -> str:
    """Black's stones on the star points."""
    _empty_board(session)
    try:
        stones = handicap_points(whole(wanted(arguments, 1)[0]), session.game.size)
    except UsageError as error:
        raise CommandError(f"invalid number of stones: {error}") from None
    session.game.place(stones)
    return vertices(session, stones)


@command("place_free_handicap")
def place_free_handicap(session: Session, arguments: list[str]) -> str:
    """Black's stones where the player wants them: on the star points, nine at most."""
    _empty_board(session)
    stones, size = whole(wanted(arguments, 1)[0]), session.game.size
    if not 2 <= stones < session.game.points:
        raise CommandError("invalid number of stones")
    most = 9 if size % 2 and size > 7 else 4
    return fixed_handicap(session, [str(min(stones, most))])


@command("set_free_handicap")
def set_free_handicap(session: Session, arguments: list[str]) -> str:
    """Black's stones where the other player wants them."""
    _empty_board(session)
    size = session.game.size
    try:
        stones = [point_of(text, size) for text in arguments]
    except UsageError:
        raise CommandError("bad vertex list") from None
    twice = len(set(stones)) != len(stones)
    if twice or not 2 <= len(stones) < size * size or size * size in stones:
        raise CommandError("bad vertex list")
    session.game.place(stones)
    return ""


def _empty_board(session: Session) -> None:
    if session.game.moves or session.game.setup:
        raise CommandError("board not empty")


def _times(session: Session, arguments: list[str], names: tuple[str, ...]) -> str:
    values = [number(word) for word in wanted(arguments, len(names))]
    if min(values) < 0:
        raise CommandError("syntax error: a time below 0")
    session.clock.update(zip(names, values, strict=True))
    return ""


@command("time_settings")
def time_settings(session: Session, arguments: list[str]) -> str:
    """Main time, overtime and its stones."""
    return _times(session, arguments, ("main", "overtime", "stones"))


@command("kgs-time_settings")
def kgs_time_settings(session: Session, arguments: list[str]) -> str:
    """Time as KGS tells it: a system's name and its numbers."""
    names = {
        "none": (),
        "absolute": ("main",),
        "byoyomi": ("main", "overtime", "periods"),
        "canadian": ("main", "overtime", "stones"),
    }
    system = wanted(arguments, 1)[0].lower()
    if system not in names:
        raise CommandError("syntax error")
    return _times(session, arguments[1:], names[system]) if names[system] else ""


@command("time_left")
def time_left(session: Session, arguments: list[str]) -> str:
    """What is left to a player."""
    coloured(session, wanted(arguments, 3)[0])
    return _times(session, arguments[1:], ("left", "stones"))


@command("final_score")
def final_score(session: Session, arguments: list[str]) -> str:
    """Who wins by how much."""
    return session.game.result()


@command("final_status_list")
def final_status_list(session: Session, arguments: list[str]) -> str:
    """Stones that are alive or dead, a chain a line; none in seki, which is not recognised."""
    status = wanted(arguments, 1)[0].lower()
    if status not in ("alive", "dead", "seki"):
        raise CommandError("syntax error: alive, dead or seki")
    if status == "seki":
        return ""
    dead = set(session.game.dead())
    listed = [chain for chain in session.game.chains() if (chain[0] in dead) == (status == "dead")]
    return "\n".join(vertices(session, chain) for chain in listed)


@command("showboard")
def showboard(session: Session, arguments: list[str]) -> str:
    """The board in letters."""
    return "\n" + show_board(session.game)


@command("list_stones")
def list_stones(session: Session, arguments: list[str]) -> str:
    """Where a colour's stones stand."""
    colour = coloured(session, wanted(arguments, 1)[0])
    return vertices(session, np.flatnonzero(session.game.look.colours[0] == colour).tolist())


@command("is_legal")
def is_legal(session: Session, arguments: list[str]) -> str:
    """1 where a move may be played, else 0."""
    colour, point = wanted(arguments, 2)
    refused = session.game.refusal(pointed(session, point), coloured(session, colour))
    return "0" if refused else "1"


@command("loadsgf")
def loadsgf(session: Session, arguments: list[str]) -> str:
    """A game record's main line, up to before the given move; then whose turn it is."""
    path = Path(wanted(arguments, 1)[0])
    last = whole(arguments[1]) if len(arguments) > 1 else None
    try:
        record = read_main_line(path)
        only = session.player.policy.size
        if only not in (None, record.size):
            raise UsageError(f"{record.size}x{record.size}; this network plays on {only}x{only}")
        game = Game(record.size, session.game.rules, record.komi)
        game.begin(record.setup, record.first)
        for point, colour in record.moves[: None if last is None else max(0, last - 1)]:
            game.play(point, colour)
    except (BeakError, OSError) as error:
        raise CommandError(f"cannot load file: {error}") from None
    session.game = game
    return "black" if game.to_play == BLACK else "white"
