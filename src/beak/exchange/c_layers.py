"""Each kind of layer as a call of a C function, and where its values lie in one array."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from beak.exchange.c_text import Array, CText
from beak.network.layer import count
from beak.network.network import Network, Node
from beak.ops.spectrogram.settings import MelSettings

Arrays = dict[str, Array]


@dataclass(frozen=True)
class Place:
    """Where a node's numbers are: an expression of C, and the stretch of ``values`` behind it."""

    text: str
    begin: int = -1
    size: int = 0


class Walk:
    """The calls for a network, node by node; stretches are used again when all have read them."""

    def __init__(self, c: CText, network: Network) -> None:
        self.c = c
        self.lines: list[str] = []
        self.places = {"input": Place("input")}
        self.most = 0
        first = network.nodes[0].layer
        self.kind = "int" if first.kind == "Embedding" else "float"
        self._last: dict[str, int] = {}
        for number, node in enumerate(network.nodes):
            for name in node.inputs:
                self._last[name] = number
        self._last[network.nodes[-1].name] = len(network.nodes)
        self._number = 0

    def new(self, node: Node) -> Place:
        """A free stretch for a node's output: the first gap that is large enough."""
        size = count(node.output)
        busy = sorted(
            (place.begin, place.begin + place.size)
            for name, place in self.places.items()
            if place.begin >= 0 and self._last.get(name, -1) >= self._number
        )
        begin = 0
        for low, high in busy:
            if begin + size <= low:
                break
            begin = max(begin, high)
        self.most = max(self.most, begin + size)
        return Place(f"values + {begin}", begin, size)

    def done(self, node: Node, place: Place) -> None:
        """The node's numbers are there."""
        self.places[node.name] = place
        self._number += 1

    def call(self, helper: str, *values: Any) -> None:
        """One line of C."""
        self.c.needs(helper)
        self.lines.append(f"{helper}({', '.join(map(_text, values))});")

    def copy(self, source: Place, target: str, size: int) -> None:
        """Numbers as they are."""
        self.lines.append(f"memcpy({target}, {source.text}, {size} * sizeof(float));")

    def apply(self, function: str, place: Place, node: Node) -> None:
        """An activation, on the spot; a softmax is of each place's channels."""
        if function == "softmax":
            self.call("softmax", place, node.output[0], count(node.output[1:]))
            return
        slope = getattr(node.layer, "slope", None)
        if slope is not None:
            self.call("leak", place, place.size, f"{float(slope)!r}f")
            return
        self.c.needs(function)
        self.lines.append(f"apply_{function}({place.text}, {place.size});")

    def array(self, node: Node, own: Arrays, name: str) -> str:
        """A parameter as a constant; NULL where the layer has none."""
        return self.c.floats(f"{node.name}_{name}", own[name]) if name in own else "NULL"


def _text(value: Any) -> str:
    return value.text if isinstance(value, Place) else str(value)


def _maps(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """(channels, height, width); a sequence is a map of one row."""
    channels, *rest = shape
    height, width = rest if len(rest) == 2 else (1, *(rest or [1]))
    return channels, height, width


def _two(values: tuple[int, ...], one: int) -> tuple[int, int]:
    return (one, values[0]) if len(values) == 1 else (values[0], values[1])


def _conv(w: Walk, node: Node, reads: list[Place], own: Arrays) -> Place:
    layer: Any = node.layer
    found = layer.geometry(node.input_shapes[0])
    place = w.new(node)
    w.call(
        "conv", reads[0], place, w.array(node, own, "weight"), w.array(node, own, "bias"),
        *_maps(node.input_shapes[0]), *_maps(node.output), *_two(found.kernel, 1),
        *_two(found.stride, 1), *_two(tuple(p[0] for p in found.padding), 0),
        *_two(found.dilation, 1), layer.groups,
    )  # fmt: skip
    return place


def _pool(mean: int) -> Callable[..., Place]:
    def written(w: Walk, node: Node, reads: list[Place], own: Arrays) -> Place:
        layer: Any = node.layer
        found = layer.geometry(node.input_shapes[0])
        place = w.new(node)
        w.call(
            "pool", reads[0], place, *_maps(node.input_shapes[0]), *_maps(node.output)[1:],
            *_two(found.kernel, 1), *_two(found.stride, 1),
            *_two(tuple(p[0] for p in found.padding), 0), mean,
        )  # fmt: skip
        return place

    return written


def _global(mean: int) -> Callable[..., Place]:
    def written(w: Walk, node: Node, reads: list[Place], own: Arrays) -> Place:
        place, (channels, height, width) = w.new(node), _maps(node.input_shapes[0])
        window = (height, width)
        w.call(
            "pool", reads[0], place, channels, *window, 1, 1, *window, *window, 0, 0, mean
        )  # fmt: skip
        return place

    return written


def _copied(w: Walk, node: Node, reads: list[Place], own: Arrays) -> Place:
    place = w.new(node)
    w.copy(reads[0], place.text, place.size)
    return place


def _dense(w: Walk, node: Node, reads: list[Place], own: Arrays) -> Place:
    place = w.new(node)
    arrays = (w.array(node, own, "weight"), w.array(node, own, "bias"))
    w.call("dense", reads[0], place, *arrays, node.input_shapes[0][0], node.output[0])
    return place


def _batch_norm(w: Walk, node: Node, reads: list[Place], own: Arrays) -> Place:
    layer: Any = node.layer
    wide = {name: values.astype(np.float64) for name, values in own.items()}
    gain = wide["weight"] / np.sqrt(wide["running_var"] + layer.epsilon)
    offset = wide["bias"] - wide["running_mean"] * gain
    place = w.new(node)
    names = [w.c.floats(f"{node.name}_{n}", v) for n, v in (("gain", gain), ("offset", offset))]
    w.call("scale", reads[0], place, *names, node.output[0], count(node.output[1:]))
    return place


def _layer_norm(w: Walk, node: Node, reads: list[Place], own: Arrays) -> Place:
    layer: Any = node.layer
    place = w.new(node)
    arrays = (w.array(node, own, "weight"), w.array(node, own, "bias"))
    sizes = (node.output[0], count(node.output[1:]))
    w.call("layer_norm", reads[0], place, *arrays, *sizes, f"(float){layer.epsilon!r}")
    return place


def _embedding(w: Walk, node: Node, reads: list[Place], own: Arrays) -> Place:
    layer: Any = node.layer
    place = w.new(node)
    source = f"{reads[0].text} + {layer.begin}"
    w.call("embedding", source, place, w.array(node, own, "weight"), node.output[1], node.output[0])
    return place


def _log_mel(w: Walk, node: Node, reads: list[Place], own: Arrays) -> Place:
    place = w.new(node)
    mel = MelSettings.of(node.layer)
    w.lines.append(w.c.log_mel(node.name, mel, node.output[1], reads[0].text, place.text))
    return place


def _pad(w: Walk, node: Node, reads: list[Place], own: Arrays) -> Place:
    layer: Any = node.layer
    place = w.new(node)
    before = tuple(side[0] for side in layer.sides(node.input_shapes[0]))
    sizes = (*_maps(node.input_shapes[0]), *_maps(node.output)[1:])
    w.call("pad", reads[0], place, *sizes, *_two(before, 0))
    return place


def _upsample(w: Walk, node: Node, reads: list[Place], own: Arrays) -> Place:
    layer: Any = node.layer
    place = w.new(node)
    factors = _two(layer.factors(node.input_shapes[0]), 1)
    w.call(f"upsample_{layer.how}", reads[0], place, *_maps(node.input_shapes[0]), *factors)
    return place


def _reshape(w: Walk, node: Node, reads: list[Place], own: Arrays) -> Place:
    layer: Any = node.layer
    if not layer.last:
        return _copied(w, node, reads, own)
    place, shapes = w.new(node), (node.input_shapes[0], node.output)
    sizes = [size for shape in shapes for size in (shape[0], count(shape[1:]))]
    w.call("reshape_last", reads[0], place, *sizes)
    return place


def _position_bias(w: Walk, node: Node, reads: list[Place], own: Arrays) -> Place:
    place, bias = w.new(node), w.array(node, own, "bias")
    places = own["bias"].size
    w.call("position_bias", reads[0], place, bias, count(node.output) // places, places)
    return place


def _add(w: Walk, node: Node, reads: list[Place], own: Arrays) -> Place:
    place = _copied(w, node, reads, own)
    for other in reads[1:]:
        w.call("add", other, place, place.size)
    return place


def _multiply(w: Walk, node: Node, reads: list[Place], own: Arrays) -> Place:
    place = w.new(node)
    for number, (read, shape) in enumerate(zip(reads, node.input_shapes, strict=True)):
        factors = count(shape)
        helper = "multiply" if number else "fill"
        w.call(helper, read, place, factors, place.size // factors)
    return place


def _concat(w: Walk, node: Node, reads: list[Place], own: Arrays) -> Place:
    place, begin = w.new(node), 0
    for read, shape in zip(reads, node.input_shapes, strict=True):
        w.copy(read, f"{place.text} + {begin}", count(shape))
        begin += count(shape)
    return place


LAYERS: dict[str, Callable[[Walk, Node, list[Place], Arrays], Place]] = {
    "Conv1D": _conv,
    "Conv2D": _conv,
    "MaxPool1D": _pool(0),
    "MaxPool2D": _pool(0),
    "AvgPool1D": _pool(1),
    "AvgPool2D": _pool(1),
    "GlobalMaxPool": _global(0),
    "GlobalAvgPool": _global(1),
    "Flatten": _copied,
    "Pad": _pad,
    "Upsample": _upsample,
    "Reshape": _reshape,
    "Dense": _dense,
    "BatchNorm": _batch_norm,
    "LayerNorm": _layer_norm,
    "Dropout": _copied,
    "Activation": _copied,
    "Embedding": _embedding,
    "LogMel": _log_mel,
    "PositionBias": _position_bias,
    "Add": _add,
    "Concat": _concat,
    "Multiply": _multiply,
}
"""Kind of layer -> its call, the activation left out."""
