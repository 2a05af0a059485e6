"""Word vectors as calls: backward touches the rows of the batch's words and no others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from beak.engine.fusion import Fused
from beak.engine.lowering.context import Context, Lowered, Touched, split
from beak.engine.tape import Tensor
from beak.network import layers
from beak.network.network import Node
from beak.ops.embedding import kernels as embedding


def lower_embedding(c: Context, node: Node, inputs: list[Tensor], fused: Fused) -> Lowered:
    """Word vectors; rows of the gradient that the batch does not touch are left as they are."""
    layer = node.layer
    assert isinstance(layer, layers.Embedding)
    whole, length = inputs[0], node.output[1]
    words = whole.behind(layer.begin)
    places = words.images * length
    y = c.tape.tensor(words.images, 1, length, layer.dimensions)
    read: dict[str, Any] = {
        "words": words, "images": words.images, "length": length, "stride": whole.channels,
    }  # fmt: skip
    name = f"{node.name}.weight"
    padding = -1 if layer.padding_index is None else layer.padding_index
    c.tape.emit(
        embedding.EMBEDDING_FORWARD,
        split(y.count),
        **read,
        weight=c.parameter(name),
        y=y,
        vocabulary=layer.words,
        dimensions=layer.dimensions,
        padding=padding,
    )
    touched = Touched(c.tape.floats(places), c.tape.floats(1, itemsize=8))
    lowered = Lowered(y, lambda dy, wanted: [None])

    def backward(dy: Tensor, wanted: Sequence[bool]) -> list[Tensor | None]:
        chains = {"first": c.tape.floats(places), "next": c.tape.floats(places)}
        c.tape.emit(
            embedding.EMBEDDING_INDEX,
            1,
            **read,
            count=touched.count,
            listed=touched.rows,
            **chains,
            slot=c.tape.floats(layer.words),
            vocabulary=layer.words,
            padding=padding,
        )
        c.tape.emit(
            embedding.EMBEDDING_BACKWARD,
            split(y.count),
            dy=dy,
            count=touched.count,
            listed=touched.rows,
            **chains,
            dweight=c.gradient_of(name),
            dimensions=layer.dimensions,
        )
        lowered.touched = touched
        return [None]

    lowered.backward = backward
    return lowered
