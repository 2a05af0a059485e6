"""Graphs of networks in 8 bits: whole numbers in the file, float operators between (QDQ)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from beak.exchange.onnx_graph import Array, Graph

Range = tuple[float, float]
TOP = 64
"""The largest weight as a whole number."""
SMALLEST = 256
"""Layers with fewer weights stay as they are: nothing would be gained."""
LONG_ROW = 16
"""Numbers of an embedding's row from which on it has a scale of its own."""


class Watched(Graph):
    """A graph that remembers what came out of each weighted layer, before its activation."""

    def __init__(self) -> None:
        super().__init__()
        self.raw: dict[str, str] = {}

    def convolution(
        self, images: str, weight: Array, bias: Array | None, name: str, **fields: Any
    ) -> str:
        """As a Graph does it."""
        self.raw[name] = super().convolution(images, weight, bias, name, **fields)
        return self.raw[name]

    def dense(self, features: str, weight: Array, bias: Array | None, name: str) -> str:
        """As a Graph does it."""
        self.raw[name] = super().dense(features, weight, bias, name)
        return self.raw[name]


class Quantised(Watched):
    """A graph whose weighted layers work on whole numbers."""

    def __init__(self, ranges: Mapping[str, Range], shifts: Mapping[str, Array]) -> None:
        super().__init__()
        self.ranges, self.shifts = ranges, shifts
        self._scales: dict[str, float] = {}

    def scope(self, name: str) -> None:
        """Values are numbered: the layers' names stand with their weights, here as well."""
        super().scope("prepare")

    def rounded(self, value: str, found: Range) -> str:
        """Through bytes and back."""
        scale, zero = byte_scale(found)
        numbers = (self.constant(np.float32(scale)), self.constant(zero, "uint8"))
        out = self.emit("DequantizeLinear", self.emit("QuantizeLinear", value, *numbers), *numbers)
        self._scales[out] = scale
        return out

    def takes(self, weight: Array) -> bool:
        """Whether a layer with these weights works on whole numbers."""
        return weight.size >= SMALLEST

    def _arrays(self, value: str, weight: Array, bias: Array | None, name: str) -> list[str]:
        """Weights and bias as whole numbers, and back."""
        scales = _row_scales(weight)
        shape = (-1, *[1] * (weight.ndim - 1))
        whole = np.rint(weight / scales.reshape(shape)).clip(-TOP, TOP)
        given = [self.constant(whole, "int8", f"{name}.weight"), self.constant(scales)]
        if weight.ndim == 2:  # 0 is what is assumed, but ONNX Runtime's Gemm wants it said
            given.append(self.constant(np.zeros(len(scales)), "int8"))
        weights = self.emit("DequantizeLinear", *given, axis=0)
        moved = self._moved(bias, name)
        moved = np.zeros(len(scales)) if moved is None else moved
        step = np.float32(self._scales[value])
        counts = np.rint(moved / (scales * step).astype(np.float64)).clip(-(2**30), 2**30)
        steps = self.multiply(given[1], self.constant(step))  # what runtimes compute on loading
        given = [self.constant(counts, "int32"), steps]
        return [weights, self.emit("DequantizeLinear", *given, axis=0)]

    def _moved(self, bias: Array | None, name: str) -> Array | None:
        """The bias with its correction."""
        shift = self.shifts.get(name)
        if shift is None or bias is None:
            return bias if shift is None else shift
        return np.asarray(bias + shift)

    def convolution(
        self, images: str, weight: Array, bias: Array | None, name: str, **fields: Any
    ) -> str:
        """Filters of whole numbers over a map of bytes."""
        if not self.takes(weight):
            return super().convolution(images, weight, self._moved(bias, name), name, **fields)
        arrays = self._arrays(images, weight, bias, name)
        self.raw[name] = self.emit("Conv", images, *arrays, **fields)
        return self.raw[name]

    def dense(self, features: str, weight: Array, bias: Array | None, name: str) -> str:
        """Weights of whole numbers times bytes."""
        if not self.takes(weight):
            return super().dense(features, weight, self._moved(bias, name), name)
        arrays = self._arrays(features, weight, bias, name)
        self.raw[name] = self.emit("Gemm", features, *arrays, transB=1)
        return self.raw[name]

    def rows(self, table: Array, numbers: str, name: str) -> str:
        """Rows of a table of whole numbers, each row with its scale; short rows: each column."""
        long = table.shape[1] >= LONG_ROW
        scales = _row_scales(table, 127)[:, None] if long else _row_scales(table.T, 127)[None]
        whole = self.constant(np.rint(table / scales), "int8", f"{name}.weight")
        found = self.number(self.emit("Gather", whole, numbers))
        steps = self.constant(scales)
        return self.multiply(found, self.emit("Gather", steps, numbers) if long else steps)


def _row_scales(weight: Array, top: int = TOP) -> Array:
    """The step of each row's whole numbers, float32; 1 for a row of zeros."""
    most = np.abs(weight.reshape(len(weight), -1)).max(axis=1)
    return np.where(most > 0, most / top, 1.0).astype(np.float32)


def byte_scale(found: Range) -> tuple[float, int]:
    """The step of a byte, and the byte that is 0."""
    low, high = min(found[0], 0.0), max(found[1], 0.0)
    scale = float(np.float32((high - low) / 255 or 1.0))
    return scale, int(np.clip(np.rint(-low / scale), 0, 255))
