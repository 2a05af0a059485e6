"""A trained network as one C99 file without any library but the standard one."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from beak.errors import RunError
from beak.exchange.c_layers import LAYERS, Walk
from beak.exchange.c_prepare import PREPARE
from beak.exchange.c_text import CText, quoted, remark
from beak.exchange.onnx_layers import function_of, own_arrays
from beak.exchange.onnx_model import OUTSIDE
from beak.network.layer import count
from beak.runs.model import Model

Array = np.ndarray[Any, Any]
MOST_NUMBERS = 4_000_000
"""Weights of the largest network: as text 60 MB, which compilers still take."""
FLAGS = ("-std=c99", "-Wall", "-Werror", "-pedantic", "-O2")


def c_source(model: Model) -> bytes:
    """The whole file. RunError for a network that is too large to be a text."""
    numbers = sum(value.size for value in model.parameters.values())
    if numbers > MOST_NUMBERS:
        raise RunError(
            f"{model.name}: {numbers:,} weights are too many for a C file (at most "
            f"{MOST_NUMBERS:,}); export it as ONNX: beak export RUN FILE.onnx"
        )
    c = CText()
    PREPARE[model.spec.kind](c, model.spec)
    walk = Walk(c, model.network)
    for node in model.network.nodes:
        reads = [walk.places[name] for name in node.inputs]
        place = LAYERS[node.layer.kind](walk, node, reads, own_arrays(node, model.parameters))
        function = function_of(node)
        if function is not None and not (node is model.network.nodes[-1] and function == "softmax"):
            walk.apply(function, place, node)
        walk.done(node, place)
    return c.finished(_heading(model), _body(model, walk)).encode()


def _heading(model: Model) -> str:
    shape, kind = model.spec.shape, model.spec.kind
    prepare = "" if kind == "go" else "beak_prepare(..., input); then "
    return f"""/* {remark(model.name)}: a trained network, written by beak.

   {prepare}beak_predict(input, probabilities);
   input: {" x ".join(map(str, shape))} numbers, {remark(model.spec.describe())}.
   Before: {remark(OUTSIDE[kind])}.
   C99 and its math library (-lm). It keeps its values in static arrays: one call at a time. */"""


def _body(model: Model, walk: Walk) -> str:
    labels = ",\n    ".join(quoted(label) for label in model.labels)
    size, last = len(model.labels), walk.places[model.network.nodes[-1].name]
    kind = walk.kind
    walk.c.needs("softmax")
    calls = "\n".join(f"    {line}" for line in walk.lines)
    return f"""
const int beak_inputs = {count(model.spec.shape)};
const int beak_label_count = {size};
const char *const beak_labels[{size}] = {{
    {labels}
}};

static float values[{max(1, walk.most)}];

/* The prepared input -> a share of 1 for each label. */
void beak_predict(const {kind} *input, float *probabilities)
{{
{calls}
    memcpy(probabilities, {last.text}, {size} * sizeof(float));
    softmax(probabilities, {size}, 1);
}}
"""


def c_answers(made: bytes, model: Model, threads: int | None = None) -> Callable[[Array], Array]:
    """The file's answers: compiled here, as strictly as compilers can. RunError without one."""
    library = _compiled(made)
    words = model.spec.kind == "texts"
    dtype, pointer = (np.int32, ctypes.c_int) if words else (np.float32, ctypes.c_float)

    def one(raw: Array) -> Array:
        prepared = np.zeros(model.spec.shape, dtype)
        shares = np.zeros(len(model.labels), np.float32)
        if model.spec.kind == "pictures":
            sizes = tuple(map(int, raw.shape))
            library.beak_prepare(
                _address(raw, np.uint8, ctypes.c_ubyte), *sizes, _address(prepared, dtype, pointer)
            )
        elif model.spec.kind == "go":
            prepared = np.ascontiguousarray(raw, np.float32)
        else:
            library.beak_prepare(_address(raw, dtype, pointer), _address(prepared, dtype, pointer))
        library.beak_predict(
            _address(prepared, dtype, pointer), _address(shares, np.float32, ctypes.c_float)
        )
        return shares

    return lambda inputs: np.stack([one(raw) for raw in inputs])


def _address(values: Array, dtype: Any, kind: Any) -> Any:
    # the array must live through the call: the pointer keeps it
    return np.ascontiguousarray(values, dtype).ctypes.data_as(ctypes.POINTER(kind))


def _compiled(made: bytes) -> ctypes.CDLL:
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        raise RunError(
            "export: no C compiler is here to compare the file with the run; install gcc or clang"
        )
    with tempfile.TemporaryDirectory(prefix="beak-", ignore_cleanup_errors=True) as folder:
        source, library = Path(folder, "model.c"), Path(folder, "model.so")
        source.write_bytes(made)
        done = subprocess.run(
            [compiler, *FLAGS, "-fPIC", "-shared", "-o", library, source, "-lm"],
            capture_output=True, text=True, errors="replace", check=False,
            env={**os.environ, "TMPDIR": folder},
        )  # fmt: skip
        if done.returncode:
            said = (done.stderr.strip().splitlines() or ["no reason given"])[0]
            raise RunError(f"export: {compiler} does not take the file: {said:.200}")
        return ctypes.CDLL(str(library))
