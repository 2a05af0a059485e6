"""The kernels under AddressSanitizer and UndefinedBehaviorSanitizer.

By hand: make test ARGS=tests/ops/test_sanitizers.py SLOW=1
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from beak.ops.kernel import supported_sets

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
KERNEL_TESTS = "kernels and not pytorch or executor"

STRAY = """
import numpy as np
from beak.ops.elementwise.kernels import FILL_ZERO
from beak.ops.kernel import call_kernel
call_kernel(FILL_ZERO[0], y=np.ones(16, np.float32), count=17)
"""


@pytest.fixture(scope="module")
def sanitised(find_program, run_program, build_kernels) -> dict[str, str]:
    """The environment in which Python loads sanitised kernels."""
    compiler = find_program("g++")
    names = ("libasan.so", "libubsan.so", "libstdc++.so")
    preload = [run_program([compiler, f"-print-file-name={name}"]).strip() for name in names]
    if not all(os.path.isabs(path) for path in preload):
        pytest.skip("this g++ has no sanitizer runtime")
    sets = ";".join(supported_sets())
    libraries = build_kernels(
        "sanitised",
        f"-DCMAKE_CXX_COMPILER={compiler}",
        "-DBEAK_SANITIZE=address,undefined",
        f"-DBEAK_INSTRUCTION_SETS={sets}",
    )
    return {
        "BEAK_KERNELS": str(libraries),
        "LD_PRELOAD": ":".join(preload),
        # Python keeps memory until it ends; one test asks for more memory than there is. Scratch
        # memory and arrays begin as rubbish, not as zeros.
        "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1:max_malloc_fill_size=268435456",
        "UBSAN_OPTIONS": "print_stacktrace=1",
        "PYTHONMALLOC": "malloc",
    }


def test_a_stray_write_would_be_reported(sanitised):
    """Else the next test could pass without looking."""
    environment = {**os.environ, **sanitised, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(
        [sys.executable, "-c", STRAY], env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode
    assert "heap-buffer-overflow" in done.stderr
    assert "fill_zero" in done.stderr


def test_the_kernels_tests_pass_under_address_and_undefined_behaviour_sanitizers(
    sanitised, kernel_tests
):
    words = ("src/beak/ops", "-k", KERNEL_TESTS, "-m", "not slow")
    out = kernel_tests(*words, examples=12, **sanitised)
    passed = re.search(r"(\d+) passed", out)
    assert passed, out
    assert int(passed[1]) >= 150 * len(supported_sets())
    assert "skipped" not in out
