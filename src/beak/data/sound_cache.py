"""Sound files decoded once: in parallel, into one memory-mapped file keyed by content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from beak.data.assemble import Examples
from beak.data.found import Found
from beak.data.kept import made_store
from beak.data.manifest import NOTHING, Manifest
from beak.data.report import NOTE, WARNING, Finding
from beak.data.sound_augment import quiet_of, with_noise
from beak.data.sound_find import FoundSounds
from beak.data.sound_spec import SoundSpec
from beak.data.sounds import at_rate, decode, fit, stored
from beak.data.store import DamagedStoreError, Store, StoreWriter, open_store
from beak.data.wishes import Progress
from beak.errors import DataError

Array = np.ndarray[Any, Any]

DEFINITION = 2
"""Raised whenever the same file would become other samples, so that old caches are not used."""
CHUNK = 32
"""Files that a thread decodes before it asks for more."""
MIXED = 1
"""Flag: several channels became one."""
MOST_NOISE = 400
"""Stretches of background noise that are kept, at most."""


@dataclass(frozen=True)
class Decoded:
    """A store's contents: one row for each different file, and background noise."""

    rows: Array
    """int64 (N,): the row of each file, -1 where it cannot be used."""
    store: Store
    findings: list[Finding]


def decoded_sounds(
    sounds: FoundSounds,
    manifest: Manifest,
    spec: SoundSpec,
    cache: Path,
    threads: int,
    progress: Progress | None,
) -> Decoded:
    """The files' samples as the spec wants them, from the cache or decoded into it."""
    told = [DEFINITION, manifest.content(), spec.rate, spec.samples, spec.hop, sounds.noise]
    name = hashlib.blake2b(json.dumps(told).encode(), digest_size=16).hexdigest()
    path = cache / "sounds" / f"{name}.beak"
    findings: list[Finding] = []
    try:
        store = open_store(path)
        rows = _rows(store, manifest.keys, spec)
    except (FileNotFoundError, DamagedStoreError, KeyError) as error:
        if not isinstance(error, FileNotFoundError):
            findings.append(Finding(NOTE, f"the cache {path.name} was made again: {error}"))
        store, unkept = made_store(
            path, lambda to: _build(to, sounds, manifest, spec, threads, progress)
        )
        findings += unkept
        rows = _rows(store, manifest.keys, spec)
    findings += manifest.save()
    return Decoded(rows, store, findings)


def examples_of(sounds: FoundSounds, manifest: Manifest, decoded: Decoded) -> Examples:
    """The examples that can be used, and findings about those that cannot."""
    found, arrays = sounds.found, decoded.store.arrays
    good = np.flatnonzero(decoded.rows >= 0)
    bad = np.flatnonzero(decoded.rows < 0)
    findings = [*found.findings, *decoded.findings]
    if len(bad):
        problems = decoded.store.info["problems"]
        reasons = [_reason(found, i, manifest.keys[i], problems) for i in bad.tolist()]
        text = f"{len(bad)} files cannot be used and are left out"
        findings.append(Finding(WARNING, text, tuple(reasons)))
    flags = np.asarray(arrays["flags"])[decoded.rows[good]]
    if mixed := int((flags & MIXED > 0).sum()):
        findings.append(
            Finding(NOTE, f"{mixed:,} sounds have several channels: their mean is used")
        )
    noise = arrays["noise"]
    return Examples(
        with_noise(arrays["rows"], noise if len(noise) else None),
        decoded.rows[good],
        found.classes[good],
        found.given[good],
        [found.names[i] for i in good.tolist()],
        np.asarray(arrays["hashes"])[decoded.rows[good]],
        findings=findings,
        groups=None if sounds.speakers is None else [sounds.speakers[i] for i in good.tolist()],
        group_word="speaker" if sounds.speakers is not None else "",
    )


def _reason(found: Found, i: int, key: Array, problems: dict[str, str]) -> str:
    place = f" ({found.places[i]})" if found.places else ""
    why = problems.get(key.tobytes().hex())
    if why is None:
        there = found.there(i)
        why = "cannot be opened" if there else "there is no such file"
    return f"{found.names[i]}{place}: {why}"


def _rows(store: Store, keys: Array, spec: SoundSpec) -> Array:
    """The row of each file int64 (N,), -1 for the unusable; DamagedStoreError where one lacks."""
    arrays, problems = store.arrays, store.info["problems"]
    if arrays["rows"].shape[1:] != (spec.samples,) or arrays["rows"].dtype != np.int16:
        raise DamagedStoreError("it holds other lengths")
    count = len(arrays["rows"]) - len(quiet_of(arrays["noise"]))
    if not count == len(arrays["keys"]) == len(arrays["hashes"]):
        raise DamagedStoreError("its arrays do not fit each other")
    place = {key.tobytes(): row for row, key in enumerate(np.asarray(arrays["keys"]))}
    place |= {bytes.fromhex(key): -1 for key in problems} | {NOTHING: -1}
    try:
        return np.array([place[key.tobytes()] for key in keys], np.int64)
    except KeyError:
        raise DamagedStoreError("it lacks sounds") from None


Made = tuple[bytes, Array | str, bytes, int]
"""Key, samples or the reason why there are none, content hash, flags."""


def _build(
    path: Path,
    sounds: FoundSounds,
    manifest: Manifest,
    spec: SoundSpec,
    threads: int,
    progress: Progress | None,
) -> None:
    whole = np.ascontiguousarray(manifest.keys).view("V16")[:, 0]
    first = np.sort(np.unique(whole, return_index=True)[1])
    todo = [i for i in first.tolist() if manifest.keys[i].tobytes() != NOTHING]
    keys, hashes, flags, problems = [], [], [], {}
    with StoreWriter(path, 2 * len(todo) * spec.samples) as writer:
        writer.start("rows", "<i2", (spec.samples,))
        done = 0
        for chunk in _decoded_chunks(sounds.found, manifest.keys, todo, spec, threads):
            rows = []
            for key, made, content, flag in chunk:
                if isinstance(made, str):
                    problems[key.hex()] = made
                    continue
                rows.append(made)
                keys.append(key)
                hashes.append(content)
                flags.append(flag)
            if rows:
                writer.append(np.stack(rows))
            done += len(chunk)
            if progress:
                progress(done, len(todo))
        noise = _noise(sounds, spec)
        if len(noise):
            writer.append(quiet_of(noise))
        writer.end()
        if not keys:
            why = next(iter(problems.values()), "no file can be opened")
            count = len(sounds.found.names)
            raise DataError(f"none of the {count} sounds can be read; the first: {why}")
        writer.add("keys", np.frombuffer(b"".join(keys), np.uint8).reshape(-1, 16))
        writer.add("hashes", np.frombuffer(b"".join(hashes), np.uint8).reshape(-1, 16))
        writer.add("flags", np.array(flags, np.uint8))
        writer.add("noise", noise)
        writer.finish({"problems": problems})


def _decoded_chunks(
    found: Found, keys: Array, todo: Sequence[int], spec: SoundSpec, threads: int
) -> Iterator[list[Made]]:
    def make(i: int) -> Made:
        key, name = keys[i].tobytes(), found.names[i]
        try:
            heard = decode(found.path(i), name)
        except DataError as error:
            return key, str(error).removeprefix(f"{name}: "), b"", 0
        samples = at_rate(heard.samples, heard.rate, spec.rate)
        if not len(samples):
            return key, f"too short for {spec.rate} samples a second", b"", 0
        several = any("channels" in note for note in heard.notes)
        return key, fit(samples, spec), heard.content_hash(), MIXED * several

    chunks = [todo[first : first + CHUNK] for first in range(0, len(todo), CHUNK)]
    with ThreadPoolExecutor(threads, thread_name_prefix="beak-decode") as pool:
        for first in range(0, len(chunks), threads):
            yield from pool.map(lambda c: [make(i) for i in c], chunks[first : first + threads])


def _noise(sounds: FoundSounds, spec: SoundSpec) -> Array:
    """The background noise files cut in stretches of one input: int16 (K, samples)."""
    made = []
    for name in sounds.noise:
        try:
            heard = decode(sounds.found.root / name, name)
        except DataError:
            continue
        samples = at_rate(heard.samples, heard.rate, spec.rate)
        count = len(samples) // spec.samples
        cut = samples[: count * spec.samples].reshape(count, spec.samples)
        made.append(stored(cut[:: max(1, count * len(sounds.noise) // MOST_NOISE)]))
    if not made:
        return np.zeros((0, spec.samples), np.int16)
    return np.concatenate(made)
