"""A workplace with pictures and recordings that have something to learn in them."""

from __future__ import annotations

import csv
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from beak.data.sounds import wav
from tests.data.go_games import random_sgf

KINDS = ("disc", "stripes", "cross")


def draw(kind: str, seed: int, grey: bool = False) -> Image.Image:
    """A shape at a random place, in random colours, on noise; 24 to 40 pixels a side."""
    random = np.random.default_rng([KINDS.index(kind), seed])
    height, width = random.integers(24, 41, 2)
    y, x = np.mgrid[:height, :width]
    y0, x0 = random.uniform(0.35, 0.65, 2) * (height, width)
    radius = random.uniform(6, 9)
    distance = np.hypot(y - y0, x - x0)
    ink = {
        "disc": distance < radius,
        "stripes": (y // 3 % 2 == 0) & (np.abs(x - x0) < radius),
        "cross": ((np.abs(y - y0) < 2) | (np.abs(x - x0) < 2)) & (distance < radius + 3),
    }[kind]
    background, colour = random.uniform(0, 90, 3), random.uniform(160, 255, 3)
    pixels = np.where(ink[..., None], colour, background) + random.normal(0, 8, (height, width, 3))
    picture = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
    return picture.convert("L") if grey else picture


def class_folders(where: Path, each: int = 40, kinds: tuple[str, ...] = KINDS[:2]) -> Path:
    """One folder for each kind, PNG and JPEG in turn."""
    for kind in kinds:
        (where / kind).mkdir(parents=True, exist_ok=True)
        for i in range(each):
            draw(kind, i).save(where / kind / f"{i:03}.{'png' if i % 2 else 'jpg'}")
    return where


def write_csv(path: Path, rows: list[tuple[str, str]], heading: bool = True) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        if heading:
            writer.writerow(("path", "label"))
        writer.writerows(rows)
    return path


def say(word: str, speaker: int, take: int) -> np.ndarray:
    """Two tones at 8,000 Hz, the second higher ("yes") or lower ("no"), int16."""
    random = np.random.default_rng([speaker, take, len(word)])
    heights = (300, 900) if word == "yes" else (900, 300)
    time = np.arange(1400) / 8000
    voice = 1 + 0.1 * speaker + random.uniform(0, 0.03)
    tones = [np.sin(2 * np.pi * h * voice * time + random.uniform(0, 6)) for h in heights]
    return np.rint(np.concatenate(tones) * random.uniform(3000, 9000)).astype(np.int16)


def recordings(where: Path, speakers: tuple[str, ...] = ("anna", "bert", "carl")) -> Path:
    """Folders yes/ and no/ of LABEL_SPEAKER_TAKE.wav."""
    for word in ("no", "yes"):
        (where / word).mkdir(parents=True, exist_ok=True)
        for i, speaker in enumerate(speakers):
            for take in range(6):
                path = where / word / f"{word}_{speaker}_{take}.wav"
                path.write_bytes(wav(say(word, i, take), 8000))
    return where


def write_reviews(path: Path, rows: int = 120) -> Path:
    """A table of short texts whose label follows from one of their words."""
    said = {"good": ("fine", "moving", "bright"), "bad": ("dull", "tedious", "flat")}
    random = np.random.default_rng(1)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("review", "sentiment"))
        for i in range(rows):
            label = ("good", "bad")[i % 2]
            middle = " ".join(random.choice(("a", "film", "plot", "scene", "it", "was"), 4))
            writer.writerow((f"{middle}, {said[label][i % 3]} number {i}", label))
    return path


def games_of_go(where: Path) -> None:
    """Random games between ranked players, as files and in an archive."""
    (where / "games").mkdir()
    (where / "game.sgf").write_text(random_sgf(100, 80))
    with zipfile.ZipFile(where / "games.zip", "w") as archive:
        for i in range(20):
            text = random_sgf(i, 40, head="BR[2d]WR[1d]RE[B+R]")
            (where / "games" / f"{i}.sgf").write_text(text)
            archive.writestr(f"{i}.sgf", text)


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory: photos/ and recordings/ with two classes each, cat.jpg, yes.wav, a
    long meeting.wav, reviews.csv; games/ and games.zip of Go, game.sgf; caches of its own.
    """
    class_folders(tmp_path / "photos")
    recordings(tmp_path / "recordings")
    (tmp_path / "yes.wav").write_bytes(wav(say("yes", 1, 9), 8000))
    meeting = [say(word, i, 9) for i, word in enumerate(("yes", "no", "yes", "no"))]
    (tmp_path / "meeting.wav").write_bytes(wav(np.concatenate(meeting), 8000))
    draw("disc", 1000).save(tmp_path / "cat.jpg")
    write_reviews(tmp_path / "reviews.csv")
    games_of_go(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BEAK_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("BEAK_DATA_DIR", raising=False)
    return tmp_path
