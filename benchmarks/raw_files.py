"""Raw inputs of every kind, one after the other: from the project's archives, or made up.

The archives are read where they lie (``cats-dogs-a.tar.gz``, ``cifar10-jpeg.tar.gz``,
``fsdd.tar.gz``, ``text-kim-a.tar.gz``, ``go-kgs-6d.tar.gz``); where one is not there, inputs are
made: pictures as PNG and JPEG of many sizes, tones as wav, sentences of made words. Games of Go
come with beak.
"""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Iterator
from itertools import chain, cycle, islice
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from beak.data.builtin import GO_DEMO_FILE
from beak.data.sounds import wav

KINDS = ("pictures", "sounds", "texts", "go")
ARCHIVES = {
    "pictures": (("cats-dogs-a", ".jpg"), ("cifar10-jpeg", ".jpg")),
    "sounds": (("fsdd", ".wav"),),
    "texts": (("text-kim-a", ".all"),),
    "go": (("go-kgs-6d", ".sgf"),),
}
"""Kind -> archives, in order, and what the files that count end in."""
TEXTS = "rt-polarity.all"
SIDES = (17, 28, 33, 64, 90, 120, 200, 331)

Raw = tuple[str, Any]
"""A name and what ``beak predict`` would be given."""


def raw_inputs(kind: str, count: int, data: Path | None) -> Iterator[Raw]:
    """So many inputs of a kind; a name that begins with "made " is of one that was made up."""
    return islice(chain(_real(kind, data), _made(kind)), count)


def _real(kind: str, data: Path | None) -> Iterator[Raw]:
    for name, ending in ARCHIVES[kind]:
        path = data / f"{name}.tar.gz" if data else None
        if path is None or not path.is_file():
            continue
        for place, content in _members(path, ending):
            if kind == "texts":
                yield from _sentences(place, content)
            elif kind == "go":
                yield from _position(place, content)
            else:
                yield place, content
    if kind == "go":
        with zipfile.ZipFile(GO_DEMO_FILE) as archive:
            for place in archive.namelist():
                if place.endswith(".sgf"):
                    yield from _position(place, archive.read(place))


def _members(path: Path, ending: str) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(path, "r|gz") as archive:
        for member in archive:
            if member.isfile() and member.name.endswith(ending):
                found = archive.extractfile(member)
                assert found is not None
                yield member.name, found.read()


def _sentences(place: str, content: bytes) -> Iterator[Raw]:
    if place.endswith(TEXTS):
        for number, line in enumerate(content.decode("latin-1").splitlines()):
            text = line.partition(" ")[2].strip()
            if text:
                yield f"{place}:{number + 1}", text


def _position(place: str, content: bytes) -> Iterator[Raw]:
    """One position of a game, another one of each: early, in the middle, late."""
    moves = content.count(b";") - 1
    if moves > 10:
        yield place, (content, 1 + sum(content) % (moves - 2))


def _made(kind: str) -> Iterator[Raw]:
    makers = {"pictures": _picture, "sounds": _sound, "texts": _sentence}
    if kind == "go":
        with zipfile.ZipFile(GO_DEMO_FILE) as archive:
            games = [archive.read(n) for n in archive.namelist() if n.endswith(".sgf")]
        for number, game in enumerate(cycle(games)):
            moves = game.count(b";") - 1
            yield f"made position {number}", (game, 1 + (7 * number) % max(1, moves - 2))
    else:
        for number in range(1 << 30):
            random = np.random.default_rng([11, number])
            yield f"made {kind} {number}", makers[kind](random, number)


def _picture(random: np.random.Generator, number: int) -> bytes:
    height, width = random.choice(SIDES, 2)
    y, x = np.mgrid[:height, :width]
    waves = [np.sin(random.uniform(0, 9) * y / height + random.uniform(0, 9) * x / width)
             for _ in range(3)]  # fmt: skip
    pixels = 127 + 90 * np.stack(waves, -1) + random.normal(0, 12, (height, width, 3))
    picture, out = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)), io.BytesIO()
    picture.convert(("RGB", "L")[number % 5 == 0]).save(out, ("PNG", "JPEG")[number % 2])
    return out.getvalue()


def _sound(random: np.random.Generator, number: int) -> bytes:
    rate = (8000, 16000, 22050)[number % 3]
    time = np.arange(int(rate * random.uniform(0.2, 1.5))) / rate
    tones = sum(np.sin(2 * np.pi * f * time) for f in random.uniform(80, 3000, 3))
    noisy = random.uniform(300, 9000) * (tones + random.normal(0, 0.2, len(time)))
    return wav(np.clip(np.rint(noisy), -32768, 32767).astype(np.int16), rate)


def _sentence(random: np.random.Generator, number: int) -> str:
    words = ("a", "film", "plot", "it", "was", "fine", "dull", "moving", "tedious", "and", "not")
    return " ".join(random.choice(words, random.integers(3, 40)))
