"""A row of a kernel table, the choice of a row, and the call of compiled kernels.

The compiled kernels are one shared library per instruction set; the best that this CPU has is
loaded at first use (``BEAK_ISA`` overrides).
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import platform
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from beak.errors import BeakError, UsageError

POINTER = ctypes.c_void_p
INT = ctypes.c_int64
REAL = ctypes.c_double

KINDS = {"ptr": POINTER, "int": INT, "real": REAL}


def structure(name: str, fields: str) -> type[ctypes.Structure]:
    """A C struct of 8-byte fields from a line such as ``"ptr:x ptr:y int:n real:slope"``.

    It must name the fields of the C++ struct in the same order; all fields are pointers, int64_t
    or double, so that no compiler pads between them.
    """
    pairs = [field.split(":") for field in fields.split()]
    return type(
        name, (ctypes.Structure,), {"_fields_": [(field, KINDS[kind]) for kind, field in pairs]}
    )


@dataclass(frozen=True)
class Kernel:
    """One row of a kernel table: a compiled function, where it runs and what it takes."""

    name: str
    args: type[ctypes.Structure]
    isa: frozenset[str] = frozenset({"v2", "v3", "v4", "neon", "portable"})
    takes: Callable[[Any], bool] = lambda shape: True
    scratch: str | None = None
    """A compiled function that tells, from the filled arguments, the scratch bytes of a part."""

    def scratch_bytes(self, args: ctypes.Structure) -> int:
        """How many bytes of a thread's own memory a call with these arguments uses."""
        if self.scratch is None:
            return 0
        ask = getattr(library(), self.scratch)
        ask.restype, ask.argtypes = INT, (POINTER,)
        return int(ask(ctypes.addressof(args)))


def choose(rows: Sequence[Kernel], shape: Any = None) -> Kernel:
    """The first row that runs on the loaded instruction set and takes this shape.

    A pure function of shape and instruction set: never of threads, timings or the time of day.
    """
    isa = instruction_set()
    for row in rows:
        if isa in row.isa and row.takes(shape):
            return row
    raise BeakError(f"no kernel of {[row.name for row in rows]} takes {shape} on {isa}")


@dataclass(frozen=True)
class Call:
    """A kernel with its filled arguments; ``keep`` holds arrays that the pointers point into."""

    kernel: Kernel
    args: ctypes.Structure
    keep: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Phase:
    """Calls that a thread makes one after the other for each of ``parts`` parts."""

    calls: tuple[Call, ...]
    parts: int


class _Call(ctypes.Structure):
    _fields_ = (("run", POINTER), ("args", POINTER))


class _Phase(ctypes.Structure):
    _fields_ = (("first", INT), ("count", INT), ("parts", INT))


class Table:
    """Phases made ready to run: ``table.run(threads)`` is one foreign call."""

    def __init__(self, phases: Sequence[Phase]) -> None:
        self.phases = tuple(phases)
        calls = [call for phase in self.phases for call in phase.calls]
        self._calls = (_Call * max(1, len(calls)))()
        self._phases = (_Phase * max(1, len(self.phases)))()
        for slot, call in zip(self._calls, calls, strict=False):
            slot.run = ctypes.cast(getattr(library(), call.kernel.name), POINTER)
            slot.args = ctypes.cast(ctypes.pointer(call.args), POINTER)
        first = 0
        for place, phase in zip(self._phases, self.phases, strict=False):
            place.first, place.count, place.parts = first, len(phase.calls), phase.parts
            first += len(phase.calls)
        self._scratch = max((call.kernel.scratch_bytes(call.args) for call in calls), default=0)
        self._run = executor().beak_run
        self._run.restype = INT
        self._run.argtypes = (POINTER, POINTER, INT, INT, INT, POINTER)

    def run(self, threads: int = 1) -> None:
        """Run every phase; raises MemoryError when scratch memory cannot be had."""
        self._start(threads, None)

    def timed(self, threads: int = 1) -> np.ndarray[Any, Any]:
        """Run every phase; how long each took, in seconds, as the calling thread saw it."""
        seconds = np.zeros(len(self.phases))
        self._start(threads, seconds.ctypes.data)
        return seconds

    def _start(self, threads: int, seconds: int | None) -> None:
        status = self._run(
            ctypes.addressof(self._calls),
            ctypes.addressof(self._phases),
            len(self.phases),
            threads,
            self._scratch,
            seconds,
        )
        if status:
            raise MemoryError("no memory left for the kernels' scratch space")


def call_kernel(
    kernel: Kernel,
    parts: int = 1,
    threads: int = 1,
    **values: np.ndarray[Any, Any] | float | None,
) -> None:
    """Fill a kernel's arguments by name and run it once: for tests, and for work outside a plan.

    Arrays must be C-contiguous; they are passed as pointers and written in place.
    """
    call = Call(kernel, fill(kernel, values), keep=tuple(values.values()))
    Table([Phase((call,), parts)]).run(threads)


def fill(
    kernel: Kernel, values: Mapping[str, np.ndarray[Any, Any] | float | None]
) -> ctypes.Structure:
    """A kernel's argument struct from values by name; every field must be given, None is null."""
    args = kernel.args()
    names = [field[0] for field in kernel.args._fields_]
    if sorted(names) != sorted(values):
        raise TypeError(f"{kernel.name} takes {names}, not {list(values)}")
    for name, value in values.items():
        if isinstance(value, np.ndarray):
            if not value.flags.c_contiguous:
                raise TypeError(f"{kernel.name}: {name} must be C-contiguous")
            setattr(args, name, value.ctypes.data)
        else:
            setattr(args, name, value)
    return args


def default_threads() -> int:
    """As many threads as this process may use cores."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


@functools.cache
def instruction_set() -> str:
    """The instruction set whose kernels are used: v2, v3, v4 (x86-64 levels), neon or portable."""
    wanted = os.environ.get("BEAK_ISA")
    known = supported_sets()
    if wanted:
        if wanted not in known:
            raise UsageError(f"BEAK_ISA={wanted}: this machine runs {', '.join(known)}")
        return wanted
    return known[-1]


def supported_sets() -> list[str]:
    """The instruction sets that this CPU runs, slowest first."""
    machine = platform.machine().lower()
    if machine in ("aarch64", "arm64"):
        return ["neon"]
    if machine not in ("x86_64", "amd64"):
        return ["portable"]
    flags = _cpu_flags()
    sets = ["v2"]
    if {"avx2", "fma", "bmi1", "bmi2", "f16c", "movbe"} <= flags:
        sets.append("v3")
        if {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"} <= flags:
            sets.append("v4")
    return sets


def _cpu_flags() -> set[str]:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return set()
    line = next((line for line in text.splitlines() if line.startswith("flags")), "")
    return set(line.split())


def _library_path(name: str) -> Path:
    """Where a compiled library lies: beside the sources, or where the package was installed."""
    ending = {"win32": ".dll"}.get(sys.platform, ".so")
    places = [Path(__file__).parent / "lib"]
    if os.environ.get("BEAK_KERNELS"):
        places.insert(0, Path(os.environ["BEAK_KERNELS"]))
    for place in (*places, *_installed()):
        if (place / f"{name}{ending}").exists():
            return place / f"{name}{ending}"
    raise BeakError(
        f"the compiled kernels ({name}{ending}) are missing from {places[0]}; "
        "build them with: pip install ."
    )


def _installed() -> Iterator[Path]:
    """Where pip put the kernels of an editable install; asked only where they lie nowhere else."""
    from importlib.metadata import PackageNotFoundError, distribution

    with contextlib.suppress(PackageNotFoundError):
        yield Path(str(distribution("beak").locate_file("beak/ops/lib")))


@functools.cache
def library() -> ctypes.CDLL:
    """The compiled kernels for this machine's instruction set."""
    return ctypes.CDLL(str(_library_path(f"beak_{instruction_set()}")))


@functools.cache
def executor() -> ctypes.CDLL:
    """The compiled executor (plan/executor.cc), the same for every instruction set."""
    return ctypes.CDLL(str(_library_path("beak_plan")))
