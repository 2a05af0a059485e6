"""A pytest plugin: at most BEAK_EXAMPLES examples a hypothesis test, where each one is slow.

It also names what a test itself asks for with ``@settings``, which a profile could not lower.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import settings


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    most = int(os.environ["BEAK_EXAMPLES"])
    for item in items:
        test = getattr(item, "function", None)
        chosen = getattr(test, "_hypothesis_internal_use_settings", None)
        if chosen is not None and chosen.max_examples > most:
            test._hypothesis_internal_use_settings = settings(chosen, max_examples=most)
