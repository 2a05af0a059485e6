"""From game records to a data set: which games, which side each is on, which positions."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from beak.data.augment import Augmentation
from beak.data.dataset import Dataset, Part
from beak.data.go_positions import GroupKeys, NamesOfPositions, Positions, places_of
from beak.data.go_records import Records, load_records
from beak.data.go_spec import MOVES, MOVES_AND_PASS, GoSpec
from beak.data.report import NOTE, SUMMARY, WARNING, Finding, Report
from beak.data.rows import Names, Rows
from beak.data.sgf import UNKNOWN_RANK, UNKNOWN_RESULT, rank_of
from beak.data.split import (
    PARTS,
    TEST,
    TEST_SHARE,
    TRAIN,
    UNKNOWN,
    VALIDATION,
    VALIDATION_SHARE,
    groups_of,
    numbers,
)
from beak.data.wishes import Wishes
from beak.errors import DataError, UsageError
from beak.ops.go_board.planes import PLANE_SETS

Array = np.ndarray[Any, Any]

HELD_OUT = 10_000


@dataclass(frozen=True)
class Filters:
    """Which games and positions are wanted; the recipe's [data] keys of the same names."""

    planes: str = "alphago"
    min_moves: int = 0
    min_rank: str = ""
    decided: bool = False
    handicap: bool = True
    passes: bool = False
    games: int = 0
    held_out: int = HELD_OUT

    @classmethod
    def of(cls, wishes: Wishes) -> Filters:
        """What was asked for; a trained network's planes and answers come first."""
        known = {f: v for f, v in wishes.options.items() if f in cls.__dataclass_fields__}
        planes = wishes.options.get("channels")  # of a network that the user made
        if planes is not None and "planes" not in known:
            known["planes"] = _set_of(planes)
        if isinstance(wishes.spec, GoSpec):
            known["planes"] = wishes.spec.planes
        if wishes.labels is not None:
            known["passes"] = wishes.labels == MOVES_AND_PASS
        return cls(**known)


def _set_of(planes: int) -> str:
    """The set that has so many planes. Raises DataError."""
    sets = {count: name for name, count in PLANE_SETS.items()}
    if planes not in sets:
        counts = ", ".join(map(str, sorted(sets)))
        raise DataError(f"the network reads {planes} planes; positions of Go have {counts}")
    return sets[planes]


def read(source: Path, wishes: Wishes) -> Dataset:
    """The positions of a source's games. Raises DataError, UsageError."""
    filters = Filters.of(wishes)
    records, findings = load_records(source, wishes.cache, wishes.threads, wishes.progress)
    records, told = filtered(records, filters, source)
    findings += told
    parts, told = split_games(records)
    findings += told
    if filters.games:
        records, parts = _fewer(records, parts, filters.games)
    labels = MOVES_AND_PASS if filters.passes else MOVES
    if wishes.labels is not None and wishes.labels not in (MOVES, MOVES_AND_PASS):
        raise DataError(f"{source}: the network's labels are not the moves of a board of 19x19")
    made, told = _parts(records, parts, filters)
    findings += told
    if wishes.labels is None:
        if not len(made["train"]):
            raise DataError(f"{source}: no position is left to train on; more games are needed")
        empty = [part for part in PARTS if not len(made[part])]
        findings += [Finding(WARNING, f"nothing is left for the {part} part") for part in empty]
    counts = ", ".join(f"{len(made[name]):,} {name}" for name in PARTS)
    total = sum(map(len, made.values()))
    summary = Finding(SUMMARY, f"{total:,} positions of {len(records.names):,} games: {counts}")
    report = Report((summary, *findings))
    if wishes.strict and report.warnings:
        raise DataError(f"{source.name}: {report.warnings[0].line()} (strict)")
    name = source.resolve().name or str(source)
    return Dataset(
        name, "go", labels, GoSpec.of(filters.planes), made, report,
        augmentation=Augmentation(symmetries=True),
        fingerprint=_fingerprint(records, parts, filters, labels),
        group_word="game",
    )  # fmt: skip


def filtered(records: Records, filters: Filters, source: Path) -> tuple[Records, list[Finding]]:
    """The games that are wanted, and how many are left out for what."""
    reasons = [
        (records.games.lengths < filters.min_moves, f"with fewer than {filters.min_moves} moves")
    ]
    if filters.min_rank:
        least = rank_of(filters.min_rank)
        if least == UNKNOWN_RANK:
            raise UsageError(f"data.min_rank = {filters.min_rank!r}: wanted a rank such as 6d")
        reasons.append((records.weaker < least, f"with a player below {filters.min_rank}"))
    if filters.decided:
        reasons.append((records.result == UNKNOWN_RESULT, "without a known result"))
    if not filters.handicap:
        reasons.append((records.handicap > 1, "with handicap"))
    keep, findings = np.ones(len(records.names), bool), []
    for unwanted, why in reasons:
        count = int((keep & unwanted).sum())
        keep &= ~unwanted
        if count:
            findings.append(Finding(NOTE, f"{_games(count)} {why} left out"))
    if not keep.any():
        told = "; ".join(finding.text for finding in findings)
        raise DataError(f"{source}: no game is left: {told}")
    return (records if keep.all() else records.take(np.flatnonzero(keep))), findings


def _games(count: int) -> str:
    return "1 game" if count == 1 else f"{count:,} games"


def split_games(records: Records) -> tuple[Array, list[Finding]]:
    """The part of each game int8, by its opening's hash or as the source gives it.

    Games that are one, because they are repeated, turned or went on later, are on one side: the
    later one, so that nothing of the test is trained on.
    """
    share = numbers(records.openings).astype(np.float64) / 2.0**64
    given = records.given
    parts = np.full(len(share), TRAIN, np.int8)
    groups = groups_of(records.openings)
    if (given == UNKNOWN).all():
        parts[share >= 1 - TEST_SHARE - VALIDATION_SHARE] = VALIDATION
        parts[share >= 1 - TEST_SHARE] = TEST
        _never_empty(parts, share, groups)
        findings = [Finding(NOTE, "split by game: 80 % train, 10 % validation, 10 % test")]
    else:
        parts = np.where(given == UNKNOWN, TRAIN, given).astype(np.int8)
        for part in (VALIDATION, TEST):
            low = 1 - VALIDATION_SHARE * part
            if not (given == part).any():
                here = (parts == TRAIN) & (share >= low) & (share < low + VALIDATION_SHARE)
                parts[here] = part
        latest = np.full(int(groups.max()) + 1, TRAIN, np.int8)
        np.maximum.at(latest, groups, parts)
        moved = int((latest[groups] != parts).sum())
        parts = latest[groups]
        findings = [Finding(NOTE, "the source's own parts are kept, by folder")]
        if moved:
            text = f"{_games(moved)} also in a part that is held out from them: moved there"
            findings.append(Finding(WARNING, text))
    return parts, findings + _repeated(records, groups)


def _never_empty(parts: Array, share: Array, groups: Array) -> None:
    """A game each for validation and test, where there are three that differ."""
    for part in (TEST, VALIDATION):
        there = np.unique(groups[parts == TRAIN])
        if not (parts == part).any() and len(there) > 1:
            free = np.flatnonzero(parts == TRAIN)
            parts[groups == groups[free[share[free].argmax()]]] = part
    if not (parts == TRAIN).any():
        parts[groups == groups[share.argmin()]] = TRAIN


def _repeated(records: Records, groups: Array) -> list[Finding]:
    findings = []
    whole = groups_of(records.keys)
    extra = len(whole) - len(np.unique(whole))
    if extra:
        _, first = np.unique(whole, return_index=True)
        again = np.setdiff1d(np.arange(len(whole)), first)
        files = tuple(records.names[i] for i in again.tolist())
        text = f"{_games(extra)} repeated, kept on the side of the first one"
        findings.append(Finding(NOTE, text, files))
    begun = len(np.unique(whole)) - len(np.unique(groups))
    if begun > 0:
        text = f"{_games(begun)} begin as another one, kept on its side"
        findings.append(Finding(NOTE, text))
    return findings


def _fewer(records: Records, parts: Array, games: int) -> tuple[Records, Array]:
    """So many training games, chosen by their hashes so that fewer are always some of more."""
    train = np.flatnonzero(parts == TRAIN)
    order = train[np.argsort(numbers(records.keys[train], 1), kind="stable")]
    kept = np.sort(np.concatenate([order[:games], np.flatnonzero(parts != TRAIN)]))
    return records.take(kept), parts[kept]


def _parts(
    records: Records, parts: Array, filters: Filters
) -> tuple[dict[str, Part], list[Finding]]:
    positions = Positions(records)
    places = places_of(records, filters.passes)
    side = parts[positions.game_of(places)]
    names, keys = NamesOfPositions(positions), GroupKeys(positions)
    made, findings = {}, []
    for p, part in enumerate(PARTS):
        index = places[side == p]
        whole = len(index)
        if p != TRAIN and filters.held_out and whole > filters.held_out:
            index = index[np.linspace(0, whole - 1, filters.held_out).round().astype(np.int64)]
            text = (
                f"{part}: {len(index):,} of {whole:,} positions, spread evenly over all its games"
            )
            findings.append(Finding(NOTE, text))
        made[part] = Part(
            Rows(positions, index), positions.played(index), Names(names, index),
            groups=Rows(keys, index),
        )  # fmt: skip
    return made, findings


def _fingerprint(records: Records, parts: Array, filters: Filters, labels: Sequence[str]) -> str:
    digest = hashlib.blake2b(repr((filters, len(labels))).encode(), digest_size=16)
    for column in (records.keys, parts):
        digest.update(np.ascontiguousarray(column).tobytes())
    return digest.hexdigest()
