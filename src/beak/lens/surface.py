"""Where a network has slopes: the numbers that explanations by gradient move.

For most networks these are the inputs themselves. Word numbers have no slope: there the vectors
of the words are moved. Samples that become a spectrogram within the network are looked at on the
spectrogram, the time-frequency plane.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from beak.engine.interface import Engine
from beak.engine.make import make_engine
from beak.lens.subject import Array, Subject
from beak.network.network import Network, Node

LARGEST_BATCH = 64


@dataclass(frozen=True, eq=False)
class Surface:
    """Points x (B, *shape) float32 that a network goes on from, differentiable."""

    subject: Subject
    start: str = "input"
    """What the points are: "input", "words" (vectors) or the name of the node they stand for."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of a point."""
        return self.subject.network.input

    @property
    def engine(self) -> Engine:
        """What goes on from the points."""
        return self.subject.engine

    def point(self, inputs: Array) -> Array:
        """The network's inputs (B, *input) as points."""
        return np.asarray(inputs, np.float32)

    def scores(self, points: Array, node: str | None = None) -> Array:
        """The logits (B, answers), or a node's outputs (B, *output), at points."""
        parts = [
            self._scores(points[begin : begin + LARGEST_BATCH], node)
            for begin in range(0, len(points), LARGEST_BATCH)
        ]
        return np.concatenate(parts)

    def _scores(self, points: Array, node: str | None) -> Array:
        engine, inputs = self.ready(points)
        if node is not None:
            return engine.activations(inputs)[node]
        return engine.logits(inputs).reshape(len(points), -1)

    def gradient(self, points: Array, output_gradient: Array, node: str | None = None) -> Array:
        """The slope by the points (B, *shape) of sum(outputs x output_gradient).

        ``node``: by name; None is the logits (B, answers), flat.
        """
        network = self.subject.network
        shape = network.output if node is None else network.node(node).output
        wanted = np.asarray(output_gradient, np.float32).reshape(len(points), *shape)
        parts = [
            self._gradient(points[b : b + LARGEST_BATCH], wanted[b : b + LARGEST_BATCH], node)
            for b in range(0, len(points), LARGEST_BATCH)
        ]
        return np.concatenate(parts)

    def _gradient(self, points: Array, wanted: Array, node: str | None) -> Array:
        engine, inputs = self.ready(points)
        return engine.gradients(inputs, wanted, node).input

    def ready(self, points: Array) -> tuple[Engine, Array]:
        """An engine and its inputs for a batch of points."""
        return self.engine, np.ascontiguousarray(points, np.float32)


@dataclass(frozen=True, eq=False)
class BehindNode(Surface):
    """The points are a node's output that the whole network goes through, as a spectrogram's."""

    @cached_property
    def _tail(self) -> Engine:
        network = self.subject.network
        told = network.to_json()["nodes"]
        names = [node.name for node in network.nodes]
        rest = told[names.index(self.start) + 1 :]
        for data, node in zip(rest, network.nodes[names.index(self.start) + 1 :], strict=True):
            data["inputs"] = ["input" if name == self.start else name for name in node.inputs]
        shape = list(network.node(self.start).output)
        tail = Network.from_json({"format": 1, "input": shape, "nodes": rest})
        own = {name: self.subject.parameters[name] for name in tail.parameters}
        return make_engine(tail, own, threads=self.subject.threads)

    @property
    def engine(self) -> Engine:
        """The network behind the node."""
        return self._tail

    @property
    def shape(self) -> tuple[int, ...]:
        """The node's output."""
        return self.subject.network.node(self.start).output

    def point(self, inputs: Array) -> Array:
        """The node's outputs for inputs."""
        return self.subject.engine.activations(np.asarray(inputs, np.float32))[self.start]


@dataclass(frozen=True, eq=False)
class Words(Surface):
    """The points are the words' vectors, (D, L): of several tables those of one place are stacked.

    Each place of each example gets a row of its own in tables made for the batch, so that the
    engine runs on any vectors and the tables' gradient is theirs.
    """

    @cached_property
    def _tables(self) -> list[Node]:
        return [n for n in self.subject.network.nodes if n.layer.kind == "Embedding"]

    @cached_property
    def _engines(self) -> dict[int, Engine]:
        return {}

    @property
    def shape(self) -> tuple[int, ...]:
        """(all dimensions, length)."""
        depth = sum(node.output[0] for node in self._tables)
        return depth, self.subject.network.input[0]

    def spans(self) -> list[tuple[Node, slice, slice]]:
        """Each table with its dimensions in a point and the places that it reads."""
        found, depth = [], 0
        for node in self._tables:
            begin = getattr(node.layer, "begin", 0)
            places = slice(begin, begin + node.output[1])
            found.append((node, slice(depth, depth + node.output[0]), places))
            depth += node.output[0]
        return found

    def point(self, inputs: Array) -> Array:
        """The vectors of word numbers (B, L)."""
        points = np.zeros((len(inputs), *self.shape), np.float32)
        for node, depth, places in self.spans():
            table = np.asarray(self.subject.parameters[f"{node.name}.weight"])
            points[:, depth, places] = table[inputs[:, places]].transpose(0, 2, 1)
        return points

    def _engine_for(self, batch: int) -> Engine:
        if batch not in self._engines:
            network, rows = self.subject.network, batch * self.shape[1]
            told = network.to_json()
            for data in told["nodes"]:
                if data["kind"] == "Embedding":
                    data |= {"words": rows, "padding_index": None}
                    data |= {"trainable": True} if "trainable" in data else {}
            made = Network.from_json(told)
            own = {
                name: self.subject.parameters[name]
                if np.shape(self.subject.parameters[name]) == p.shape
                else np.zeros(p.shape, np.float32)
                for name, p in made.parameters.items()
            }
            self._engines[batch] = make_engine(made, own, threads=self.subject.threads)
        return self._engines[batch]

    def ready(self, points: Array) -> tuple[Engine, Array]:
        """The engine whose tables hold these vectors, and the numbers of their rows."""
        batch, length = len(points), self.shape[1]
        engine = self._engine_for(batch)
        parameters: dict[str, Any] = engine.parameters()
        for node, depth, places in self.spans():
            table = parameters[f"{node.name}.weight"].reshape(batch, length, -1)
            table[:, places] = points[:, depth, places].transpose(0, 2, 1)
        engine.set_parameters(parameters)
        return engine, np.arange(batch * length, dtype=np.int32).reshape(batch, length)

    def _gradient(self, points: Array, wanted: Array, node: str | None) -> Array:
        engine, inputs = self.ready(points)
        found = engine.gradients(inputs, wanted, node).parameters
        slope = np.zeros(points.shape, np.float32)
        for table, depth, places in self.spans():
            rows = found[f"{table.name}.weight"].reshape(*inputs.shape, -1)
            slope[:, depth, places] = rows[:, places].transpose(0, 2, 1)
        return slope


def surface_of(subject: Subject) -> Surface:
    """Where a network's slopes are looked at."""
    nodes = subject.network.nodes
    kinds = [node.layer.kind for node in nodes]
    if "Embedding" in kinds:
        return Words(subject, "words")
    if kinds[0] == "LogMel":
        return BehindNode(subject, nodes[0].name)
    return Surface(subject)


__all__ = ["BehindNode", "Surface", "Words", "surface_of"]
