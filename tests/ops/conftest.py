"""What the tests of other builds of the kernels share: compilers, builds, tests in a subprocess.

Builds lie in build/<name> and are kept: running such a test again compiles only what changed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MINUTES = 60


def program(*names: str) -> str:
    """The first of these programs that is there, beside this Python or on the path; else skip."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    for name in names:
        found = shutil.which(name, path=path)
        if found:
            return found
    pytest.skip(f"{' or '.join(names)} is not installed")


def run(command: Sequence[str | Path], minutes: float = 8, **environment: str) -> str:
    """Run a program; returns what it wrote, or fails with its last lines."""
    done = subprocess.run(
        [str(word) for word in command],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=minutes * MINUTES,
        check=False,
    )
    if done.returncode:
        last = "\n".join(done.stdout.splitlines()[-80:])
        pytest.fail(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{last}", False)
    return done.stdout


def build(name: str, *options: str) -> Path:
    """Build the kernels into build/<name> by CMake; returns the directory of the libraries."""
    cmake, ninja = program("cmake"), program("ninja")
    folder = ROOT / "build" / name
    prefix = folder / "installed"
    generator = ("-G", "Ninja", f"-DCMAKE_MAKE_PROGRAM={ninja}", f"-DCMAKE_INSTALL_PREFIX={prefix}")
    run([cmake, "-S", ROOT, "-B", folder, *generator, *options])
    run([cmake, "--build", folder])
    run([cmake, "--install", folder])
    return prefix / "beak" / "ops" / "lib"


def run_kernel_tests(
    *words: str, plugins: Sequence[str] = (), examples: int, **environment: str
) -> str:
    """Run the tests of the kernels with fewer examples, in a Python of their own."""
    extra = [word for plugin in ("fewer_examples", *plugins) for word in ("-p", plugin)]
    paths = [str(ROOT / "src"), str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
    return run(
        [sys.executable, "-m", "pytest", *extra, *words],
        BEAK_EXAMPLES=str(examples),
        PYTHONPATH=os.pathsep.join(filter(None, paths)),
        **environment,
    )


@pytest.fixture(scope="session")
def find_program() -> Callable[..., str]:
    return program


@pytest.fixture(scope="session")
def run_program() -> Callable[..., str]:
    return run


@pytest.fixture(scope="session")
def build_kernels() -> Callable[..., Path]:
    return build


@pytest.fixture(scope="session")
def kernel_tests() -> Callable[..., str]:
    return run_kernel_tests
