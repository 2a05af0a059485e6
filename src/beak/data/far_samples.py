"""The samples of shards on a server: each shard is read once, and what is in it is kept."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from beak.data.damage import DAMAGED
from beak.data.far import bring, note_of
from beak.data.samples import Sample, samples_of
from beak.data.store import (
    DamagedStoreError,
    Store,
    open_store,
    pack_names,
    unpack_names,
    write_store,
)
from beak.errors import DataError


def far_samples(shard: Path, suffixes: frozenset[str]) -> Iterator[Sample]:
    """The samples of a shard on a server, with their contents' keys.

    Raises as ``samples_of`` does, and UnreachableError.
    """
    note = note_of(shard)
    kinds = "-".join(sorted(suffixes)).replace(".", "")[:40]
    kept = shard.with_name(f"{shard.name}.{kinds}.index")
    about = {"tag": note.tag if note else "", "size": note.size if note else 0}
    with contextlib.suppress(FileNotFoundError, DamagedStoreError, KeyError):
        store = open_store(kept)
        if store.info["about"] == about:
            return _from_index(store)
    found, damage = _read(shard, suffixes)
    with contextlib.suppress(DataError):  # no room: it is made again the next time
        _keep(kept, found, {"about": about, "damage": damage})
    return _told(found, damage)


def _read(shard: Path, suffixes: frozenset[str]) -> tuple[list[Sample], str]:
    """What a shard holds, and where it is damaged, why."""
    while True:
        bring(shard)
        found: list[Sample] = []
        try:
            for sample in samples_of(shard, suffixes, hashed=True):
                found.append(sample)
        except FileNotFoundError:  # another process has let it go
            continue
        except DataError:
            raise
        except DAMAGED as error:
            return found, str(error) or type(error).__name__
        return found, ""


def _keep(path: Path, found: list[Sample], info: dict[str, Any]) -> None:
    texts = {part: [getattr(one, part) for one in found] for part in ("key", "label", "name")}
    places = np.array([(one.begin, one.size) for one in found], np.int64).reshape(-1, 2)
    contents = b"".join(one.content or bytes(16) for one in found)
    arrays = {name: pack_names(rows) for name, rows in texts.items()}
    arrays |= {"places": places, "contents": np.frombuffer(contents, np.uint8)}
    write_store(path, {**info, "samples": len(found)}, arrays)


def _from_index(store: Store) -> Iterator[Sample]:
    """What was kept. DamagedStoreError where it does not fit together."""
    a, count = store.arrays, store.info["samples"]
    texts = [unpack_names(a[name]) if count else [] for name in ("key", "label", "name")]
    places, contents = np.asarray(a["places"]), a["contents"].tobytes()
    lengths = {*map(len, texts), len(places), len(contents) / 16}
    if lengths != {count}:
        raise DamagedStoreError("its parts do not fit each other")
    found = [
        Sample(key, label, name, int(place[0]), int(place[1]), contents[16 * i : 16 * i + 16])
        for i, (key, label, name, place) in enumerate(zip(*texts, places, strict=True))
    ]
    return _told(found, str(store.info["damage"]))


def _told(found: list[Sample], damage: str) -> Iterator[Sample]:
    yield from found
    if damage:
        raise EOFError(damage)
