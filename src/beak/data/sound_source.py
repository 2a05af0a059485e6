"""Sources of sounds as data sets: the input that suits, silence, unknown words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from beak.data.assemble import Examples, Fitted, assemble
from beak.data.augment import Augmentation
from beak.data.builtin import builtin
from beak.data.dataset import Dataset, Part
from beak.data.found import Found, in_order
from beak.data.manifest import Manifest
from beak.data.report import NOTE, SUMMARY, Finding
from beak.data.sound_augment import suitable
from beak.data.sound_builtin import folder_of
from beak.data.sound_cache import decoded_sounds, examples_of
from beak.data.sound_find import FoundSounds, find
from beak.data.sound_spec import SoundSpec
from beak.data.sounds import rate_and_seconds, reader
from beak.data.spec import InputSpec
from beak.data.split import TEST, TRAIN, UNKNOWN, numbers
from beak.data.wishes import Wishes
from beak.errors import DataError, UsageError, did_you_mean

Array = np.ndarray[Any, Any]

SAMPLE = 500
"""Files whose headers are read to choose the input."""
PIECE = 50
USUAL_RATE = 16_000
LONGEST_INPUT = 4.0
"""Seconds of an input that are chosen at most."""
SILENCE, OTHERS = "silence", "unknown"


@dataclass(frozen=True)
class Survey:
    """What the headers of a sample of files say."""

    rates: tuple[int, int, int]
    """Least, median, most."""
    seconds: tuple[float, float, float, float]
    """Least, median, the length that 97 of 100 do not pass, most."""


def read(source: Path, wishes: Wishes) -> Dataset:
    """The recordings of a folder or table."""
    reader()
    name = source.resolve().name or str(source)
    return _made(name, source, find(source, wishes.progress), wishes)


def built_in(name: str, wishes: Wishes) -> Dataset:
    """A built-in set of sounds, from its folder or downloaded."""
    reader()
    folder = folder_of(builtin(name), wishes.data_dir, wishes.progress)
    sounds = find(folder)
    if name == "fsdd":
        sounds.found = _official(sounds.found)
    return _made(name, folder, sounds, wishes)


def _official(found: Found) -> Found:
    """Free Spoken Digits: recordings 0 to 4 of each speaker and digit are the test."""
    numbers = [int(name.rpartition("_")[2].partition(".")[0]) for name in found.names]
    given = np.where(np.array(numbers) < 5, TEST, TRAIN).astype(np.int8)
    text = "recordings 0 to 4 of each digit and speaker are the test, as its authors say"
    return replace(found, given=given, findings=[Finding(NOTE, text)])


def _made(name: str, source: Path, sounds: FoundSounds, wishes: Wishes) -> Dataset:
    found = sounds.found
    manifest = Manifest.of(source, wishes.cache).brought_up_to_date(
        found.names, found.sizes, found.times, found.key, wishes.threads
    )
    told: list[Finding] = []
    if wishes.spec is not None:
        spec = cast(SoundSpec, wishes.spec)
    else:
        spec, told = choose_spec(survey_of(found, manifest, wishes.threads), wishes.options)
    decoded = decoded_sounds(sounds, manifest, spec, wishes.cache, wishes.threads, wishes.progress)
    examples = examples_of(sounds, manifest, decoded)
    examples.findings = told + examples.findings
    labels = found.labels
    known = wishes.labels
    if known is None or SILENCE in known:
        labels, examples = with_silence(labels, examples)
    words = tuple(wishes.options.get("only", ()))
    if known is not None and OTHERS in known and OTHERS not in labels:
        words = tuple(label for label in known if label not in (OTHERS, SILENCE))
    if words:
        labels, examples = only_words(labels, examples, words)

    def scale(_: InputSpec, parts: dict[str, Part]) -> Fitted:
        return (spec, parts) if wishes.spec is not None else spec.fitted(parts)

    def fits(_: InputSpec, present: Sequence[str], count: int) -> Augmentation:
        return suitable(spec, present, count)

    return assemble(
        name, labels, spec, examples,
        scale=scale, suitable=fits, strict=wishes.strict, known=known, things="sounds",
    )  # fmt: skip


def survey_of(found: Found, manifest: Manifest, threads: int) -> Survey:
    """What the headers say, of a sample that the files' contents choose."""
    order = np.lexsort(manifest.keys.T[::-1])
    chosen = np.sort(order[manifest.keys[order].any(axis=1)][:SAMPLE]).tolist()
    pieces = [chosen[first : first + PIECE] for first in range(0, len(chosen), PIECE)]
    with ThreadPoolExecutor(threads) as pool:
        looks = pool.map(lambda piece: [rate_and_seconds(found.path(i)) for i in piece], pieces)
        seen = [told for looked in looks for told in looked if told]
    if not seen:
        raise DataError(
            f"none of the {len(found.names)} sounds can be read, such as {found.names[0]}"
        )
    rates = np.array([rate for rate, _ in seen])
    seconds = np.array([length for _, length in seen])
    return Survey(
        (int(rates.min()), int(np.sort(rates)[len(rates) // 2]), int(rates.max())),
        tuple(float(np.percentile(seconds, p)) for p in (0, 50, 97, 100)),  # type: ignore[arg-type]
    )


def choose_spec(survey: Survey, options: Any) -> tuple[SoundSpec, list[Finding]]:
    """The input that suits: at most 16 kHz, and as long as 97 of 100 recordings."""
    rate = options.get("rate") or min(USUAL_RATE, survey.rates[1])
    long = math.ceil(10 * survey.seconds[2] - 0.05) / 10
    seconds = options.get("seconds") or min(max(long, 0.1), LONGEST_INPUT)
    kept = {key: options[key] for key in ("bands", "features", "level") if key in options}
    try:
        spec = SoundSpec.made(rate, seconds, **kept)
    except DataError as error:
        raise UsageError(str(error).replace("input:", "data:")) from None
    least, median, _, most = survey.seconds
    low, _, high = survey.rates
    hertz = f"{low:,} Hz" if low == high else f"{low:,} to {high:,} Hz"
    seen = f"sounds: {hertz}, {least:.2f} to {most:.2f} s (median {median:.2f} s)"
    return spec, [Finding(NOTE, seen), Finding(SUMMARY, f"input: {spec.describe()}")]


def with_silence(labels: tuple[str, ...], examples: Examples) -> tuple[tuple[str, ...], Examples]:
    """Background noise as one more class, if the source has some and no such class: every second
    stretch of it; the others are mixed into the recordings in training.
    """
    noise = getattr(examples.stored, "noise", None)
    taken = {label.strip("_").casefold() for label in labels}
    if noise is None or len(noise) < 10 or SILENCE in taken:
        return labels, examples
    from beak.data.memory import row_hashes
    from beak.data.sound_augment import quiet_of, with_noise

    quiet = np.asarray(quiet_of(noise))
    count = len(quiet)
    first = len(examples.stored) - count
    place = np.arange(count) / count
    parts = np.full(count, UNKNOWN, np.int8)
    if (examples.given != UNKNOWN).any():
        parts = np.where(place < 0.8, TRAIN, np.where(place < 0.9, 1, TEST)).astype(np.int8)
    names = [f"background noise [{i}]" for i in range(count)]
    text = f"{count} stretches of background noise are the class {SILENCE!r}"
    groups = None if examples.groups is None else [*examples.groups, *names]
    return (*labels, SILENCE), replace(
        examples,
        stored=with_noise(np.asarray(examples.stored), noise[1::2]),
        rows=np.concatenate([examples.rows, first + np.arange(count)]),
        classes=np.concatenate([examples.classes, np.full(count, len(labels), np.int32)]),
        given=np.concatenate([examples.given, parts]),
        names=[*examples.names, *names],
        hashes=np.concatenate([examples.hashes, row_hashes(quiet[:, None, None])]),
        findings=[*examples.findings, Finding(NOTE, text)],
        groups=groups,
    )


def only_words(
    labels: tuple[str, ...], examples: Examples, words: Sequence[str]
) -> tuple[tuple[str, ...], Examples]:
    """Only these labels; of all others as many as of the largest of them, as one class, unknown."""
    for word in words:
        if word not in labels:
            raise UsageError(f"data.only: no label {word!r}{did_you_mean(word, labels)}")
    kept = {*words, SILENCE, OTHERS}
    named = np.array([label if label in kept else OTHERS for label in labels], object)
    mine = named[examples.classes]
    others = np.flatnonzero((mine == OTHERS) & ~np.isin(examples.classes, _place(labels, OTHERS)))
    most = max(int((mine == word).sum()) for word in words)
    order = others[np.argsort(numbers(examples.hashes[others], 1), kind="stable")]
    keep = np.sort(np.concatenate([np.setdiff1d(np.arange(len(mine)), others), order[:most]]))
    made = in_order(str(word) for word in mine[keep])
    place = {label: i for i, label in enumerate(made)}
    text = f"{min(most, len(others)):,} of {len(others):,} sounds of other words are {OTHERS!r}"
    return made, replace(
        examples,
        rows=examples.rows[keep],
        classes=np.array([place[mine[i]] for i in keep], np.int32),
        given=examples.given[keep],
        names=[examples.names[i] for i in keep],
        hashes=examples.hashes[keep],
        findings=[*examples.findings, Finding(NOTE, text)],
        groups=None if examples.groups is None else [examples.groups[i] for i in keep],
    )


def _place(labels: Sequence[str], wanted: str) -> list[int]:
    return [i for i, label in enumerate(labels) if label == wanted]
