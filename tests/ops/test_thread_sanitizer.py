"""The executor under ThreadSanitizer, driven by executor_tsan.cc: Python itself is too noisy there.

By hand: make test ARGS=tests/ops/test_thread_sanitizer.py SLOW=1
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
HERE = Path(__file__).parent
EXECUTOR = HERE.parents[1] / "src" / "beak" / "ops" / "plan" / "executor.cc"
FLAGS = ("-std=c++17", "-O1", "-g", "-Wall", "-Wextra", "-fsanitize=thread", "-pthread")


@pytest.fixture(scope="module")
def driver(find_program, run_program, tmp_path_factory) -> Path:
    compiler = find_program("g++", "clang++")
    folder = tmp_path_factory.mktemp("tsan")
    empty = folder / "empty.cc"
    empty.write_text("int main() {}\n")
    tried = subprocess.run(
        [compiler, *FLAGS, str(empty), "-o", str(folder / "empty")], capture_output=True, text=True
    )
    if tried.returncode:
        pytest.skip(f"{compiler} has no ThreadSanitizer: {tried.stderr.splitlines()[-1:]}")
    program = folder / "executor_tsan"
    run_program([compiler, *FLAGS, HERE / "executor_tsan.cc", EXECUTOR, "-o", program])
    return program


def drive(driver: Path, *words: str) -> subprocess.CompletedProcess[str]:
    # Children of a fork start threads of their own, which ThreadSanitizer allows only when asked.
    options = {"TSAN_OPTIONS": "die_after_fork=0 allocator_may_return_null=1"}
    return subprocess.run(
        [str(driver), *words], env=options, capture_output=True, text=True, timeout=500
    )


def test_a_race_would_be_reported(driver):
    """Else the next test could pass without looking."""
    for _ in range(5):  # on a busy machine one thread may have done it all
        done = drive(driver, "wrongly")
        if "data race" in done.stderr:
            return
    pytest.fail(f"no race was seen: {done}")


def test_the_executor_runs_many_tables_from_many_threads_without_a_race(driver):
    done = drive(driver)
    assert "ThreadSanitizer" not in done.stderr, done.stderr
    assert done.returncode == 0, done.stderr
    assert "all runs ended as they should" in done.stdout
