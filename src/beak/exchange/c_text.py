"""A C file while it is written: constants, the helpers that it needs, its functions."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from beak.errors import RunError
from beak.exchange.c_helpers import FUNCTIONS, HELPERS, function_text
from beak.ops.spectrogram.reference import window_of
from beak.ops.spectrogram.settings import MelSettings
from beak.ops.spectrogram.tables import mel_tables

Array = np.ndarray[Any, Any]
A_LINE = 8


class CText:
    """Pieces of a C99 file, put together at the end."""

    def __init__(self) -> None:
        self._includes = {"math.h", "string.h"}
        self._defines: list[str] = []
        self._constants: list[str] = []
        self._helpers: list[str] = []
        self._prepare = ""
        self._names: set[str] = {*HELPERS, *FUNCTIONS}

    def name(self, text: str) -> str:
        """A name that C takes and that is not used yet.

        >>> c = CText()
        >>> c.name("res2.conv1"), c.name("res2-conv1")
        ('res2_conv1', 'res2_conv1_2')
        """
        base = "n" * text[:1].isdigit() + re.sub(r"\W", "_", text, flags=re.ASCII)
        name, number = base, 1
        while name in self._names:
            number += 1
            name = f"{base}_{number}"
        self._names.add(name)
        return name

    def include(self, header: str) -> None:
        """One more header of the standard library."""
        self._includes.add(header)

    def define(self, name: str, value: int) -> None:
        """A whole number by name."""
        self._defines.append(f"#define {name} {value}")

    def needs(self, helper: str) -> str:
        """The helper or activation's function goes into the file."""
        if helper not in self._helpers:
            self._helpers.append(helper)
        return helper

    def floats(self, name: str, values: Array) -> str:
        """A constant array of float32; its name. RunError for what C cannot write."""
        flat = np.asarray(values, np.float32).reshape(-1)
        if not np.isfinite(flat).all():
            raise RunError(f"export: '{name}' holds NaN or infinity; train the run again")
        return self._array("float", name, [_float(value) for value in flat.tolist()])

    def ints(self, name: str, values: Array) -> str:
        """A constant array of whole numbers; its name."""
        return self._array("int", name, [str(value) for value in values.reshape(-1).tolist()])

    def _array(self, kind: str, name: str, texts: list[str]) -> str:
        name = self.name(name)
        lines = (", ".join(texts[i : i + A_LINE]) for i in range(0, len(texts), A_LINE))
        body = ",\n    ".join(lines)
        self._constants.append(f"static const {kind} {name}[{len(texts)}] = {{\n    {body}\n}};\n")
        return name

    def log_mel(self, name: str, mel: MelSettings, frames: int, source: str, target: str) -> str:
        """The call that makes a spectrogram, with its tables."""
        tables, turns = mel_tables(mel), 2 * np.pi * np.arange(mel.size) / mel.size
        arrays = [
            self.floats(f"{name}_window", window_of(mel)),
            self.floats(f"{name}_cosine", np.cos(turns)),
            self.floats(f"{name}_sine", -np.sin(turns)),
            self.ints(f"{name}_first", tables.first),
            self.ints(f"{name}_taps", tables.taps),
            self.floats(f"{name}_bands", tables.weights),
        ]
        power = self.name(f"{name}_power")
        self._constants.append(f"static float {power}[{mel.bins}];\n")
        self.needs("log_mel")
        sizes = (frames, mel.hop, mel.size, mel.bands, tables.weights.shape[1])
        return f"log_mel({', '.join(map(str, (source, target, *arrays, power, *sizes)))});"

    def prepare(self, text: str) -> None:
        """The function beak_prepare."""
        self._prepare = text

    def finished(self, heading: str, body: str) -> str:
        """The whole file."""
        helpers = "".join(
            HELPERS[name] if name in HELPERS else function_text(name) for name in self._helpers
        )
        return "\n".join(
            [
                heading,
                *(f"#include <{header}>" for header in sorted(self._includes)),
                "",
                *self._defines,
                "",
                *self._constants,
                helpers,
                self._prepare,
                body,
            ]
        )


def quoted(text: str) -> str:
    r"""A text as C writes it, in UTF-8.

    >>> print(quoted('caf\u00e9 "x"'))
    "caf\303\251 \042x\042"
    """
    plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 .,_-+()"
    return '"' + "".join(chr(b) if chr(b) in plain else f"\\{b:03o}" for b in text.encode()) + '"'


def remark(text: str) -> str:
    """A text that may stand in a comment."""
    return re.sub(r"[^ -~]|\*/|/\*|\\|\?\?", "?", text)


def _float(value: float) -> str:
    text = f"{value:.9g}"
    return (text if "." in text or "e" in text else f"{text}.0") + "f"
