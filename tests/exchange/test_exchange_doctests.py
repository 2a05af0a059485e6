"""The examples in the docstrings of the room run."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

pytest.importorskip("onnx")

ROOM = Path(__file__).parents[2] / "src" / "beak" / "exchange"
MODULES = [path.stem for path in sorted(ROOM.glob("[!_]*.py")) if ">>> " in path.read_text()]


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings(name):
    found = doctest.testmod(importlib.import_module(f"beak.exchange.{name}"))
    assert found.attempted > 0
    assert found.failed == 0
