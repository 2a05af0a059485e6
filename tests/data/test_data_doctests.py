import doctest
import importlib
from pathlib import Path

import pytest

DATA = Path(__file__).parents[2] / "src" / "beak" / "data"
MODULES = [f"beak.data.{path.stem}" for path in sorted(DATA.glob("[!_]*.py"))]
MODULES += ["beak.ops.resize.reference", "beak.ops.resize.kernels"]


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0
