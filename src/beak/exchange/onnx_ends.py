"""The end of a network made elsewhere: a row of answers, as a run gives them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from beak.engine.onnx_running import by_definition, onnx_refusals, onnx_session
from beak.exchange.onnx_building import UNMOVABLE, Building
from beak.exchange.onnx_file import OnnxFile, Operator, runnable
from beak.exchange.onnx_given import Given
from beak.exchange.onnx_graph import Array
from beak.exchange.onnx_views import Bent, LackingError, Value
from beak.network.layer import Shape, count
from beak.network.layers import Activation, Dense
from beak.shapes import shape_text


@dataclass(frozen=True, eq=False)
class End:
    """The last node, and how the file's own answers become the network's."""

    node: str
    turned: Callable[[Array], Array]
    labels: tuple[str, ...] = ()


def ended(net: Building, given: Given) -> End:
    """A node that gives a row of answers. LackingError where the file ends otherwise."""
    turned: Callable[[Array], Array] = _row
    if isinstance(given, Bent) and given.how == "log":
        given, turned = given.value, lambda found: np.exp(_row(found))
    if not isinstance(given, Value):
        raise LackingError("its answers are constants or no layer's numbers")
    node = given.node
    if max(given.shape) != given.places.size:
        raise LackingError(
            f"it answers {shape_text(given.shape[1:])} numbers; beak's runs answer a row of them, "
            "one for each label"
        )
    node = net.flat(node)
    if not np.array_equal(given.places.ravel(), np.arange(count(net.shapes[node]))):
        raise LackingError(f"its answers: {UNMOVABLE}")
    if net.shapes[node] != (1,):
        return End(node, turned)
    layer = net.layers.get(node)
    if not isinstance(layer, Activation) or layer.function != "sigmoid":
        raise LackingError("it answers one number; beak's runs answer two labels or more")
    # sigmoid(x) is the softmax of 0 and x
    two = Dense(2, bias=False)
    row = net.flat(net.inputs[node][0])
    both = net.add(two, [row], {"weight": np.array([[0.0], [1.0]])})
    return End(net.add(Activation("softmax"), [both]), _two, ("0", "1"))


def _row(found: Array) -> Array:
    return found.reshape(len(found), -1)


def _two(found: Array) -> Array:
    row = _row(found)
    return np.concatenate([1 - row, row], axis=1)


def answers_of(
    file: OnnxFile,
    operators: Sequence[Operator],
    arrays: Mapping[str, Array],
    output: str,
    replaced: Mapping[str, str],
    outside: Shape,
    places: Array,
    end: End,
) -> Callable[[Array], Array]:
    """The file's own answers through ONNX Runtime, to inputs as the network reads them."""
    name = file.inputs[0].name
    dims = file.inputs[0].type.tensor_type.shape.dim
    batch = int(dims[0].dim_value) if dims and dims[0].dim_value > 0 else None
    made: list[Callable[[Array], Array]] = []

    def answers(inputs: Array) -> Array:
        if not made:
            shape = [batch or "N", *outside]
            model = runnable(file, operators, arrays, output, replaced, shape)
            made.append(_runner(model, name, output))
        laid = inputs.reshape(len(inputs), -1)[:, places.ravel()].reshape(-1, *outside)
        found = []
        for first in range(0, len(laid), batch or len(laid)):
            part = laid[first : first + (batch or len(laid))]
            filled = np.resize(part, (batch or len(part), *outside)).astype(np.float32)
            found.append(made[0](filled)[: len(part)])
        return end.turned(np.concatenate(found))

    return answers


def _runner(model: bytes, name: str, output: str) -> Callable[[Array], Array]:
    """ONNX Runtime, or where it refuses the model, the definition of ONNX's operators, slowly."""
    odd = onnx_refusals()
    sessions: list[Any] = []

    def run(inputs: Array) -> Array:
        try:
            if not sessions:
                sessions.append(onnx_session(model, 1))
            return np.asarray(sessions[0].run([output], {name: inputs})[0])
        except odd:
            return by_definition(model, {name: inputs})

    return run
