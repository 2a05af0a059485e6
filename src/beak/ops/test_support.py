"""For tests of kernels: memory that notices strays, and a choice of instruction set."""

from __future__ import annotations

import ctypes
import mmap
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from beak.ops import kernel as kernels
from beak.ops.kernel import Kernel, call_kernel

Array = np.ndarray[Any, Any]
CANARY = 0xA5
_libc = ctypes.CDLL(None, use_errno=True)
_libc.mprotect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)


@contextmanager
def using_instruction_set(isa: str) -> Iterator[None]:
    """Within it, kernels come from the library for ``isa``."""
    before = os.environ.get("BEAK_ISA")
    os.environ["BEAK_ISA"] = isa
    kernels.instruction_set.cache_clear()
    kernels.library.cache_clear()
    try:
        assert kernels.instruction_set() == isa
        yield
    finally:
        if before is None:
            del os.environ["BEAK_ISA"]
        else:
            os.environ["BEAK_ISA"] = before
        kernels.instruction_set.cache_clear()
        kernels.library.cache_clear()


class Guarded:
    """A copy of an array that ends where the process's memory ends.

    A read or write behind its last byte is a segmentation fault; a write before its first byte is
    found by ``check``.
    """

    def __init__(self, content: Array) -> None:
        page = mmap.PAGESIZE
        size = content.nbytes
        pages = (size + page - 1) // page * page or page
        self._memory = mmap.mmap(-1, pages + page)
        everything = np.frombuffer(self._memory, np.uint8)
        if _libc.mprotect(everything.ctypes.data + pages, page, 0):
            raise OSError(ctypes.get_errno(), "mprotect")
        self._before = everything[: pages - size]
        self._before[:] = CANARY
        bytes_of_array = everything[pages - size : pages]
        self.array: Array = bytes_of_array.view(content.dtype).reshape(content.shape)
        self.array[...] = content

    def check(self) -> None:
        assert (self._before == CANARY).all(), "written before the array"


def rubbish(shape: Sequence[int], dtype: Any) -> Array:
    """An output before the kernel runs: NaN, or a number that no kernel writes."""
    dtype = np.dtype(dtype)
    if dtype.kind == "f":
        return np.full(shape, np.nan, dtype)
    return np.full(shape, np.iinfo(dtype).max - 2, dtype)


def run(
    kernel: Kernel,
    outputs: Mapping[str, Any],
    /,
    *,
    parts: int = 1,
    threads: int = 1,
    **values: Any,
) -> dict[str, Array]:
    """Run a kernel in guarded memory; returns its outputs by name.

    ``outputs`` says for each output its shape (float32), ``(shape, dtype)``, an array (its content
    before the call), or the name of an input whose memory it shares. Inputs must be unchanged
    afterwards.
    """
    inputs = {k: np.ascontiguousarray(v) for k, v in values.items() if isinstance(v, np.ndarray)}
    memory = {name: Guarded(array) for name, array in inputs.items()}
    shared = set()
    for name, what in outputs.items():
        if isinstance(what, str):
            memory[name] = memory[what]
            shared.add(what)
        elif isinstance(what, np.ndarray):
            memory[name] = Guarded(what)
        elif len(what) == 2 and isinstance(what[0], tuple):
            memory[name] = Guarded(rubbish(*what))
        else:
            memory[name] = Guarded(rubbish(what, np.float32))
    arguments = {**values, **{name: guarded.array for name, guarded in memory.items()}}
    call_kernel(kernel, parts=parts, threads=threads, **arguments)
    for guarded in memory.values():
        guarded.check()
    for name, array in inputs.items():
        if name not in shared:
            np.testing.assert_array_equal(memory[name].array, array, f"{name} was changed")
    return {name: memory[name].array.copy() for name in outputs}
