"""Decoding picture files in parallel into a new cache file."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from beak.data.decode import DAMAGED_NOTES, Decoded, decode_file
from beak.data.found import Found
from beak.data.manifest import NOTHING, Manifest
from beak.data.picture_assemble import channel_sums
from beak.data.picture_spec import PictureSpec
from beak.data.pictures import fit
from beak.data.store import DamagedStoreError, StoreWriter, open_store
from beak.data.wishes import Progress
from beak.errors import DataError

Array = np.ndarray[Any, Any]

CHUNK = 256
SEE_THROUGH, GREY, FRAMES, TURNED, UNSURE = 1, 2, 4, 8, 16


def build_store(
    path: Path,
    found: Found,
    manifest: Manifest,
    spec: PictureSpec,
    cache: Path,
    threads: int,
    progress: Progress | None,
) -> None:
    """Decode every different file once; pictures that the source's last store has are copied."""
    whole = np.ascontiguousarray(manifest.keys).view("V16")[:, 0]
    _, first = np.unique(whole, return_index=True)
    todo = [i for i in np.sort(first).tolist() if manifest.keys[i].tobytes() != NOTHING]
    old = _old_rows(cache, manifest, spec)
    meta: dict[str, list[Array]] = {"keys": [], "hashes": [], "sums": [], "flags": []}
    problems: dict[str, str] = {}
    gone: set[bytes] = set()
    expected = len(todo) * int(np.prod(spec.shape))
    with StoreWriter(path, expected) as writer:
        writer.start("pixels", "|u1", spec.shape)
        done = 0
        for chunk in decoded_chunks(found, manifest.keys, todo, spec, old, threads):
            good = [made for made in chunk if not isinstance(made[1], str)]
            problems |= {m[0].hex(): m[1] for m in chunk if isinstance(m[1], str) and m[2] != GONE}
            gone |= {m[0] for m in chunk if m[2] == GONE}
            if good:
                pixels = np.stack([made[1] for made in good])
                writer.append(pixels)
                meta["keys"].append(np.frombuffer(b"".join(m[0] for m in good), np.uint8))
                meta["hashes"].append(np.frombuffer(b"".join(m[2] for m in good), np.uint8))
                meta["sums"].append(channel_sums(pixels))
                meta["flags"].append(np.array([m[3] for m in good], np.uint8))
            done += len(chunk)
            if progress:
                progress(done, len(todo))
        writer.end()
        if not meta["keys"]:
            why = next(iter(problems.values()), "no file can be opened")
            raise DataError(
                f"none of the {len(found.names)} pictures can be read; the first: {why}"
            )
        for name, pieces in meta.items():
            values = np.concatenate(pieces)
            writer.add(name, values.reshape(-1, 16) if name in ("keys", "hashes") else values)
        writer.finish({"problems": problems, "input": spec.to_json()})
    manifest.forget(gone)
    last = manifest.info.get("store")
    if isinstance(last, str) and last != path.name and "/" not in last:
        with contextlib.suppress(OSError):
            (path.parent / last).unlink()


GONE = b"gone"
Made = tuple[bytes, Any, bytes, int]
"""Key, pixels (C, H, W) or the reason why there are none, content hash (or GONE), flags."""


def decoded_chunks(
    found: Found,
    keys: Array,
    todo: list[int],
    spec: PictureSpec,
    old: dict[bytes, Made],
    threads: int,
) -> Iterator[list[Made]]:
    """What the files of ``todo`` become, a chunk at a time, in their order."""

    def make(i: int) -> Made:
        key = keys[i].tobytes()
        if key in old:
            store_row = old[key]
            return key, np.asarray(store_row[1]), store_row[2], store_row[3]
        try:
            picture = decode_file(found.path(i), found.names[i])
        except DataError as error:
            there = found.there(i)
            return key, str(error).removeprefix(f"{found.names[i]}: "), b"" if there else GONE, 0
        pixels, _ = fit(picture.pixels, spec)
        return key, pixels, picture.content_hash(), _flags(picture)

    with ThreadPoolExecutor(threads, thread_name_prefix="beak-decode") as pool:
        for first in range(0, len(todo), CHUNK):
            yield list(pool.map(make, todo[first : first + CHUNK]))


def _flags(picture: Decoded) -> int:
    told = " ".join(picture.notes)
    seen = {
        SEE_THROUGH: picture.pixels.shape[2] == 4,
        GREY: picture.pixels.shape[2] == 1,
        FRAMES: "frames" in told,
        TURNED: "upright" in told,
        UNSURE: DAMAGED_NOTES in picture.notes,
    }
    return sum(bit for bit, there in seen.items() if there)


def _old_rows(cache: Path, manifest: Manifest, spec: PictureSpec) -> dict[bytes, Made]:
    """What the source's last store holds, if it was made with the same spec."""
    last = manifest.info.get("store")
    if not isinstance(last, str) or "/" in last:
        return {}
    try:
        store = open_store(cache / "pictures" / last)
        told = PictureSpec.from_json(store.info["input"])
        a = store.arrays
        if (told.shape, told.fit, told.background) != (spec.shape, spec.fit, spec.background):
            return {}
        return {
            a["keys"][i].tobytes(): (
                b"",
                a["pixels"][i],
                a["hashes"][i].tobytes(),
                int(a["flags"][i]),
            )
            for i in range(len(a["keys"]))
        }
    except (FileNotFoundError, DamagedStoreError, DataError, KeyError, TypeError):
        return {}
