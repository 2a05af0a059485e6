"""The executor: phases in order, parts shared out, threads that come and go."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beak.errors import BeakError, UsageError
from beak.ops import kernel as kernels
from beak.ops.elementwise.kernels import ADD, FILL_ZERO
from beak.ops.kernel import Call, Kernel, Phase, Table, call_kernel, choose, fill, structure


def add_call(a, b, y):
    return Call(ADD[0], fill(ADD[0], {"a": a, "b": b, "y": y, "count": y.size}), keep=(a, b, y))


@given(st.lists(st.integers(1, 9), min_size=1, max_size=12), st.integers(1, 6))
@settings(max_examples=40, deadline=None)
def test_a_phase_starts_when_the_one_before_has_ended(parts, threads):
    """Doubling a vector in place again and again is wrong as soon as two phases overlap."""
    x = np.ones(1001, np.float32)
    table = Table([Phase((add_call(x, x, x),), count) for count in parts])
    table.run(threads)
    np.testing.assert_array_equal(x, np.full(1001, 2.0 ** len(parts)))


def test_a_part_makes_all_calls_of_its_phase_in_order():
    x, y = np.ones(64, np.float32), np.zeros(64, np.float32)
    Table([Phase((add_call(x, x, x), add_call(x, x, y)), 4)]).run(2)
    np.testing.assert_array_equal(y, np.full(64, 4))


def test_a_table_without_phases_does_nothing():
    Table([]).run(3)


def test_more_threads_than_parts_and_than_cores_are_welcome():
    x = np.ones(10, np.float32)
    Table([Phase((add_call(x, x, x),), 2)] * 3).run(33)
    np.testing.assert_array_equal(x, np.full(10, 8))


def test_runs_from_several_python_threads_all_end():
    arrays = [np.ones(5000, np.float32) for _ in range(6)]
    tables = [Table([Phase((add_call(x, x, x),), 8)] * 20) for x in arrays]
    workers = [threading.Thread(target=table.run, args=(2,)) for table in tables]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    for x in arrays:
        np.testing.assert_array_equal(x, np.full(5000, 2.0**20))


def test_scratch_memory_that_cannot_be_had_is_a_memory_error():
    x = np.ones(4, np.float32)
    table = Table([Phase((add_call(x, x, x),), 1)])
    table._scratch = 2**62
    with pytest.raises(MemoryError, match="scratch"):
        table.run(1)
    np.testing.assert_array_equal(x, 1)


def test_a_field_left_out_or_unknown_is_an_error_not_a_wild_pointer():
    y = np.ones(4, np.float32)
    with pytest.raises(TypeError, match="fill_zero takes"):
        call_kernel(FILL_ZERO[0], y=y)
    with pytest.raises(TypeError, match="C-contiguous"):
        call_kernel(FILL_ZERO[0], y=np.ones((4, 4), np.float32).T, count=4)


def test_the_first_row_that_runs_here_and_takes_the_shape_is_chosen():
    args = structure("Nothing", "int:n")
    elsewhere = Kernel("elsewhere", args, isa=frozenset({"another machine"}))
    small = Kernel("small", args, takes=lambda shape: shape < 10)
    general = Kernel("general", args)
    rows = (elsewhere, small, general)
    assert choose(rows, 3) is small
    assert choose(rows, 30) is general
    with pytest.raises(BeakError, match="no kernel"):
        choose((elsewhere, small), 30)


def test_an_instruction_set_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setenv("BEAK_ISA", "v9")
    kernels.instruction_set.cache_clear()
    try:
        with pytest.raises(UsageError, match="BEAK_ISA=v9: this machine runs"):
            kernels.instruction_set()
    finally:
        monkeypatch.undo()
        kernels.instruction_set.cache_clear()
