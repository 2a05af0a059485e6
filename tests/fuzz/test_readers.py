"""Whatever the bytes, a reader ends in a value or in one line."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.fuzz.readers import READERS, check, place_of

ROOT = Path(__file__).parents[2]
SECONDS = 1
"""Guided fuzzing of each reader: with what it takes to start, about a minute for all."""


@pytest.mark.parametrize("name", READERS)
def test_a_file_in_order_is_read(name, tmp_path):
    for seed in READERS[name].seeds():
        assert check(name, seed, place_of(name, tmp_path)) == ""


@pytest.mark.parametrize("name", READERS)
def test_cut_and_changed_files_end_in_a_value_or_one_line(name, tmp_path):
    place, random = place_of(name, tmp_path), np.random.default_rng(1)
    for seed in READERS[name].seeds():
        for _ in range(12):
            check(name, seed[: random.integers(0, len(seed))], place)
            changed = bytearray(seed)
            for at in random.integers(0, len(seed), random.integers(1, 5)):
                changed[at] ^= int(random.integers(1, 256))
            check(name, bytes(changed), place)


@pytest.mark.slow
@pytest.mark.parametrize("name", READERS)
def test_guided_fuzzing_finds_no_way_through(name, tmp_path):
    if importlib.util.find_spec("atheris") is None:
        pytest.skip("atheris is not installed: pip install atheris (up to Python 3.12)")
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for number, seed in enumerate(READERS[name].seeds()):
        (corpus / f"seed{number}").write_bytes(seed)
    options = [f"-max_total_time={SECONDS}", "-max_len=8192", "-seed=1"]
    options.append(f"-artifact_prefix={tmp_path}/")
    command = [sys.executable, str(ROOT / "tests/fuzz/readers.py"), name, *options, str(corpus)]
    place = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": place},
    )
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("csv of texts", b"t\0\0labe\0eel\n\"fba]\n"),
        ("table", b"path,\x01\x00.\x00png,dogb.beatdog\n"),
        ("vectors", b"2 88888888882\nfilm \0\0\0\0\0\0\0\0a \0\0\0\0\0\0\0\0"),
        ("vectors", b"2 " + b"8" * 5000 + b"\nfilm \0\0\0\0\0\0\0\0"),
        ("card", b"<!-- beak: measured -->\n| a | test | 50.00 % | 40.00. to 60.00 % | 9 |\n"
                 b"<!-- beak: end -->"),
        ("card", b"<!-- beak: measured -->\n| a | test | 50.00 % | 40.00 to 60.00 % | , |\n"
                 b"<!-- beak: end -->"),
    ],
)  # fmt: skip
def test_what_fuzzing_found_stays_mended(name, content, tmp_path):
    check(name, content, place_of(name, tmp_path))
