"""Which part of the input a number sees: the receptive field, and the jump between neighbours."""

from __future__ import annotations

from dataclasses import dataclass

from beak.network.features import GlobalPool
from beak.network.layer import Layer
from beak.network.layers import (
    Activation,
    Dense,
    LayerNorm,
    Opaque,
    Pad,
    Reshape,
    Upsample,
    Windowed,
)
from beak.network.network import Network, Node
from beak.shapes import reach


@dataclass(frozen=True)
class Field:
    """What one place of a map sees along one axis of the input, in input steps."""

    size: int = 1
    jump: int = 1
    """How far the fields of two neighbouring places stand apart; 0 where there is one place."""
    start: int = 0
    """Where the first place's field begins; negative in the padding."""
    places: int = 1

    def slide(self, kernel: int, stride: int, dilation: int, before: int, outputs: int) -> Field:
        """The field after a window has slid over this map."""
        return Field(
            self.size + (reach(kernel, dilation) - 1) * self.jump,
            self.jump * stride,
            self.start - before * self.jump,
            outputs,
        )

    def united(self, length: int) -> Field:
        """The field of something that sees every place, cut to the input's length."""
        end = min(length, self.start + (self.places - 1) * self.jump + self.size)
        start = max(0, self.start)
        return Field(max(0, end - start), 0, start)


def receptive_fields(network: Network) -> dict[str, tuple[Field, ...]]:
    """For each node, one Field for each axis of the input: (height, width), (length,) or none.

    A convolution's field may reach beyond the input, into padding; a field that covers all places
    (dense layers, global pooling) is cut to the input. Araujo et al. 2019 (Distill) give the sums.
    """
    sizes = _axes(network)
    fields = {"input": tuple(Field(places=size) for size in sizes)}
    for node in network.nodes:
        joined = _join([fields[name] for name in node.inputs])
        fields[node.name] = _after(node, joined, sizes)
    return fields


def _axes(network: Network) -> tuple[int, ...]:
    """The axes along which places lie: all after the channels; word numbers lie along their own,
    and a spectrogram's frames and bands count where samples come in.
    """
    first = network.nodes[0]
    if first.layer.kind == "LogMel":
        return first.output[1:]
    return network.input if first.layer.kind == "Embedding" else network.input[1:]


def _after(node: Node, fields: tuple[Field, ...], sizes: tuple[int, ...]) -> tuple[Field, ...]:
    layer = node.layer
    if isinstance(layer, Windowed) and len(fields) == layer.axes:
        g = layer.geometry(node.input_shapes[0])
        axes = zip(fields, g.kernel, g.stride, g.dilation, g.padding, g.outputs, strict=True)
        return tuple(f.slide(k, s, d, p[0], n) for f, k, s, d, p, n in axes)
    if isinstance(layer, Pad) and len(fields) == len(node.output) - 1:
        axes = zip(fields, layer.sides(node.input_shapes[0]), node.output[1:], strict=True)
        return tuple(f.slide(1, 1, 1, side[0], n) for f, side, n in axes)
    if _sees_every_place(layer, node):
        return tuple(field.united(size) for field, size in zip(fields, sizes, strict=True))
    if isinstance(layer, Opaque):  # nobody knows what it looks at: everything
        ends = node.output[1:] if len(node.output) == len(sizes) + 1 else (1,) * len(sizes)
        return tuple(Field(size, 0, 0, n) for size, n in zip(sizes, ends, strict=True))
    return fields


def _sees_every_place(layer: Layer, node: Node) -> bool:
    if isinstance(layer, Dense | GlobalPool | Upsample | Reshape | Windowed | Pad):
        return True  # behind these places no longer lie evenly on the input: all that they may see
    mixes = isinstance(layer, LayerNorm) or (
        isinstance(layer, Activation) and layer.function == "softmax"
    )
    return mixes and len(node.output) == 1


def _join(inputs: list[tuple[Field, ...]]) -> tuple[Field, ...]:
    """The fields of something that reads several maps at the same places."""
    return tuple(_join_axis(list(axis)) for axis in zip(*inputs, strict=True))


def _join_axis(fields: list[Field]) -> Field:
    most = max(fields, key=lambda field: field.places)
    start = min(field.start for field in fields)
    end = max(field.start + field.size for field in fields)
    return Field(end - start, most.jump, start, most.places)


__all__ = ["Field", "receptive_fields"]
