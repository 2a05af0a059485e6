"""A trained network in 8 bits: ranges from its own training data, biases corrected, measured.

Weights of convolutions and dense layers become whole numbers with a scale for each output channel,
-64 to 64: the sum of two products with a byte then fits the 16 bits that processors without VNNI
add them in, so that the file answers alike everywhere. Values between layers become bytes with one
scale each. Written as QuantizeLinear and DequantizeLinear around float operators (QDQ), which
runtimes fuse into whole-number kernels. What shifts a channel's mean is taken from its bias, layer
by layer (Nagel et al., Data-Free Quantization, 2019, section 4.2, with measured means).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from beak.engine.onnx_running import onnx_session
from beak.errors import DataError
from beak.exchange.check import BATCH, onnx_answers
from beak.exchange.fold import without_norms
from beak.exchange.int8_graph import Quantised, Range, Watched, byte_scale
from beak.exchange.onnx_graph import Array, Graph
from beak.exchange.onnx_layers import emit_network, function_of
from beak.exchange.onnx_model import PREPARE, exported_input, finished, input_name
from beak.network.network import Network, Node
from beak.runs.model import Model
from beak.runs.run import Run

if TYPE_CHECKING:
    from beak.data.dataset import Dataset, Part

CALIBRATED_ON = 256
"""Examples of the training part that ranges and means are taken from."""
MOST_TESTED = 10_000
MOST_LOST = 0.5
"""Points of accuracy that may be lost."""
SAMPLED = 1 << 16
SHARES = np.linspace(0.5, 1.0, 21)
"""How much of the widest range may be enough: what is beyond is cut off."""
WEIGHTED = ("Conv1D", "Conv2D", "Dense")
PASSING = ("MaxPool1D", "MaxPool2D", "GlobalMaxPool", "Flatten", "Reshape", "Dropout")
"""Layers whose numbers are some of those that come in."""


@dataclass(frozen=True)
class Accuracy:
    """The share of the test part that is answered right, by the run and by its 8 bits."""

    before: float
    after: float
    examples: int

    @property
    def lost(self) -> float:
        """Points of 100."""
        return 100 * (self.before - self.after)


def int8_bytes(run: Run, dataset: Dataset) -> bytes:
    """The run in 8 bits as an ONNX file, calibrated on the data set's training part."""
    network, parameters = without_norms(run.network, run.model.parameters)
    model = replace(run.model, network=network, parameters=parameters)
    inputs = _calibration(run.model, dataset.parts["train"])
    ranges, means = _measured(model, inputs)
    shifts: dict[str, Array] = {}
    for name in means:
        quantised, values = _written(model, ranges, shifts)
        seen = _outputs(quantised, {name: quantised.raw[name]}, model, inputs)
        shifts[name] = means[name] - _channel_mean([batch[name] for batch in seen])
    quantised, values = _written(model, ranges, shifts)
    return finished(quantised, model, values, precision="int8")


def _calibration(model: Model, part: Part) -> Array:
    """Inputs of the file, spread over the training part."""
    if not len(part):
        raise DataError("int8: the training part is empty; give another source: --data SOURCE")
    chosen = np.unique(np.linspace(0, len(part) - 1, CALIBRATED_ON).astype(np.int64))
    return exported_input(model.spec, np.asarray(part.inputs[chosen]))


def _written(
    model: Model, ranges: Mapping[str, Range], shifts: Mapping[str, Array]
) -> tuple[Quantised, dict[str, str]]:
    """The graph in 8 bits and its nodes' values."""
    g = Quantised(ranges, shifts)
    prepared = PREPARE[model.spec.kind](g, model.spec)
    bytes_of = _in_bytes(model.network, model.parameters, g)
    if "input" in bytes_of:
        prepared = g.rounded(prepared, ranges["input"])

    def after(node: Node, value: str) -> str:
        return g.rounded(value, ranges[node.name]) if node.name in bytes_of else value

    return g, emit_network(g, model.network, model.parameters, prepared, after, _between(g))


def _in_bytes(network: Network, parameters: Mapping[str, Array], g: Quantised) -> set[str]:
    """Nodes whose numbers become bytes: those that a layer of whole numbers reads, or gives.

    A join of branches of different sizes would lose the smaller one, where nobody needs bytes.
    """
    whole = {
        node.name
        for node in network.nodes
        if node.layer.kind in WEIGHTED and g.takes(parameters[f"{node.name}.weight"])
    }
    found = {_with_relu(network, name) for name in whole}
    for node in reversed(network.nodes):
        passes = node.layer.kind in PASSING and node.name in found
        if node.name in whole or passes:
            found |= set(node.inputs)
    dropouts = {node.name for node in network.nodes if node.layer.kind == "Dropout"}
    return found - {network.nodes[-1].name} - dropouts


def _with_relu(network: Network, name: str) -> str:
    """The node, or the ReLU that alone reads it: kernels of whole numbers do both in one."""
    readers = [node for node in network.nodes if name in node.inputs]
    alone = len(readers) == 1 and readers[0].layer.kind == "Activation"
    return readers[0].name if alone and function_of(readers[0]) == "relu" else name


def _between(g: Quantised) -> Any:
    """Bytes before an activation that kernels of whole numbers do not take in."""

    def between(node: Node, value: str) -> str:
        weight = g.weights.get(f"{node.name}.weight")
        whole = weight is not None and weight.dtype == np.int8 and node.name in g.raw
        if not whole or function_of(node) in (None, "relu"):
            return value
        return g.rounded(value, g.ranges[f"{node.name} raw"])

    return between


def _measured(model: Model, inputs: Array) -> tuple[dict[str, Range], dict[str, Array]]:
    """The range of each node's numbers, and the mean of each weighted layer's channels."""
    g = Watched()
    prepared = PREPARE[model.spec.kind](g, model.spec)
    values = emit_network(g, model.network, model.parameters, prepared)
    watched = {f"{name} raw": value for name, value in g.raw.items()} | values
    if model.spec.kind == "texts":
        del watched["input"]
    samples: dict[str, list[Array]] = {name: [] for name in watched}
    raw: dict[str, list[Array]] = {name: [] for name in g.raw}
    for seen in _outputs(g, watched, model, inputs):
        for name, found in seen.items():
            step = max(1, found.size * len(inputs) // (len(found) * SAMPLED))
            flat = found.reshape(-1)
            samples[name].append(np.append(flat[::step], [flat.min(), flat.max()]))
            if name.endswith(" raw"):
                raw[name[:-4]].append(found)
    ranges = {name: _range(np.concatenate(several)) for name, several in samples.items()}
    for node in model.network.nodes:
        if node.layer.kind in PASSING and node.inputs[0] in ranges:
            ranges[node.name] = ranges[node.inputs[0]]
    return ranges, {name: _channel_mean(several) for name, several in raw.items()}


def _outputs(
    g: Graph, wanted: Mapping[str, str], model: Model, inputs: Array
) -> Iterator[dict[str, Array]]:
    """These values of the graph for each batch of inputs."""
    names = {f"watched{number}": key for number, key in enumerate(wanted)}
    outputs: dict[str, tuple[str, Sequence[int | str]]] = {
        name: (wanted[key], [f"size {name} {axis}" for axis in range(_axes(model.network, key))])
        for name, key in names.items()
    }
    session = onnx_session(g.model(outputs, {}))
    for first in range(0, len(inputs), BATCH):
        batch = {input_name(model.spec): inputs[first : first + BATCH]}
        found = session.run(list(names), batch)
        yield dict(zip(names.values(), found, strict=True))


def _axes(network: Network, name: str) -> int:
    name = name.removesuffix(" raw")
    return 1 + len(network.input if name == "input" else network.node(name).output)


def _channel_mean(batches: Sequence[Array]) -> Array:
    whole = np.concatenate([b.reshape(*b.shape[:2], -1).mean(axis=2) for b in batches])
    return np.asarray(whole.mean(axis=0, dtype=np.float64))


def _range(values: Array) -> Range:
    """The range in which bytes lose least: the widest, or less with what is beyond cut off."""
    low, high = min(0.0, float(values.min())), max(0.0, float(values.max()))
    best, least = (low, high), np.inf
    for share in SHARES[::-1]:
        scale, zero = byte_scale((low * share, high * share))
        back = (np.clip(np.rint(values / scale) + zero, 0, 255) - zero) * scale
        loss = float(((back - values) ** 2).mean())
        if loss < least:
            best, least = (low * share, high * share), loss
    return best


def measured_accuracy(run: Run, made: bytes, dataset: Dataset) -> Accuracy:
    """The run's and the file's answers to the test part, or 10,000 examples spread over it."""
    part = dataset.parts["test"]
    if not len(part):
        raise DataError("int8: the test part is empty; give another source: --data SOURCE")
    answers = onnx_answers(made, run.model, run.threads)
    chosen = np.unique(np.linspace(0, len(part) - 1, MOST_TESTED).astype(np.int64))
    before = after = 0
    for first in range(0, len(chosen), 256):
        places = chosen[first : first + 256]
        stored = np.asarray(part.inputs[places])
        truth = np.asarray(part.labels)[places]
        logits = run.predictor.engine.logits(run.spec.prepare(stored))
        before += int((logits.argmax(axis=1) == truth).sum())
        shares = answers(exported_input(run.spec, stored))
        after += int((shares.argmax(axis=1) == truth).sum())
    return Accuracy(before / len(chosen), after / len(chosen), len(chosen))
