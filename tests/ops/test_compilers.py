"""Every kernel source compiles without a warning by clang too, for every instruction set.

By hand: make test ARGS=tests/ops/test_compilers.py SLOW=1
"""

from __future__ import annotations

from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
OPS = Path(__file__).parents[2] / "src" / "beak" / "ops"
SOURCES = sorted(OPS.rglob("*.cc"))
SETS = {
    "portable": "--target=x86_64-linux-gnu",
    "v2": "-march=x86-64-v2",
    "v3": "-march=x86-64-v3",
    "v4": "-march=x86-64-v4",
}
FLAGS = ("-fsyntax-only", "-std=c++17", "-Wall", "-Wextra", "-Werror", "-Wno-psabi")


@pytest.mark.parametrize("isa", SETS)
def test_clang_has_nothing_to_say(isa, find_program, run_program):
    clang = find_program("clang++")
    assert len(SOURCES) > 20
    for source in SOURCES:
        run_program([clang, *FLAGS, SETS[isa], f"-I{OPS}", source])
