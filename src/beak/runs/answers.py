"""What is told about one raw input as JSON: by ``beak predict --json`` and by the service.

A raw input is opened into rows for the network, one or many; what it says to them is told as one
JSON object or, for a long recording, as one for each stretch of time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from beak.data.kinds import kind_of
from beak.errors import UsageError
from beak.runs.files import Array
from beak.runs.model import Model
from beak.runs.predictor import Prediction

if TYPE_CHECKING:
    from beak.data.sound_spec import SoundSpec

Told = list[dict[str, Any]]
TOP_MOVES = 5
"""Moves of a position that are told where nobody says how many."""


@dataclass(frozen=True, eq=False)
class Opened:
    """One raw input: its stored rows, and how the network's answers to them are told."""

    rows: Sequence[Array]
    notes: tuple[str, ...]
    """What was done to it, for the answer to its one row; nothing where it has several."""
    tell: Callable[[list[Prediction]], Told]


@dataclass(frozen=True)
class Wanted:
    """What is asked beside the input."""

    top: int | None = None
    """So many of the probabilities."""
    move: int | None = None
    """Go: before which move."""
    timeline: bool = False
    """Sounds: a time line of a long recording."""


def told(name: str, record: dict[str, Any]) -> dict[str, Any]:
    """A record about the input of that name.

    >>> told("cat.jpg", {"label": "cat"})
    {'input': 'cat.jpg', 'label': 'cat'}
    """
    return {"input": name} | record | {"input": name}


def open_raw(model: Model, raw: Any, name: str, wanted: Wanted) -> Opened:
    """One raw input of the model's kind, called ``name``. Raises DataError or UsageError."""
    if wanted.move is not None and model.spec.kind != "go":
        raise UsageError(f"move is for games of Go; {model.name} reads {model.spec.kind}")
    return DOORS.get(model.spec.kind, open_plainly)(model, raw, name, wanted)


def open_plainly(model: Model, raw: Any, name: str, wanted: Wanted) -> Opened:
    """A picture, a short sound, a text, an array: one row."""
    kind = kind_of(model.spec.kind)
    row, notes = kind.load_raw(raw, model.spec, kind.one)
    return Opened((row,), notes, lambda answers: [told(name, answers[0].to_json(wanted.top))])


def open_sound(model: Model, raw: Any, name: str, wanted: Wanted) -> Opened:
    """A sound; of a recording much longer than an input its windows, where that is wanted."""
    from beak.data.sounds import at_rate, recording_of
    from beak.runs.hearing import LONG, SILENCE, Windows

    spec, one = cast("SoundSpec", model.spec), kind_of("sounds").one
    found = recording_of(raw, spec.rate, one)
    if not wanted.timeline or len(found.samples) * spec.rate <= LONG * spec.samples * found.rate:
        return open_plainly(model, found, name, wanted)
    samples = at_rate(found.samples, found.rate, spec.rate)
    windows = Windows(samples, spec, SILENCE in model.labels)
    rows = tuple(kind_of("sounds").load_raw(each, spec, one)[0] for each in windows)

    def tell(answers: list[Prediction]) -> Told:
        return [told(name, heard.to_json()) for heard in windows.heard(answers)]

    return Opened(rows, (), tell)


def open_position(model: Model, raw: Any, name: str, wanted: Wanted) -> Opened:
    """A position of a game of Go: before a move, or at its end."""
    from beak.runs.go_games import beside, checked_number, open_game

    game, _ = open_game(raw, name)
    number = checked_number(game, wanted.move, name)
    row, notes = kind_of("go").load_raw((game, number), model.spec, name)

    def tell(answers: list[Prediction]) -> Told:
        moves = answers[0].probabilities
        return [told(name, beside(game, number, moves, wanted.top or TOP_MOVES).to_json())]

    return Opened((row,), notes, tell)


DOORS: dict[str, Callable[[Model, Any, str, Wanted], Opened]] = {
    "sounds": open_sound,
    "go": open_position,
}
"""By kind of input; the others are opened plainly."""
