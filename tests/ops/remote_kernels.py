"""A pytest plugin: kernels run in kernel_server.cc, compiled for another machine.

``BEAK_SERVER`` is the command that starts it, ``BEAK_SERVER_ISA`` the instruction set that the
tests are to believe in. All tests that call kernels by a Table then test that machine's kernels.
"""

from __future__ import annotations

import ctypes
import os
import shlex
import struct
import subprocess
from typing import Any

import numpy as np

from beak.ops import kernel as kernels
from beak.ops.kernel import Call, Phase, Table

_processes: list[subprocess.Popen[bytes]] = []


def server() -> subprocess.Popen[bytes]:
    """The running server; a new one where the last call ended it."""
    if not _processes or _processes[-1].poll() is not None:
        _processes.append(
            subprocess.Popen(
                shlex.split(os.environ["BEAK_SERVER"]),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
        )
    return _processes[-1]


def number(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}q", *values)


def text(words: str | None) -> bytes:
    encoded = (words or "").encode()
    return number(len(encoded)) + encoded


def fields_of(call: Call, buffers: list[np.ndarray[Any, Any]]) -> bytes:
    """The argument struct; arrays that it points into are added to ``buffers``."""
    arrays = [array for array in call.keep if isinstance(array, np.ndarray)]
    fields = b""
    for name, kind in call.args._fields_:
        value = getattr(call.args, name)
        if kind is not ctypes.c_void_p:
            fields += number(0) + struct.pack("<d" if kind is ctypes.c_double else "<q", value)
            continue
        if not value:
            fields += number(0, 0)
            continue
        array = next((a for a in arrays if a.ctypes.data == value), None)
        if array is None:
            assert (call.kernel.name, name) == ("resize_bytes", "out"), "a pointer to no array"
            array = window_of_resize(call.args)
        same = [i for i, other in enumerate(buffers) if other.ctypes.data == value]
        if not same:
            buffers.append(array)
        fields += number(1, (same[0] if same else len(buffers) - 1) << 40)
    return fields


def window_of_resize(args: Any) -> np.ndarray[Any, Any]:
    """What resize may write to, which is given as an address: a window of a picture of bytes."""
    size = (args.channels - 1) * args.plane_stride + (args.new_height - 1) * args.row_stride
    return np.ctypeslib.as_array((ctypes.c_uint8 * (size + args.new_width)).from_address(args.out))


def make(call: Call, parts: int) -> None:
    """All parts of a call, in the server; the arrays are then what they are there."""
    buffers: list[np.ndarray[Any, Any]] = []
    fields = fields_of(call, buffers)
    request = number(len(buffers))
    request += b"".join(number(array.nbytes) + array.tobytes() for array in buffers)
    request += text(call.kernel.name) + text(call.kernel.scratch)
    request += number(parts, len(call.args._fields_)) + fields
    process = server()
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(request)
    process.stdin.flush()
    status = process.stdout.read(8)
    assert len(status) == 8, f"{call.kernel.name} ended its process: {process.wait()}"
    for array in buffers:
        content = process.stdout.read(array.nbytes)
        array[...] = np.frombuffer(content, array.dtype).reshape(array.shape)
    assert status == bytes(8), f"{call.kernel.name} wrote before an array"


def pytest_sessionfinish() -> None:
    for process in _processes:
        process.communicate(timeout=10)


def prepare(self: Table, phases: list[Phase]) -> None:
    self.phases = tuple(phases)


def run(self: Table, threads: int = 1) -> None:
    for phase in self.phases:
        for call in phase.calls:
            make(call, phase.parts)


kernels.supported_sets = lambda: [os.environ["BEAK_SERVER_ISA"]]
Table.__init__ = prepare  # type: ignore[assignment,method-assign]
Table.run = run  # type: ignore[method-assign]
