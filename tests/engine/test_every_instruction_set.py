"""The native engine's tests on the instruction sets that this CPU would not choose by itself."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from beak.ops.kernel import supported_sets


@pytest.mark.slow
@pytest.mark.parametrize("isa", supported_sets()[:-1])
def test_the_native_engine_is_right_on(isa):
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", str(Path(__file__).with_name("test_native.py"))],
        env={**os.environ, "BEAK_ISA": isa},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout[-3000:]
