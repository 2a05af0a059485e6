"""GTP commands that show what the network thinks: for GoGui, and lines as Leela Zero writes them.

A policy network says how likely a move is, not who wins. So ``lz-analyze`` gives each move's
probability as visits in thousand and as prior, and 50 % as every win rate: not known.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from beak.play.commands import Session, coloured, command
from beak.play.ending import ownership
from beak.play.vertices import COLOURS, vertex

Array = np.ndarray[Any, Any]
GOGUI = (
    "gfx/Likely Moves/beak-moves",
    "cboard/Heat Map/beak-heat",
    "dboard/Probabilities/beak-probabilities",
    "dboard/Ownership in Random Games/beak-ownership",
)
SHOWN = 10
"""How many moves are named."""
LEAST = 0.005
"""Below this probability a move is not named."""


def shares_of(session: Session, colour: int | None = None) -> Array:
    """The probabilities of sensible moves and the pass: float64 (points + 1,)."""
    game = session.game
    turn = game.turn_of(game.to_play if colour is None else colour)
    return np.asarray(session.player.shares(turn)[0])


def likely(shares: Array, most: int = SHOWN, least: float = LEAST) -> list[int]:
    """The likeliest moves, best first; one at least."""
    order = np.argsort(-shares, kind="stable")[:most].tolist()
    return [move for place, move in enumerate(order) if not place or shares[move] >= least]


def rows(session: Session, cells: list[str]) -> str:
    """A word for every point, a line for every row."""
    size = session.game.size
    return "\n".join(" ".join(cells[r * size : (r + 1) * size]) for r in range(size))


@command("gogui-analyze_commands")
def analyze_commands(session: Session, arguments: list[str]) -> str:
    """What GoGui offers in its menu: kind, name and command."""
    return "\n".join(GOGUI)


@command("beak-moves")
def moves(session: Session, arguments: list[str]) -> str:
    """GoGui graphics: the likely moves with per cent, coloured by how likely they are."""
    shares, size = shares_of(session), session.game.size
    chosen = likely(shares)
    on_board = [move for move in chosen if move < session.game.points]
    lines = [f"COLOR {heat(shares[m], shares.max())} {vertex(m, size)}" for m in on_board]
    if on_board:
        labels = (f"{vertex(m, size)} {100 * shares[m]:.0f}" for m in on_board)
        lines.append("LABEL " + " ".join(labels))
    named = (f"{vertex(m, size)} {100 * shares[m]:.1f} %" for m in chosen[:5])
    return "\n".join([*lines, "TEXT " + ", ".join(named)])


@command("beak-heat")
def heat_map(session: Session, arguments: list[str]) -> str:
    """A colour for every point, from white to red."""
    shares = shares_of(session)
    most = shares[:-1].max()
    return rows(session, [heat(share, most) for share in shares[:-1].tolist()])


def heat(share: float, most: float) -> str:
    """A colour between white and red; the root, so that small shares are seen.

    >>> heat(0.0, 0.5), heat(0.5, 0.5)
    ('#ffffff', '#ff0000')
    """
    rest = round(255 * (1 - float(np.sqrt(share / most)))) if most > 0 else 255
    return f"#ff{rest:02x}{rest:02x}"


@command("beak-probabilities")
def probabilities(session: Session, arguments: list[str]) -> str:
    """The probability of every point."""
    return rows(session, [f"{share:.4f}" for share in shares_of(session)[:-1].tolist()])


@command("beak-ownership")
def owned(session: Session, arguments: list[str]) -> str:
    """Whose each point is at the end of random games, Black 1 to White -1."""
    return rows(session, [f"{value:.2f}" for value in ownership(session.game.boards).tolist()])


@command("lz-analyze")
def analyze(session: Session, arguments: list[str]) -> str:
    """The likely moves in one line; the answer ends when the next line comes."""
    named = [word for word in arguments if word.lower() in COLOURS]
    colour = coloured(session, named[0]) if named else None
    session.streaming = True
    return info(shares_of(session, colour), session.game.size)


def info(shares: Array, size: int) -> str:
    """'info move Q16 visits 431 winrate 5000 prior 4310 …' for each likely move, in one line."""
    words = []
    for order, move in enumerate(likely(shares)):
        name = vertex(move, size)
        words.append(
            f"info move {name} visits {max(1, round(1000 * shares[move]))} winrate 5000 "
            f"prior {round(10000 * shares[move])} lcb 5000 order {order} pv {name}"
        )
    return " ".join(words)
