"""``beak predict`` for Go: the likeliest moves of a position, or a whole game move by move."""

from __future__ import annotations

import string
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from beak.cli.console import how_many, make_console, note, on_terminal, percent, plain, print_json
from beak.cli.paths import nearest_path
from beak.errors import DataError, UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from beak.cli.asked import Asked
    from beak.data.sgf import Game
    from beak.runs.go_games import Suggestion
    from beak.runs.predictor import Predictor

FARTHEST = 10
"""Moves of a whole game that are shown on a terminal: those farthest from what was expected."""


def predict_go(asked: Asked) -> None:
    """Answer for each record: one position, or with ``suggest`` every move."""
    from beak.runs.go_games import open_game

    if asked.suggest and asked.move is not None:
        raise UsageError("--suggest is about the whole game: leave out --move")
    if asked.suggest and len(asked.inputs) > 1:
        raise UsageError(f"--suggest is about one game, {len(asked.inputs)} were given")
    predictor = asked.predictor()
    for name, record in records_of(asked.inputs):
        game, notes = open_game(record, name)
        for text in notes:
            note(f"{name}: {text}")
        if asked.suggest:
            show_game(predictor, game, name, asked.top, asked.as_json)
        else:
            show_position(predictor, game, name, asked.move, asked.top, asked.as_json)


def records_of(inputs: tuple[str, ...]) -> list[tuple[str, Path | bytes]]:
    """Each input with its name: a record's path, or - for one on standard input."""
    found: list[tuple[str, Path | bytes]] = []
    for text in inputs:
        path = Path(text)
        if text == "-":
            found.append(("standard input", sys.stdin.buffer.read()))
        elif path.is_dir():
            records = sorted(path.rglob("*.sgf"))
            if not records:
                raise DataError(f"no .sgf file under '{text}'")
            found += [(str(record), record) for record in records]
        elif path.exists():
            found.append((text, path))
        else:
            raise UsageError(f"no file or folder '{text}'{nearest_path(path)}")
    return found


def show_position(
    predictor: Predictor, game: Game, name: str, move: int | None, top: int | None, as_json: bool
) -> None:
    """The likeliest moves before a move of the game, or at its end."""
    from beak.runs.answers import TOP_MOVES, told
    from beak.runs.go_games import checked_number, colours_at, suggestions

    number = checked_number(game, move, name)
    (suggested,) = suggestions(predictor, game, name, [number], top or TOP_MOVES)
    if as_json:
        print_json(told(name, suggested.to_json()))
        return
    if not on_terminal():
        for point, probability in suggested.expected if top else suggested.expected[:1]:
            print(plain(name), point, f"{probability:.4f}", sep="\t")
        return
    console = make_console()
    draw_position(console, colours_at(game, number - 1, name), game, suggested)


def draw_position(console: Console, colours: object, game: Game, told: Suggestion) -> None:
    """The board with letters where moves are expected, and what each letter is."""
    import numpy as np

    from beak.cli.go_board import board_lines
    from beak.data.go_kind import played
    from beak.data.go_spec import POINT_NAMES

    place = {point: i for i, point in enumerate(POINT_NAMES)}
    letters = string.ascii_lowercase
    stones = np.asarray(colours)
    marks = {
        place[point]: letters[i]
        for i, (point, _) in enumerate(told.expected[:26])
        if point in place and not stones[place[point]]  # a network may answer what is no move
    }
    before = played(game, told.number - 1) if told.number > 1 else None
    in_colour = console.is_terminal and not console.no_color
    side = [f"move {told.number}, {told.colour} to play", ""]
    for i, (point, probability) in enumerate(told.expected[:26]):
        here = "  played" if point == told.played else ""
        side.append(f"{letters[i]}  {point:4} {percent(probability):>7}{here}")
    if told.played and told.played not in dict(told.expected):
        side += ["", _played(told)]
    for i, line in enumerate(board_lines(stones, marks, before, in_colour)):
        beside = f"   {side[i - 1]}" if 0 < i <= len(side) else ""
        console.print(line, beside, sep="", no_wrap=True, highlight=False)


def _played(told: Suggestion) -> str:
    if told.rank is None or told.probability is None:
        return f"played: {told.played}, which the network does not answer"
    return f"played: {told.played}, number {told.rank} with {percent(told.probability)}"


def show_game(predictor: Predictor, game: Game, name: str, top: int | None, as_json: bool) -> None:
    """Every move beside what was expected; on a terminal those that are farthest from it."""
    from beak.runs.answers import told
    from beak.runs.go_games import suggestions

    every = suggestions(predictor, game, name)
    if as_json:
        for each in every:
            print_json(told(name, each.to_json()))
        return
    if not on_terminal():
        for each in every:
            rank = "-" if each.rank is None else str(each.rank)
            sure = f"{each.probability or 0:.4f}"
            point, probability = each.expected[0]
            print(each.number, each.colour, each.played, rank, sure, point, f"{probability:.4f}",
                  sep="\t")  # fmt: skip
        return
    show_farthest(make_console(), every, name, top or FARTHEST)


def show_farthest(console: Console, told: list[Suggestion], name: str, most: int) -> None:
    """How often each player played as expected, and where they left the path."""
    from rich.table import Table

    known = [each for each in told if each.rank is not None]
    console.print(f"{plain(name)}: {how_many(len(told), 'move')}", style="label")
    for colour in ("black", "white"):
        mine = [each.rank for each in known if each.colour == colour and each.rank]
        if mine:
            first, five = (sum(rank <= n for rank in mine) / len(mine) for n in (1, 5))
            console.print(
                f"  {colour}: {percent(first)} the expected move, "
                f"{percent(five)} among the five likeliest"
            )
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 3, 0, 0))
    for heading in ("move", "", "played", "", "its place", "expected", ""):
        table.add_column(heading, justify="right" if heading in ("move", "its place") else "left")
    farthest = sorted(known, key=lambda each: -each.apart)[:most]
    for each in sorted(farthest, key=lambda each: each.number):
        point, probability = each.expected[0]
        table.add_row(
            str(each.number), each.colour, each.played, percent(each.probability or 0),
            str(each.rank), point, percent(probability),
        )  # fmt: skip
    console.print("\nfarthest from what was expected", style="dim")
    console.print(table)
