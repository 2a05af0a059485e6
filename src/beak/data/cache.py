"""Picture files decoded once: in parallel, into one memory-mapped file keyed by content."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from beak.data.assemble import Examples, channel_sums
from beak.data.decode import Decoded, decode_file
from beak.data.found import Found
from beak.data.manifest import NOTHING, Manifest, file_key
from beak.data.pictures import fit
from beak.data.report import NOTE, WARNING, Finding
from beak.data.spec import InputSpec
from beak.data.store import DamagedStoreError, Store, StoreWriter, open_store
from beak.data.survey import SAMPLE, Survey, look_at
from beak.errors import DataError

Array = np.ndarray[Any, Any]
Progress = Callable[[int, int], None]
"""Called with how many pictures are done and how many there are."""

DEFINITION = 1
"""Raised whenever the same file would become other pixels, so that old caches are not used."""
CHUNK = 256
SEE_THROUGH, GREY, FRAMES, TURNED = 1, 2, 4, 8


def up_to_date_manifest(found: Found, source: Path, cache: Path, threads: int) -> Manifest:
    """The source's manifest, with the keys of all its files."""
    return Manifest.of(source, cache).brought_up_to_date(
        found.names, found.sizes, found.times, lambda i: file_key(found.path(i)), threads
    )


def survey_files(found: Found, manifest: Manifest, threads: int) -> Survey:
    """The survey of a sample that the contents choose, remembered in the manifest."""
    try:
        if manifest.info["surveyed"] == manifest.content():
            return Survey.from_json(manifest.info["survey"])
    except (KeyError, TypeError, ValueError):
        pass
    order = np.lexsort(manifest.keys.T[::-1])
    readable = order[manifest.keys[order].any(axis=1)]
    with ThreadPoolExecutor(threads) as pool:
        tried = pool.map(lambda i: _decoded(found, int(i)), readable[:SAMPLE])
        survey = look_at(p.pixels for p in tried if isinstance(p, Decoded))
    if not survey.pictures:
        _, why = next(iter(unreadable(found, manifest.keys, {}, order[:1])), ("", "no pictures"))
        raise DataError(f"none of the {len(found.names)} pictures can be read; the first: {why}")
    manifest.note(survey=survey.to_json(), surveyed=manifest.content())
    return survey


def _decoded(found: Found, i: int) -> Decoded | DataError:
    try:
        return decode_file(found.path(i), found.names[i])
    except DataError as error:
        return error


def decoded_files(
    found: Found,
    manifest: Manifest,
    spec: InputSpec,
    cache: Path,
    threads: int,
    progress: Progress | None,
) -> Examples:
    """The examples of these files as the spec wants them, from the cache or decoded into it."""
    path = cache / "pictures" / f"{_store_name(manifest, spec)}.beak"
    findings = list(found.findings)
    store = None
    try:
        store = open_store(path)
        rows = _rows(store, manifest.keys)
        if store.arrays["pixels"].shape[1:] != spec.shape:
            raise DamagedStoreError("it holds other shapes")
    except FileNotFoundError:
        pass
    except (DamagedStoreError, KeyError) as error:
        findings.append(Finding(NOTE, f"the cache {path.name} was made again: {error}"))
        store = None
    if store is None:
        _build(path, found, manifest, spec, cache, threads, progress)
        store = open_store(path)
        rows = _rows(store, manifest.keys)
        manifest.note(store=path.name)
    manifest.save()
    good = np.flatnonzero(rows >= 0)
    bad = unreadable(found, manifest.keys, store.info["problems"], np.flatnonzero(rows < 0))
    if bad:
        text = f"{len(bad)} files cannot be used and are left out"
        findings.append(Finding(WARNING, text, tuple(why for _, why in bad)))
    findings += _flag_findings(store.arrays["flags"], rows[good], spec)
    return Examples(
        store.arrays["pixels"],
        rows[good],
        found.classes[good],
        found.given[good],
        [found.names[i] for i in good.tolist()],
        np.asarray(store.arrays["hashes"])[rows[good]],
        np.asarray(store.arrays["sums"]),
        findings,
    )


def _store_name(manifest: Manifest, spec: InputSpec) -> str:
    told = json.dumps([DEFINITION, manifest.content(), spec.shape, spec.fit, spec.background])
    return hashlib.blake2b(told.encode(), digest_size=16).hexdigest()


def _rows(store: Store, keys: Array) -> Array:
    """The row of each file int64 (N,), -1 for the unreadable; DamagedStoreError where one lacks."""
    known = np.ascontiguousarray(store.arrays["keys"]).reshape(-1, 16)
    problems = np.frombuffer(b"".join(map(bytes.fromhex, store.info["problems"])), np.uint8)
    whole = np.concatenate([known, problems.reshape(-1, 16), np.zeros((1, 16), np.uint8)])
    place = np.concatenate([np.arange(len(known)), np.full(len(whole) - len(known), -1)])
    words, first = np.unique(np.ascontiguousarray(whole).view("V16")[:, 0], return_index=True)
    wanted = np.ascontiguousarray(keys).view("V16")[:, 0]
    unique, inverse = np.unique(wanted, return_inverse=True)
    _, here, there = np.intersect1d(unique, words, assume_unique=True, return_indices=True)
    if len(here) < len(unique):
        raise DamagedStoreError("it lacks pictures")
    rows = np.empty(len(unique), np.int64)
    rows[here] = place[first[there]]
    return np.asarray(rows[inverse.reshape(-1)])


def unreadable(
    found: Found, keys: Array, problems: dict[str, str], which: Array
) -> list[tuple[str, str]]:
    """Name and reason ("name: reason") of files that cannot be used."""
    told = []
    for i in which.tolist():
        reason = problems.get(keys[i].tobytes().hex())
        if reason is None:
            error = _decoded(found, i)
            reason = (
                str(error).removeprefix(f"{found.names[i]}: ")
                if isinstance(error, DataError)
                else "?"
            )
        told.append((found.names[i], f"{found.names[i]}: {reason}"))
    return told


def _flag_findings(flags: Array, rows: Array, spec: InputSpec) -> list[Finding]:
    mine = np.asarray(flags)[rows]
    told = {SEE_THROUGH: f"have see-through places, filled with {spec.background}"}
    told[FRAMES] = "have several frames: the first is taken"
    told[TURNED] = "are turned upright as their cameras noted"
    if spec.shape[0] == 3:
        told[GREY] = "are grey among coloured ones: their channel is used three times"
    findings = []
    for bit, text in told.items():
        count = int(((mine & bit) > 0).sum())
        if count:
            findings.append(Finding(NOTE, f"{count} pictures {text}"))
    return findings


def _build(
    path: Path,
    found: Found,
    manifest: Manifest,
    spec: InputSpec,
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
        for chunk in _decoded_chunks(found, manifest.keys, todo, spec, old, threads):
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
        (cache / "pictures" / last).unlink(missing_ok=True)


GONE = b"gone"
Made = tuple[bytes, Any, bytes, int]
"""Key, pixels (C, H, W) or the reason why there are none, content hash (or GONE), flags."""


def _decoded_chunks(
    found: Found,
    keys: Array,
    todo: list[int],
    spec: InputSpec,
    old: dict[bytes, Made],
    threads: int,
) -> Iterator[list[Made]]:
    def make(i: int) -> Made:
        key = keys[i].tobytes()
        if key in old:
            store_row = old[key]
            return key, np.asarray(store_row[1]), store_row[2], store_row[3]
        try:
            picture = decode_file(found.path(i), found.names[i])
        except DataError as error:
            there = os.access(found.path(i), os.R_OK)
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
    }
    return sum(bit for bit, there in seen.items() if there)


def _old_rows(cache: Path, manifest: Manifest, spec: InputSpec) -> dict[bytes, Made]:
    """What the source's last store holds, if it was made with the same spec."""
    last = manifest.info.get("store")
    if not isinstance(last, str) or "/" in last:
        return {}
    try:
        store = open_store(cache / "pictures" / last)
        told = InputSpec.from_json(store.info["input"])
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
