"""Picture files decoded once: in parallel, into one memory-mapped file keyed by content."""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from beak.data.assemble import Examples
from beak.data.build import FRAMES, GREY, SEE_THROUGH, TURNED, UNSURE, build_store
from beak.data.decode import Decoded, decode_file
from beak.data.found import Found
from beak.data.kept import made_store
from beak.data.manifest import Manifest
from beak.data.picture_spec import PictureSpec
from beak.data.report import NOTE, WARNING, Finding
from beak.data.store import DamagedStoreError, Store, open_store
from beak.data.survey import SAMPLE, Survey, look_at
from beak.data.wishes import Progress
from beak.errors import DataError

Array = np.ndarray[Any, Any]
DEFINITION = 1
"""Raised whenever the same file would become other pixels, so that old caches are not used."""


def up_to_date_manifest(found: Found, source: Path, cache: Path, threads: int) -> Manifest:
    """The source's manifest, with the keys of all its files."""
    return Manifest.of(source, cache).brought_up_to_date(
        found.names, found.sizes, found.times, found.key, threads
    )


def survey_files(found: Found, manifest: Manifest, threads: int) -> Survey:
    """The survey of a sample that the contents choose, remembered in the manifest."""
    try:
        if manifest.info["surveyed"] == manifest.content():
            return Survey.from_json(manifest.info["survey"])
    except (KeyError, TypeError, ValueError):
        pass
    order = np.lexsort(manifest.keys.T[::-1])
    chosen = np.sort(order[manifest.keys[order].any(axis=1)][:SAMPLE])  # shard after shard
    with ThreadPoolExecutor(threads) as pool:
        tried = pool.map(lambda i: _decoded(found, int(i)), chosen)
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
    spec: PictureSpec,
    cache: Path,
    threads: int,
    progress: Progress | None,
) -> Examples:
    """The examples of these files as the spec wants them, from the cache or decoded into it."""
    path = cache / "pictures" / f"{_store_name(manifest, spec)}.beak"
    findings = list(found.findings)
    store = None
    again: list[Finding] = []
    try:
        store = open_store(path)
        rows = _rows(store, manifest.keys)
        if store.arrays["pixels"].shape[1:] != spec.shape:
            raise DamagedStoreError("it holds other shapes")
    except FileNotFoundError:
        pass
    except (DamagedStoreError, KeyError) as error:
        again = [Finding(NOTE, f"the cache {path.name} was made again: {error}")]
        store = None
    unkept: list[Finding] = []
    if store is None:
        store, unkept = made_store(
            path, lambda to: build_store(to, found, manifest, spec, cache, threads, progress)
        )
        rows = _rows(store, manifest.keys)
        manifest.note(store=path.name)
        findings += unkept or again
    findings += [] if unkept else manifest.save()
    good = np.flatnonzero(rows >= 0)
    bad = unreadable(found, manifest.keys, store.info["problems"], np.flatnonzero(rows < 0))
    if bad:
        what = "file cannot be used and is" if len(bad) == 1 else "files cannot be used and are"
        text = f"{len(bad):,} {what} left out"
        findings.append(Finding(WARNING, text, tuple(why for _, why in bad)))
    findings += _flag_findings(store.arrays["flags"], rows[good], spec)
    return Examples(
        store.arrays["pixels"],
        rows[good],
        found.classes[good],
        found.given[good],
        [_shown(found.names[i]) for i in good.tolist()],
        np.asarray(store.arrays["hashes"])[rows[good]],
        np.asarray(store.arrays["sums"]),
        findings,
    )


def _shown(name: str) -> str:
    """A name that can be written as UTF-8; file systems hold others too."""
    return (
        name
        if name.isascii()
        else name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    )


def _store_name(manifest: Manifest, spec: PictureSpec) -> str:
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


def _flag_findings(flags: Array, rows: Array, spec: PictureSpec) -> list[Finding]:
    mine = np.asarray(flags)[rows]
    told = {SEE_THROUGH: f"have see-through places, filled with {spec.background}"}
    told[FRAMES] = "have several frames: the first is taken"
    told[TURNED] = "are turned upright as their cameras noted"
    told[UNSURE] = "have damaged notes of their cameras: they are taken as they lie"
    if spec.shape[0] == 3:
        told[GREY] = "are grey among coloured ones: their channel is used three times"
    findings = []
    for bit, text in told.items():
        count = int(((mine & bit) > 0).sum())
        if count:
            findings.append(Finding(NOTE, f"{count:,} pictures {text}"))
    return findings
