"""What came in over HTTP as a raw input: a file's bytes, a text, a position of a game."""

from __future__ import annotations

from typing import Any

import numpy as np

from beak.errors import DataError

LONGEST_TEXT = 1 << 16


def read(kind: str, body: bytes, move: int | None) -> tuple[Any, dict[str, Any]]:
    """A raw input as the run opens it, and what the page shows beside it. Raises DataError."""
    if not body:
        raise DataError("nothing came; a file or a text was wanted")
    if kind == "texts":
        if len(body) > LONGEST_TEXT:
            raise DataError(f"a text of {len(body):,} bytes; {LONGEST_TEXT:,} are taken")
        return body.decode("utf-8", "replace"), {}
    if kind == "numbers":
        if len(body) % 4:
            raise DataError(f"{len(body):,} bytes are no float32 numbers")
        return np.frombuffer(body, "<f4"), {}
    return position(body, move) if kind == "go" else (body, {})


def position(body: bytes, move: int | None) -> tuple[Any, dict[str, Any]]:
    """A game as (game, number of the next move), and its board for the page."""
    from beak.data.go_kind import played, to_play
    from beak.runs.go_games import colours_at, open_game

    game, notes = open_game(body, "the game")
    last = len(game.moves)
    after = last if move is None else move
    stones = colours_at(game, after, "the game")
    about = {
        "stones": stones.tolist(),
        "move": after,
        "moves": last,
        "black": to_play(game, after) > 0,
        "last": played(game, after) if after else None,
        "next": played(game, after + 1) if after < last else None,
        "notes": list(notes),
    }
    return (game, after + 1), about


def board(row: Any) -> dict[str, Any]:
    """The stones of a stored position, and who is to move."""
    from beak.data.go_spec import HEAD, PASS_MOVE, GoSpec

    stones = GoSpec.of("board").prepare(row[None])[0, 0].ravel().astype(int)
    turn = int(row[HEAD + int(row[0]) + int(row[1]) - 1])  # a pass without White's bit is Black's
    return {"stones": stones.tolist(), "black": turn == PASS_MOVE, "last": None, "next": None}
