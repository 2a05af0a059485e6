"""What the tests of the kernels share: each of them on every instruction set of this machine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import settings

from beak.ops.kernel import supported_sets
from beak.ops.test_support import using_instruction_set

# The machines that run the tests are shared: how long one example takes says nothing.
settings.register_profile("kernels", deadline=None)
settings.load_profile("kernels")


@pytest.fixture(params=supported_sets(), scope="module")
def every_instruction_set(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each test of the module once with the kernels of every instruction set that runs here."""
    with using_instruction_set(request.param):
        yield request.param
