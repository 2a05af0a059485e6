"""Records of Go games as a kind of input: one example is a position, its label the next move."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, cast

import numpy as np

from beak.data.augment import Augmentation
from beak.data.dataset import Dataset, Part
from beak.data.go_files import content_of
from beak.data.go_positions import PHASES, Positions
from beak.data.go_spec import GoSpec, row_of
from beak.data.kinds import Kind
from beak.data.rows import Pixels, Rows
from beak.data.sgf import Game, main_game
from beak.data.spec import InputSpec
from beak.data.streams import uniforms
from beak.data.wishes import Wishes
from beak.errors import DataError, UsageError
from beak.ops.go_board.games import Games
from beak.ops.go_board.rules import REASONS, Rules, decode
from beak.ops.go_board.symmetry import SYMMETRIES, turned_points

Array = np.ndarray[Any, Any]

_TURNS = np.stack([turned_points(19, s) for s in range(SYMMETRIES)])
"""int64 (8, 362): where each move goes."""


class Go(Kind):
    """SGF files, one by one or in archives."""

    name: ClassVar[str] = "go"
    one: ClassVar[str] = "position"
    suffixes: ClassVar[frozenset[str]] = frozenset({".sgf"})
    spec_type: ClassVar[type[InputSpec]] = GoSpec

    def load_raw(self, raw: Any, spec: InputSpec, name: str) -> tuple[Array, tuple[str, ...]]:
        """The position at the end of a record (path, or the bytes of one), or before a move.

        ``(record, 57)`` is the position in which move 57 was played, 1 the first.
        """
        record, move = raw if isinstance(raw, tuple) and len(raw) == 2 else (raw, None)
        name = str(record) if isinstance(record, str | Path) else name
        game, notes = load_game(record, name)
        number = len(game.moves) if move is None else int(move) - 1
        return position_row(game, number, name), notes

    def read(self, source: Path, wishes: Wishes) -> Dataset:
        """Folders, archives and single files of records."""
        from beak.data.go_source import read

        return read(source, wishes)

    def built_in(self, name: str, wishes: Wishes) -> Dataset:
        """The games that come with beak."""
        from beak.data.builtin import GO_DEMO_FILE
        from beak.data.go_source import read

        if name != "go-demo":
            raise UsageError(f"no built-in set of games {name!r}")
        return replace(read(GO_DEMO_FILE, wishes), name=name)

    def augmented(
        self,
        inputs: Pixels,
        chosen: Array,
        spec: InputSpec,
        augmentation: Augmentation,
        *,
        seed: int,
        epoch: int,
        threads: int = 1,
    ) -> Array:
        """Each position turned and mirrored in one of the eight ways."""
        turned = symmetries(chosen, augmentation, seed=seed, epoch=epoch)
        return cast(GoSpec, spec).turned(inputs[chosen], turned, threads)

    def changed_labels(
        self, labels: Array, chosen: Array, augmentation: Augmentation, *, seed: int, epoch: int
    ) -> Array:
        """The moves, turned as their boards are; a pass stays."""
        turned = symmetries(chosen, augmentation, seed=seed, epoch=epoch)
        return np.asarray(_TURNS[turned, labels].astype(np.int32))

    def views(self, spec: InputSpec) -> int:
        """A board has eight."""
        return SYMMETRIES

    def view(
        self, stored: Array, spec: InputSpec, number: int, classes: int
    ) -> tuple[Array, Array]:
        """The boards under symmetry ``number``, and where each answer stands in them."""
        planes = cast(GoSpec, spec).turned(stored, number, _threads())
        return planes, _TURNS[number, :classes]

    def strata(self, part: Part) -> tuple[tuple[str, ...], Array] | None:
        """The phase of the game that each position is in."""
        rows = part.inputs
        if not isinstance(rows, Rows) or not isinstance(rows.base, Positions):
            return None
        return tuple(name for name, _ in PHASES), rows.base.phase_of(rows.index)


def _threads() -> int:
    from beak.ops.kernel import default_threads

    return default_threads()


def symmetries(chosen: Array, augmentation: Augmentation, *, seed: int, epoch: int) -> Array:
    """Which symmetry each example is seen in, in this epoch: int64 (B,), 0 without any."""
    if not augmentation.symmetries:
        return np.zeros(len(chosen), np.int64)
    numbers = uniforms(seed, "symmetry", epoch, np.asarray(chosen, np.int64), 1)[:, 0]
    return np.asarray((numbers * SYMMETRIES).astype(np.int64))


def load_game(record: Any, name: str) -> tuple[Game, tuple[str, ...]]:
    """A record that can be played to its end, from a path or bytes, and notes. DataError."""
    if isinstance(record, Game):
        return record, ()
    if isinstance(record, str | Path):
        record = content_of(Path(record), name)
    if not isinstance(record, bytes | bytearray | memoryview):
        raise DataError(f"{name}: {type(record).__name__} is no game record; give an SGF file")
    game, count = main_game(bytes(record), name)
    legal, refused = Games.of([game.moves], [game.setup]).check(Rules(suicide=True))
    if refused[0]:
        raise DataError(f"{name}: move {legal[0] + 1}: {REASONS[refused[0]]}")
    notes = (f"it holds {count} games; the first is taken",) if count > 1 else ()
    return game, notes


def position_row(game: Game, number: int, name: str) -> Array:
    """The stored row after ``number`` moves of a game. UsageError where it has not as many."""
    moves = game.moves
    if not 0 <= number <= len(moves):
        raise UsageError(f"{name}: no move {number + 1}; the game has {len(moves)} moves")
    return row_of(game.setup, moves[:number], to_play(game, number))


def played(game: Game, number: int) -> int:
    """The point of a game's move, 1 the first; 361 is the pass."""
    return decode(game.moves[number - 1])[0]


def to_play(game: Game, number: int) -> int:
    """Who plays after ``number`` moves: as the record says, at its end who did not play last."""
    if number < len(game.moves):
        return decode(game.moves[number])[1]
    if game.moves:
        return -decode(game.moves[-1])[1]
    return -1 if game.setup or game.handicap > 1 else 1


KIND = Go()
