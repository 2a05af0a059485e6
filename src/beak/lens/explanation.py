"""What every explanation is: arrays with names, a caption, and plain facts; it turns into JSON."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from beak.errors import UsageError, did_you_mean

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class Explanation:
    """Numbers that explain something, and a sentence that says what they are; never a picture.

    >>> terms = np.array([0.1, 2], np.float32)
    >>> told = Explanation("sum", "two numbers", {"terms": terms}, {"n": 2})
    >>> told.to_json()["arrays"]["terms"]
    {'shape': [2], 'type': 'float32', 'values': [0.1, 2.0]}
    """

    what: str
    """Which explanation it is: a name of ``beak explain --what``."""
    caption: str
    """One or two sentences for people."""
    arrays: dict[str, Array] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    """Plain values: numbers, texts, lists and dicts of them."""

    def __getitem__(self, name: str) -> Array:
        """An array by name; UsageError with the nearest name where there is none."""
        if name not in self.arrays:
            raise UsageError(f"{self.what}: no array '{name}'{did_you_mean(name, self.arrays)}")
        return self.arrays[name]

    def to_json(self, packed: bool = False) -> dict[str, Any]:
        """Plain data: arrays as shape, type and flat values, which ``from_json`` takes back.

        Float32 keeps its shortest decimals; what JSON cannot say is "NaN", "Infinity" or
        "-Infinity", as text, which JavaScript's Number() reads. ``packed``: the values as base64
        of their little-endian bytes, for large arrays.
        """
        tell = _array_packed if packed else _array_to_json
        arrays = {name: tell(array) for name, array in self.arrays.items()}
        facts = plain_facts(self.facts)
        return {"what": self.what, "caption": self.caption, "facts": facts, "arrays": arrays}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Explanation:
        """The explanation that ``to_json`` told; numbers in facts stay plain."""
        arrays = {name: _array_from_json(told) for name, told in data["arrays"].items()}
        return cls(data["what"], data["caption"], arrays, dict(data["facts"]))

    def __repr__(self) -> str:
        arrays = ", ".join(f"{name} {array.shape}" for name, array in self.arrays.items())
        return f"Explanation({self.what!r}: {self.caption} [{arrays}])"


def plain_facts(value: Any) -> Any:
    """Facts as JSON takes them: NumPy's numbers become Python's, NaN and infinity become text.

    >>> plain_facts({"a": (np.float32(0.1), np.inf), "b": np.int64(3)})
    {'a': [0.1, 'Infinity'], 'b': 3}
    """
    match value:
        case Mapping():
            return {str(key): plain_facts(item) for key, item in value.items()}
        case list() | tuple():
            return [plain_facts(item) for item in value]
        case np.ndarray():
            return [plain_facts(item) for item in value]
        case bool() | np.bool_():
            return bool(value)
        case int() | np.integer():
            return int(value)
        case float() | np.floating():
            short = str(value) if isinstance(value, np.floating) else value
            return _number(float(short))
        case _:
            return value


def _number(value: float) -> float | str:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")


def _array_to_json(array: Array) -> dict[str, Any]:
    flat = array.ravel()
    if flat.dtype == np.float32:
        values: list[Any] = [_number(float(text)) for text in flat.astype("U32")]
    elif flat.dtype.kind == "f":
        values = [_number(value) for value in flat.tolist()]
    else:
        values = flat.tolist()
    return {"shape": list(array.shape), "type": str(array.dtype), "values": values}


def _array_packed(array: Array) -> dict[str, Any]:
    little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    told = base64.b64encode(little.tobytes()).decode()
    return {"shape": list(array.shape), "type": str(array.dtype), "base64": told}


def _array_from_json(told: Mapping[str, Any]) -> Array:
    dtype = np.dtype(told["type"])
    if "base64" in told:
        raw = np.frombuffer(base64.b64decode(told["base64"]), dtype.newbyteorder("<"))
        return raw.astype(dtype).reshape(told["shape"])
    values = map(float, told["values"]) if dtype.kind == "f" else told["values"]
    return np.array(list(values), dtype).reshape(told["shape"])
