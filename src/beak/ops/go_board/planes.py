"""The planes that networks read: which there are, and what each number of them means.

``FEATURES`` is the one table: reference, kernels, tests and docs/go-planes.md are made from it.
Names, order and numbers of planes are those of Silver et al., Nature 529 (2016), Extended Data
Table 2. All is seen from the player to move; whole numbers are one-hot, the last of eight
planes standing for "or more".
"""

from __future__ import annotations

from dataclasses import dataclass

from beak.errors import UsageError, did_you_mean

BUCKETS = 8


@dataclass(frozen=True)
class Feature:
    """One row: its planes, its meaning, and for one-hot numbers what the first plane stands for."""

    name: str
    planes: int
    meaning: str
    least: int | None = None

    def names(self) -> list[str]:
        """A name for each plane: the number it stands for behind the feature's name."""
        if self.least is None:
            return [self.name]
        numbers = [str(self.least + i) for i in range(self.planes)]
        return [f"{self.name} {number}" for number in [*numbers[:-1], f"{numbers[-1]}+"]]

    def plane(self, number: int) -> int:
        """Which of its planes a number sets, counted from 0."""
        return min(number - (self.least or 0), self.planes - 1)


FEATURES = (
    Feature("own stone", 1, "a stone of the player to move"),
    Feature("opponent stone", 1, "a stone of the other player"),
    Feature("empty", 1, "no stone"),
    Feature("ones", 1, "1 everywhere, so that a network sees where the board ends"),
    Feature(
        "turns since",
        BUCKETS,
        "how many turns ago the stone was played, passes counted; 1 is the last move; setup and "
        "handicap stones count as the oldest",
        least=1,
    ),
    Feature("liberties", BUCKETS, "how many liberties the stone's chain has", least=1),
    Feature(
        "capture size", BUCKETS, "how many stones of the other player a legal move takes", least=0
    ),
    Feature(
        "self-atari size",
        BUCKETS,
        "how many own stones the chain of a legal move has, if it is left with one liberty (or, "
        "where suicide is legal, with none); no plane if it has more",
        least=1,
    ),
    Feature(
        "liberties after",
        BUCKETS,
        "how many liberties the chain of a legal move has after it, own chains joined and captures "
        "off the board; no plane after a suicide",
        least=1,
    ),
    Feature(
        "ladder capture",
        1,
        "a legal move on one of the two liberties of a chain of the other player, after which "
        "that chain is caught in a ladder",
    ),
    Feature(
        "ladder escape",
        1,
        "a legal move after which an own chain in atari is safe from a ladder: at its liberty, or "
        "taking a neighbouring chain",
    ),
    Feature("sensible", 1, "a move that is legal and does not fill an own eye"),
    Feature("zeros", 1, "0 everywhere"),
    Feature("black to move", 1, "1 everywhere if the player to move is Black (value networks)"),
)

PLANES = tuple(name for feature in FEATURES for name in feature.names())
PLANE = {name: index for index, name in enumerate(PLANES)}
"""A plane's index by its name: ``PLANE["capture size 0"]`` is 20."""
FIRST = {feature.name: PLANE[feature.names()[0]] for feature in FEATURES}
"""The index of a feature's first plane."""

PLANE_SETS = {"alphago": 48, "alphago-value": 49, "alphago-20": 20, "alphago-12": 12,
              "alphago-4": 4, "board": 1}  # fmt: skip
"""How many planes a set has: the first so many of ``PLANES``; but "board" is a single one of its
own, 1 where Black stands, -1 White, 0 nobody. 4, 12 and 20 are the paper's ablations: without
history, with turns since, and with liberties too."""

LADDER_LIMIT = 500
"""Positions with the attacker to move (the chain having one or two liberties) that a ladder's
reading may visit, for each first move and chain. Past that nothing is decided: the move counts
neither as a capture nor as an escape."""


def planes_in(plane_set: str) -> int:
    """How many planes a set has; UsageError for an unknown one."""
    if plane_set not in PLANE_SETS:
        raise UsageError(f"no planes {plane_set!r}{did_you_mean(plane_set, PLANE_SETS)}")
    return PLANE_SETS[plane_set]


def table() -> str:
    """``FEATURES`` as a Markdown table."""
    lines = ["| planes | feature | numbers | set where |", "|---|---|---|---|"]
    for feature in FEATURES:
        first = FIRST[feature.name]
        where = f"{first}-{first + feature.planes - 1}" if feature.planes > 1 else f"{first}"
        last = (feature.least or 0) + feature.planes - 1
        numbers = "" if feature.least is None else f"{feature.least} to {last} or more"
        lines.append(f"| {where} | {feature.name} | {numbers} | {feature.meaning} |")
    return "\n".join(lines)
