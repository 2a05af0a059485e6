"""Games of Go read once into a cache: two bytes a move, and what is known about each game."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, cast

import numpy as np

from beak.data.go_files import files_of, key_of, records_in
from beak.data.go_spec import PASS_NAME, POINT_NAMES
from beak.data.kept import made_store
from beak.data.report import NOTE, Finding, printable
from beak.data.sgf import SIZE, Game, read_games
from beak.data.split import PART_NAMES, UNKNOWN
from beak.data.store import (
    DamagedStoreError,
    Store,
    open_store,
    pack_names,
    unpack_names,
    write_store,
)
from beak.errors import DataError
from beak.ops.go_board.games import Games
from beak.ops.go_board.rules import REASONS, WHITE_BIT, Rules, decode
from beak.ops.go_board.symmetry import SYMMETRIES, turned_points

Array = np.ndarray[Any, Any]

DEFINITION = 1
"""Raised whenever the same file would become other moves, so that old caches are not used."""
SAME_OPENING = 50
"""Games whose first so many moves are the same, turned or not, are one game: a game that was
broken off and went on later is recorded twice."""
TOLERANT = Rules("simple", suicide=True)


@dataclass(frozen=True)
class Records:
    """Many games, as columns of one table."""

    games: Games
    names: list[str]
    """The file of each game, with #2, #3 … behind it where a file holds several."""
    keys: Array
    """uint8 (games, 16): the same for games with the same moves, turned or not."""
    openings: Array
    """uint8 (games, 16): the same for games that begin with the same 50 moves."""
    handicap: Array
    """int8: stones given, by the record's word or those that stand before the first move."""
    weaker: Array
    """int8: the rank of the weaker player, -128 where one is not known."""
    result: Array
    """int8: 1, -1, 0; 2 is not known."""
    given: Array
    """int8: the part by its folder, or split.UNKNOWN."""

    def take(self, index: Array) -> Records:
        """Some of the games, in that order."""
        g = self.games
        picked = Games(
            *_taken(g.moves, g.starts, index), *_taken(g.setup, g.setup_starts, index), g.size
        )
        columns = {f.name: getattr(self, f.name)[index] for f in fields(self)[2:]}
        return Records(picked, [self.names[i] for i in index.tolist()], **columns)


def _taken(values: Array, starts: Array, index: Array) -> tuple[Array, Array]:
    """The values of some games one after the other, and where each game's begin."""
    lengths = np.diff(starts)[index]
    ends = np.cumsum(lengths)
    made = np.concatenate([np.zeros(1, np.int64), ends]).astype(np.int64)
    shift = np.repeat(starts[:-1][index] - made[:-1], lengths)
    return np.asarray(values[np.arange(len(shift)) + shift]), made


@dataclass
class _Reading:
    """What is gathered on the way."""

    games: list[Game] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    broken: list[tuple[str, str]] = field(default_factory=list)
    left: Counter[str] = field(default_factory=Counter)
    """How many games were left out for what is no damage: "of 9x9", "without a move"."""


def load_records(
    source: Path, cache: Path, threads: int, progress: Callable[[int, int], None] | None
) -> tuple[Records, list[Finding]]:
    """All usable games of a source, from the cache or read into it. DataError: there are none."""
    files = files_of(source)
    path = cache / "go" / f"{DEFINITION}-{key_of(source, files)}.beak"
    findings: list[Finding] = []
    try:
        store = open_store(path)
        records = _from_store(store)
    except (FileNotFoundError, DamagedStoreError, KeyError, TypeError, ValueError) as error:
        if not isinstance(error, FileNotFoundError):
            text = f"the cache {path.name} was made again: {error}"
            findings.append(Finding(NOTE, text))
        read = _read_all(source, files, threads, progress)
        store, unkept = made_store(path, lambda to: _write(to, read))
        findings += unkept
        records = _from_store(store)
    findings += told_findings(store.info)
    if not len(records.games):
        raise DataError(f"{source}: {_none(store.info, len(files))}")
    return records, findings


def told_findings(info: dict[str, Any]) -> list[Finding]:
    """What was left out of a source, with files and reasons."""
    findings = []
    broken = info["broken"]
    if broken:
        what = "record cannot be used and is"
        if len(broken) > 1:
            what = "records cannot be used and are"
        told = tuple(f"{name}: {why}" for name, why in broken)
        findings.append(Finding("warning", f"{len(broken):,} {what} left out", told))
    for what, count in info["left"].items():
        games = "1 game" if count == 1 else f"{count:,} games"
        findings.append(Finding(NOTE, f"{games} {what} left out"))
    return findings


def _none(info: dict[str, Any], files: int) -> str:
    if info["broken"]:
        name, why = info["broken"][0]
        return f"no game can be used; the first: {printable(name)}: {printable(why)}"
    if info["left"]:
        return f"no game of 19x19 in it, only games {', '.join(info['left'])}"
    return "no .sgf file in it" if not files else "no game record in it"


def _read_all(
    source: Path, files: list[Path], threads: int, progress: Callable[[int, int], None] | None
) -> tuple[dict[str, Any], dict[str, Array]]:
    """Info and arrays of a store."""
    read = _Reading()
    for name, content in records_in(source, files, progress):
        if isinstance(content, str):
            read.broken.append((name, content))
            continue
        for number, found in enumerate(read_games(content), start=1):
            each = name if number == 1 else f"{name}#{number}"
            if isinstance(found, Game):
                read.games.append(found)
                read.names.append(each)
            elif found.size:
                read.left[f"of {found.size}"] += 1
            else:
                read.broken.append((each, found.reason))
    kept = _playable(read, threads)
    return (
        {"broken": read.broken, "left": dict(read.left)},
        _arrays([read.games[i] for i in kept], [read.names[i] for i in kept]),
    )


def _playable(read: _Reading, threads: int) -> list[int]:
    """Which games have moves that can all be played; the others are told."""
    games = Games.of([g.moves for g in read.games], [g.setup for g in read.games])
    legal, refused = games.check(TOLERANT, threads)
    kept = []
    for i, game in enumerate(read.games):
        if refused[i]:
            point = decode(game.moves[legal[i]])[0] if legal[i] < len(game.moves) else 0
            where = POINT_NAMES[point] if point < len(POINT_NAMES) else PASS_NAME
            why = f"move {legal[i] + 1} at {where}: {REASONS[refused[i]]}"
            read.broken.append((read.names[i], why))
        elif not game.moves:
            read.left["without a move"] += 1
        else:
            kept.append(i)
    return kept


def _arrays(games: list[Game], names: list[str]) -> dict[str, Array]:
    packed = Games.of([g.moves for g in games], [g.setup for g in games])
    keys = [_keys(g) for g in games]
    hashes = np.frombuffer(b"".join(a + b for a, b in keys), np.uint8).reshape(-1, 32)
    ranks = np.array([(g.black_rank, g.white_rank) for g in games], np.int8).reshape(-1, 2)
    stones = [max(g.handicap, len(g.setup)) for g in games]
    return {
        "moves": packed.moves,
        "starts": packed.starts,
        "setup": packed.setup,
        "setup_starts": packed.setup_starts,
        "names": pack_names(names),
        "keys": hashes[:, :16],
        "openings": hashes[:, 16:],
        "handicap": np.minimum(np.array(stones, np.int64), 127).astype(np.int8),
        "weaker": ranks.min(axis=1, initial=127),
        "result": np.array([g.result for g in games], np.int8),
    }


_TURNS = np.stack([turned_points(SIZE, s) for s in range(SYMMETRIES)]).astype(np.uint16)


def _keys(game: Game) -> tuple[bytes, bytes]:
    """Hashes of the whole game and of its opening: the same however the board is turned."""
    turned = [_turned(game.setup), _turned(game.moves)]
    whole, opening = [], []
    for s in range(SYMMETRIES):
        setup = np.sort(turned[0][s]).tobytes() + b"|"
        whole.append(setup + turned[1][s].tobytes())
        opening.append(setup + turned[1][s, :SAME_OPENING].tobytes())
    a, b = (hashlib.blake2b(min(texts), digest_size=16).digest() for texts in (whole, opening))
    return a, b


def _turned(moves: list[int]) -> Array:
    """Moves under each symmetry: uint16 (8, moves)."""
    written = np.array(moves, np.uint16)
    colour = written & np.uint16(WHITE_BIT)
    return np.asarray(_TURNS[:, written & np.uint16(WHITE_BIT - 1)] | colour)


def _write(path: Path, read: tuple[dict[str, Any], dict[str, Array]]) -> None:
    write_store(path, *read)


def _from_store(store: Store) -> Records:
    a = store.arrays
    moves, starts, setup, setup_starts = (
        np.asarray(a[name]) for name in ("moves", "starts", "setup", "setup_starts")
    )
    games = Games(moves, starts, setup, setup_starts, SIZE)
    names = unpack_names(a["names"]) if len(games) else []
    given = np.array([part_of(name) for name in names], np.int8)
    columns = {name: np.asarray(a[name]) for name in ("keys", "openings", "handicap", "weaker",
                                                     "result")}  # fmt: skip
    lengths = {len(games), len(names), *map(len, columns.values())}
    if len(lengths) > 1 or not isinstance(store.info["broken"], list):
        raise DamagedStoreError("its columns differ in length")
    return Records(games, names, given=given, **cast("dict[str, Any]", columns))


def part_of(name: str) -> int:
    """The part that a record's folder names, or UNKNOWN.

    >>> part_of("games/test/a.sgf"), part_of("a.sgf")
    (2, -1)
    """
    folders = name.lower().split("/")[:-1]
    return next((PART_NAMES[f] for f in folders if f in PART_NAMES), UNKNOWN)
