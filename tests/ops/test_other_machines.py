"""The kernels' tests on kernels for other machines: NEON by qemu, and the portable fallback.

By hand: make test ARGS=tests/ops/test_other_machines.py SLOW=1
"""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
HERE = Path(__file__).parent
KERNEL_TESTS = "kernels and not pytorch and not reference.py and not where_cpus_are"
# (an emulator's peak lies elsewhere)
ARM_ROOT = "/usr/aarch64-linux-gnu"


@pytest.fixture
def check(run_program, kernel_tests, tmp_path):
    """Compile the server, start it by ``emulator``, and run the tests of the kernels on it."""

    def check(isa: str, compiler: str, emulator: tuple[str, ...], libraries: Path) -> None:
        program = tmp_path / "kernel_server"
        flags = ("-std=c++17", "-O1", "-Wall", "-Wextra")
        run_program([compiler, *flags, HERE / "kernel_server.cc", "-o", program, "-ldl"])
        command = [*emulator, str(program), str(libraries / f"beak_{isa}.so")]
        out = kernel_tests(
            "src/beak/ops",
            "-k",
            KERNEL_TESTS,
            "-m",
            "not slow",
            plugins=("remote_kernels",),
            examples=8,
            BEAK_SERVER=shlex.join(command),
            BEAK_SERVER_ISA=isa,
        )
        passed = re.search(r"(\d+) passed", out)
        assert passed, out
        assert int(passed[1]) >= 150

    return check


def test_neon_kernels_pass_under_qemu(check, find_program, build_kernels):
    compiler = find_program("aarch64-linux-gnu-g++")
    qemu = find_program("qemu-aarch64", "qemu-aarch64-static")
    libraries = build_kernels(
        "neon",
        "-DCMAKE_SYSTEM_NAME=Linux",
        "-DCMAKE_SYSTEM_PROCESSOR=aarch64",
        f"-DCMAKE_CXX_COMPILER={compiler}",
    )
    check("neon", compiler, (qemu, "-L", ARM_ROOT), libraries)


def test_kernels_for_any_machine_pass(check, find_program, build_kernels):
    """As CMake builds them where it knows no better: no -march, here with -O2."""
    compiler = find_program("g++", "clang++")
    libraries = build_kernels(
        "portable",
        f"-DCMAKE_CXX_COMPILER={compiler}",
        "-DBEAK_INSTRUCTION_SETS=portable",
        "-DCMAKE_CXX_FLAGS_RELEASE=-O2",
    )
    used = subprocess.run(
        ["objdump", "-d", str(libraries / "beak_portable.so")], capture_output=True, text=True
    )
    assert "%ymm" not in used.stdout
    check("portable", compiler, (), libraries)
