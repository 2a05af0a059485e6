"""What boards, records and planes of Go share: colours, moves as numbers, rules, reasons.

A point is row x size + column, row 0 on top; the pass is size x size (361 on 19x19). In a record a
move is a uint16: the point, plus ``WHITE_BIT`` where White plays; a setup stone is written alike.
"""

from __future__ import annotations

from dataclasses import dataclass

from beak.errors import UsageError, did_you_mean

BLACK, WHITE, EMPTY = 1, -1, 0
WHITE_BIT = 0x8000
SMALLEST, LARGEST = 2, 25

KO_RULES = ("simple", "positional", "situational")

REASONS = (
    "",
    "off the board",
    "the point is occupied",
    "ko: the stone was just taken here",
    "suicide",
    "superko: the position was there before",
    "a setup stone leaves a chain without liberties",
    "no room left for another move",
)
"""Why a move is refused, by the number that the kernels return; 0 is a legal move."""
LEGAL, OFF_BOARD, OCCUPIED, KO, SUICIDE, SUPERKO, BAD_SETUP, FULL = range(8)


@dataclass(frozen=True)
class Rules:
    """What is forbidden: ``ko`` "simple", "positional" or "situational"; suicide unless allowed.

    Simple ko: a lone stone that has just taken one stone, and stands in atari, may not be taken at
    once. Positional superko: no board may come back; situational: no board with the same player to
    move. Passes are always legal. A suicide removes the chain, for the opponent.
    """

    ko: str = "simple"
    suicide: bool = False

    def __post_init__(self) -> None:
        if self.ko not in KO_RULES:
            raise UsageError(f"no ko rule {self.ko!r}{did_you_mean(str(self.ko), KO_RULES)}")


def check_size(size: int) -> int:
    """The size, or UsageError unless it is 2 to 25."""
    if not SMALLEST <= size <= LARGEST:
        raise UsageError(f"a board of {size}x{size}; boards have {SMALLEST} to {LARGEST} lines")
    return size


def encode(point: int, colour: int) -> int:
    """A move or setup stone as records hold it.

    >>> encode(3, BLACK), encode(3, WHITE), decode(32771)
    (3, 32771, (3, -1))
    """
    return point | (WHITE_BIT if colour == WHITE else 0)


def decode(move: int) -> tuple[int, int]:
    """Point and colour of a move as records hold it."""
    return move & ~WHITE_BIT, WHITE if move & WHITE_BIT else BLACK


HANDICAP = {
    2: "A C", 3: "A C D", 4: "A B C D", 5: "A B C D E", 6: "A B C D F G", 7: "A B C D E F G",
    8: "A B C D F G H I", 9: "A B C D E F G H I",
}  # fmt: skip


def handicap_points(stones: int, size: int = 19) -> list[int]:
    """Where fixed handicap stones stand, as GTP says; raises UsageError where there is no place.

    >>> [divmod(point, 19) for point in handicap_points(2)]
    [(15, 3), (3, 15)]
    """
    most = 9 if size % 2 and size > 7 else 4 if size >= 7 else 0
    if not 2 <= stones <= most:
        raise UsageError(f"no fixed handicap of {stones} stones on {size}x{size} (2 to {most})")
    edge = 2 if size < 13 else 3
    low, middle, high = edge, size // 2, size - 1 - edge
    places = {
        "A": (high, low), "B": (high, high), "C": (low, high), "D": (low, low),
        "E": (middle, middle), "F": (middle, low), "G": (middle, high),
        "H": (low, middle), "I": (high, middle),
    }  # fmt: skip
    return [places[name][0] * size + places[name][1] for name in HANDICAP[stones].split()]
