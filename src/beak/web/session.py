"""What the page looks at: one run, the inputs that came in, and examples where there are some."""

from __future__ import annotations

import hashlib
import tomllib
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any

import numpy as np

from beak.errors import DataError, UsageError
from beak.lens.ask import WHAT, subject_of
from beak.lens.explanation import Explanation
from beak.lens.subject import Look
from beak.runs.opened import Examples, OpenedInput
from beak.runs.run import Run

KEPT = 24
"""Inputs that are remembered, so that a link to one stays good; each keeps all its maps."""
MOST_EXAMPLES = 200
MOST_PATCH_EXAMPLES = 2000
LONGEST_TEXT = 1 << 16


@dataclass(frozen=True, eq=False)
class Seen:
    """One input's way through the network."""

    name: str
    opened: OpenedInput | None
    """None: an example of the data, which is prepared already."""
    look: Look
    about: Mapping[str, Any]
    """What the page shows beside it, such as a board's stones."""


class Session:
    """A run with the inputs that were looked at; one computation at a time."""

    def __init__(self, run: Run, source: str | None = None, data_dir: Any = None) -> None:
        """``source``: of examples; None is what the run was trained on, where that is still there.

        Raises RunError and UsageError as ``load`` does.
        """
        self.run = run
        self.subject = subject_of(run)
        self.lock = Lock()
        self._asked = source
        self._data_dir = data_dir
        self._seen: OrderedDict[str, Seen] = OrderedDict()
        self._told: OrderedDict[str, Explanation] = OrderedDict()
        self._examples: Examples | None = None
        self._patch_source: Any = None
        self._no_examples = ""

    def open(self, body: bytes, move: int | None = None) -> str:
        """Prepare one raw input (a file's bytes, or a text as UTF-8); its name for later."""
        mark = hashlib.sha256(body + f"#{move}".encode()).hexdigest()[:16]
        if mark not in self._seen:
            raw, about = self._raw(body, move)
            opened = self.run.opened(raw)
            look = Look.at(self.subject, opened.inputs)
            self._keep(mark, Seen(mark, opened, look, {**about, "notes": list(opened.notes)}))
        return mark

    def example(self, number: int) -> str:
        """One of the run's own examples by number; its name for later."""
        mark = f"example-{number}"
        if mark not in self._seen:
            examples = self.examples()
            if not 0 <= number < len(examples):
                raise UsageError(f"no example {number}; there are {len(examples)}")
            numbers = np.array([number])
            label = self.subject.label(int(examples.labels[number]))
            about = {"example": number, "name": examples.names([number])[0], "label": label}
            look = Look.at(self.subject, examples.fetch(numbers))
            row = np.asarray(examples.part.inputs[examples.chosen[numbers]])[0]
            about |= {"places": list(self.run.spec.place_names(row))}
            about |= _board(row) if self.run.spec.kind == "go" else {}
            self._keep(mark, Seen(mark, None, look, about))
        return mark

    def nothing(self) -> str:
        """An input of zeros: what the page opens on where there is nothing else."""
        if "nothing" not in self._seen:
            network = self.subject.network
            words = self.run.spec.kind == "texts"
            zeros = np.zeros((1, *network.input), np.int32 if words else np.float32)
            self._keep("nothing", Seen("nothing", None, Look.at(self.subject, zeros), {}))
        return "nothing"

    def seen(self, mark: str) -> Seen:
        """An input that came in before. UsageError where it is not known, or not any more."""
        if mark.startswith("example-") and mark[8:].isdecimal() and len(mark) < 20:
            self.example(int(mark[8:]))
        if mark not in self._seen:
            raise UsageError("this input is not there any more; give it again")
        self._seen.move_to_end(mark)
        return self._seen[mark]

    def explain(self, what: str, options: Mapping[str, Any], mark: str | None) -> Explanation:
        """One explanation of ``lens.ask.WHAT``; those of the network alone are computed once."""
        row = WHAT[what]
        given = {name: value for name, value in options.items() if value not in (None, "")}
        if row.needs == "input":
            seen = self.seen(mark or "")
            told = row.answer(self.subject, seen.look, given)
            return told if seen.opened is None else _by_name(told, seen.opened)
        key = f"{what} {sorted(given.items())}"
        if key not in self._told:
            source = self._patches_from() if row.needs == "examples" else None
            self._told[key] = self._worded(row.answer(self.subject, source, given))
            while len(self._told) > 4 * KEPT:
                self._told.popitem(last=False)
        return self._told[key]

    def _worded(self, told: Explanation) -> Explanation:
        """With the words of an explanation's word numbers as the fact ``words``, by number."""
        numbers = getattr(self.run.spec, "numbers", 0)
        arrays = [a for name, a in told.arrays.items() if name.split(".")[-1] in ("patch", "word")]
        if not numbers or not arrays:
            return told
        there = np.unique(np.concatenate([array.ravel() for array in arrays]))
        there = there[(there > 0) & (there < numbers)]
        words = dict(zip(map(str, there), self.run.spec.place_names(there), strict=True))
        return replace(told, facts={**told.facts, "words": words})

    def examples(self) -> Examples:
        """A few examples of the test part. DataError where the source is not there."""
        if self._examples is None:
            self._examples = self._from_source(MOST_EXAMPLES)
        return self._examples

    def _patches_from(self) -> Any:
        if self._patch_source is None:
            self._patch_source = self._from_source(MOST_PATCH_EXAMPLES)
        return self._patch_source

    @property
    def source(self) -> str:
        """Where examples come from; empty where nobody knows any."""
        return self._asked or _trained_on(self.run)

    def _from_source(self, most: int) -> Examples:
        source = self.source
        if not source:
            raise DataError("no examples are known for this run; beak look RUN --data SOURCE")
        if self._no_examples:
            raise DataError(self._no_examples)
        try:
            return self.run.examples(source, part="test", most=most, data_dir=self._data_dir)
        except Exception as error:
            self._no_examples = str(error).splitlines()[0]
            raise

    def _raw(self, body: bytes, move: int | None) -> tuple[Any, dict[str, Any]]:
        kind = self.run.spec.kind
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
        if kind != "go":
            return body, {}
        return _position(body, move)

    def _keep(self, mark: str, seen: Seen) -> None:
        self._seen[mark] = seen
        while len(self._seen) > KEPT:
            self._seen.popitem(last=False)


def _position(body: bytes, move: int | None) -> tuple[Any, dict[str, Any]]:
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


def _board(row: Any) -> dict[str, Any]:
    """The stones of a stored position, and who is to move."""
    from beak.data.go_spec import HEAD, PASS_MOVE, GoSpec

    stones = GoSpec.of("board").prepare(row[None])[0, 0].ravel().astype(int)
    turn = int(row[HEAD + int(row[0]) + int(row[1]) - 1])  # a pass without White's bit is Black's
    return {"stones": stones.tolist(), "black": turn == PASS_MOVE, "last": None, "next": None}


def _by_name(told: Explanation, opened: OpenedInput) -> Explanation:
    """A heat of words by the words that the reader sees, not by numbers."""
    if told.facts.get("where") != "words" or not opened.places:
        return told
    named = opened.by_name(told["heat"])[: len(opened.places)]
    return replace(told, arrays={**told.arrays, "heat": named})


def _trained_on(run: Run) -> str:
    """The source in the run's recipe; empty where none is told."""
    try:
        source = tomllib.loads(run.recipe).get("data", {}).get("source", "")
    except tomllib.TOMLDecodeError:
        return ""
    return source if isinstance(source, str) else ""
