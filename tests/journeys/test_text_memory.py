"""Memory of texts: a million of them train in less than a gigabyte, and stream through prediction.

The measured program is benchmarks/text_memory.py, here with fewer sentences: what grows with their
number is compared with what a million may take.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

FEW, MANY = 20_000, 80_000
A_GIGABYTE = 1000.0
BASE = 330.0
"""MB that training on 50,000 sentences takes with the baseline and a full vocabulary."""
SMALL = ("--epochs", "1", "--no-baseline", "--set", "network.filters=2", "--set",
         "network.dimensions=4", "--network", "sentence", "--set", "data.words=2000")  # fmt: skip


@pytest.fixture
def bench(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    import text_memory

    yield text_memory
    del sys.modules["text_memory"]


@pytest.mark.slow
def test_memory_grows_so_little_that_a_million_sentences_train_in_a_gigabyte(bench, tmp_path):
    peaks = []
    for count in (FEW, MANY):
        table = tmp_path / f"{count}.csv"
        bench.write(table, count, labelled=True)
        run = str(tmp_path / f"run{count}")
        peaks.append(bench.measured(["train", str(table), "--out", run, *SMALL])[0])
    each = (peaks[1] - peaks[0]) / (MANY - FEW)
    assert BASE + 1e6 * each < A_GIGABYTE, peaks
    lines = [tmp_path / "few.txt", tmp_path / "many.txt"]
    for path, count in zip(lines, (FEW // 10, MANY), strict=True):
        bench.write(path, count, labelled=False)
    few, many = (bench.measured(["predict", run, "-"], path)[0] for path in lines)
    assert many < few + 8, (few, many)  # 80,000 lines alone are 7 MB, their rows and answers more
