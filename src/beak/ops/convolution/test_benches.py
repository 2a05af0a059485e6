"""The measuring scripts run, and the one that writes the choice table finds what is best."""

from __future__ import annotations

import importlib.util
import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

from beak.ops.convolution import bench_depthwise, bench_pooled, bench_slide, bench_winograd
from beak.ops.convolution.choices import PATH

SCRIPT = Path(__file__).parents[4] / "benchmarks" / "choices.py"
TINY = {
    bench_winograd: ("SHAPES", ((2, 16, 16, 6),), ("direct", "F2", "F4", "weights")),
    bench_pooled: ("LAYERS", (bench_pooled.Layer(2, 8, 3, 5),), ("pooled_direct", "unfused")),
    bench_depthwise: (
        "LAYERS", (bench_depthwise.Layer(2, 6, 5, each=2),), ("grouped", "depthwise", "input"),
    ),
    bench_slide: (
        "SHAPES", ((2, (3, 9), 16, 16, (2, 4)),), ("forward", "input", "weights", "taken"),
    ),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("bench", TINY, ids=lambda module: module.__name__)
def test_a_bench_measures_a_tiny_layer(bench, monkeypatch, capsys):
    name, shapes, words = TINY[bench]
    monkeypatch.setattr(bench, name, shapes)
    monkeypatch.setattr(sys, "argv", ["bench", "--seconds", "0.001"])
    bench.main()
    printed = capsys.readouterr().out
    assert all(word in printed for word in words)
    assert "nan" not in printed


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("choices_script", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def test_the_limit_that_loses_least_is_written_and_a_good_one_kept(script):
    limit = next(limit for limit in script.LIMITS if limit.place == ("few_channels",))
    cases = [script.Case((c,), {"few": 1.0 * c, "many": 3.5}) for c in range(1, 9)]
    assert script.best(limit, 8, cases)[0] == 3
    assert script.best(limit, 3, cases) == (3, 0.0, 0.0)
    nearly = [script.Case((c,), {"few": c, "many": 3.5 if c != 4 else 3.999}) for c in range(1, 9)]
    assert script.best(limit, 4, nearly)[0] == 4, "no change of rows for less than half a percent"
    assert script.loss(limit, 8, cases[7:]) == pytest.approx(math.log(8 / 3.5))


def test_the_table_is_written_as_it_stands_in_its_file(script):
    assert script.written(json.loads(PATH.read_text())) == PATH.read_text()


@pytest.mark.slow
def test_the_script_measures_without_writing():
    before = PATH.read_bytes()
    command = [sys.executable, str(SCRIPT), "--only", "few", "--seconds", "0.0001"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    assert "few_channels" in done.stdout
    assert PATH.read_bytes() == before
