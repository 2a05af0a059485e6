"""A board in letters: X Black, O White, the last move in brackets, coordinates around."""

from __future__ import annotations

from beak.ops.go_board.rules import BLACK, WHITE
from beak.play.game import Game
from beak.play.vertices import COLUMNS

LETTERS = {BLACK: "X", WHITE: "O"}


def stars(size: int) -> set[int]:
    """The points that a board has a dot on.

    >>> [divmod(point, 9) for point in sorted(stars(9))]
    [(2, 2), (2, 6), (4, 4), (6, 2), (6, 6)]
    """
    if size < 7:
        return set()
    edge, middle = (2 if size < 13 else 3), size // 2
    corners, odd = (edge, size - 1 - edge), size % 2 == 1
    found = {r * size + c for r in corners for c in corners}
    if odd:
        found.add(middle * size + middle)
    if odd and size >= 13:
        found |= {middle * size + c for c in corners} | {r * size + middle for r in corners}
    return found


def show_board(game: Game) -> str:
    """The board, whose turn it is, and what was taken: a line for each row."""
    size, look = game.size, game.look
    head = "   " + " ".join(COLUMNS[:size])
    lines, dots = [head], stars(size)
    for row in range(size):
        points = range(row * size, (row + 1) * size)
        text = ""
        for point in points:
            before = "(" if point == game.last else ")" if point - 1 == game.last else " "
            before = " " if before == ")" and point % size == 0 else before
            empty = "+" if point in dots else "."
            text += before + LETTERS.get(int(look.colours[0, point]), empty)
        text += ")" if game.last == points[-1] else " "
        lines.append(f"{size - row:2}{text}{size - row}")
    lines.append(head)
    turn = "Black (X)" if game.to_play == BLACK else "White (O)"
    lines.append(
        f"{turn} to play; Black has taken {look.black_took[0]}, White {look.white_took[0]}"
    )
    return "\n".join(lines)
