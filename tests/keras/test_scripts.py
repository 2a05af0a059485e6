"""Scripts in the published style: the import line exchanged, they print the same numbers."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("h5py")
HERE = Path(__file__).parent
SCRIPTS = {
    "mnist_convnet": "mnist_convnet",
    "fashion": "fashion",
    "cifar_augmented": "cifar_augmented",
    "lecture_today": "lecture_today",
    "sentences": "sentences",
    "branches": "branches",
    "told": "told",
    "folder": "folder",
    "lecture_then": "lecture_today",  # last: channels come first from there on
}
"""What beak runs, and what Keras 3 can run of the same meaning."""
TIMES = re.compile(r" - \d+s - \d+(s|ms|us)/step")
NUMBER = re.compile(r"-?\d+\.?\d*(?:e[-+]?\d+)?")


def output(which: str, *names: str) -> dict[str, str]:
    """What scripts print in a process of their own."""
    words = [sys.executable, str(HERE / "run_scripts.py"), which, *names]
    around = {**os.environ, "KERAS_BACKEND": "torch", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(words, capture_output=True, text=True, env=around, timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def wanted():
    if find_spec("keras") is None:
        pytest.skip("Keras is not installed")
    return output("keras", *sorted(set(SCRIPTS.values())))


@pytest.fixture(scope="module")
def found():
    return output("beak", *SCRIPTS)


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_prints_what_it_prints_with_keras(name, found, wanted):
    ours, theirs = found[name].splitlines(), wanted[SCRIPTS[name]].splitlines()
    assert len(theirs) > 4
    for mine, its in zip(ours, theirs, strict=True):
        mine, its = TIMES.sub("", mine), TIMES.sub("", its)
        assert NUMBER.sub("#", mine).split() == NUMBER.sub("#", its).split()
        np.testing.assert_allclose(
            [float(number) for number in NUMBER.findall(mine)],
            [float(number) for number in NUMBER.findall(its)],
            rtol=3e-4, atol=3e-4, err_msg=f"{mine}\n{its}",
        )  # fmt: skip


def test_a_script_runs_alone_in_a_process_of_its_own(tmp_path):
    from tests.keras.run_scripts import exchanged

    text = exchanged((HERE / "scripts" / "branches.py").read_text())
    assert "from beak import keras\n" in text
    assert "from beak.keras import layers\n" in text
    (tmp_path / "script.py").write_text(text)
    done = subprocess.run(
        [sys.executable, "script.py"], capture_output=True, text=True, cwd=tmp_path, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert "Total params" in done.stdout
    assert not done.stderr


def test_the_old_spelling_is_named_once_and_nothing_else_is_said(tmp_path):
    words = [sys.executable, str(HERE / "run_scripts.py"), "beak", "lecture_then"]
    said = subprocess.run(words, capture_output=True, text=True, timeout=300).stderr.splitlines()
    assert said
    assert all(line.startswith("beak: ") for line in said)
    assert len(set(said)) == len(said)
