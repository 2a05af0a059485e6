import doctest
import importlib
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "beak"
FILES = [
    *SOURCE.glob("lens/[!_]*.py"),
    SOURCE / "cli/canvas.py",
    SOURCE / "cli/colours.py",
    SOURCE / "cli/explain.py",
]
MODULES = [f"beak.{path.parent.name}.{path.stem}" for path in sorted(FILES)]


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0
