"""The rules that players agree on, by name: what may be repeated, suicide, and how points count."""

from __future__ import annotations

from dataclasses import dataclass

from beak.errors import UsageError, did_you_mean
from beak.ops.go_board.rules import Rules


@dataclass(frozen=True)
class Ruleset:
    """One set of rules."""

    name: str
    ko: str
    """As in ``ops.go_board.rules.Rules``: "simple", "positional" or "situational"."""
    suicide: bool
    scoring: str
    """"area" or "territory"."""
    komi: float
    """What White gets in an even game."""
    handicap: int | None = None
    """White is paid a point for each handicap stone but so many; None: nothing."""
    all_alive: bool = False
    """Whether every stone on the board counts, so that the dead ones must be taken."""

    @property
    def own(self) -> Rules:
        """What our player keeps to, in any ruleset: no position comes back, no suicide.

        ``Game.refusal`` tells what the other player may do besides.
        """
        return Rules("positional" if self.ko == "simple" else self.ko)


RULESETS = {
    each.name: each
    for each in (
        Ruleset("chinese", "simple", False, "area", 7.5, handicap=0),
        Ruleset("japanese", "simple", False, "territory", 6.5),
        Ruleset("aga", "situational", False, "area", 7.5, handicap=1),
        Ruleset("new-zealand", "situational", True, "area", 7.0, handicap=0),
        Ruleset("tromp-taylor", "positional", True, "area", 7.5, all_alive=True),
    )
}


def ruleset(name: str) -> Ruleset:
    """The rules of that name; UsageError with the nearest one."""
    if name not in RULESETS:
        raise UsageError(f"no rules {name!r}{did_you_mean(name, RULESETS)}")
    return RULESETS[name]
