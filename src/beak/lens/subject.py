"""What is looked into: a network with its parameters, and one input's way through it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from beak.engine.interface import Engine
from beak.engine.make import make_engine
from beak.errors import ShapeError, UsageError, did_you_mean
from beak.network.layer import count
from beak.network.network import Network, Node
from beak.shapes import shape_text

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class Subject:
    """A network with its parameters and what its answers are called."""

    network: Network
    parameters: Mapping[str, Array]
    labels: tuple[str, ...] = ()
    """One for each answer; without them answers are called by their number."""
    threads: int | None = None
    bounds: tuple[Array, Array] | None = None
    """The least and the greatest value of each input channel (C,), where there are such."""

    @cached_property
    def engine(self) -> Engine:
        """What computes; made at first use."""
        return make_engine(self.network, self.parameters, threads=self.threads)

    @property
    def answers(self) -> int:
        """How many answers the network gives."""
        return count(self.network.output)

    def label(self, answer: int) -> str:
        """What an answer is called."""
        return self.labels[answer] if self.labels else str(answer)

    def answer(self, wanted: str | int | None, logits: Array) -> int:
        """The number of an answer: by label or number; None is the strongest of ``logits``."""
        if wanted is None:
            return int(np.argmax(logits))
        if isinstance(wanted, str) and wanted in self.labels:
            return self.labels.index(wanted)
        if isinstance(wanted, int) or wanted.isdigit():
            if int(wanted) < self.answers:
                return int(wanted)
            raise UsageError(f"answer {wanted}: the network gives 0 to {self.answers - 1}")
        raise UsageError(f"no label '{wanted}'{did_you_mean(wanted, self.labels[:200])}")

    def batch(self, inputs: Array) -> Array:
        """One input (*shape) or (1, *shape) as a batch of one, or ShapeError."""
        inputs = np.asarray(inputs)
        if inputs.shape == self.network.input:
            return inputs[None]
        if inputs.shape == (1, *self.network.input):
            return inputs
        raise ShapeError(
            f"an input of shape {inputs.shape} came, one of {self.network.input} was wanted"
        )

    def node(self, name: str, kinds: tuple[str, ...] = (), what: str = "") -> Node:
        """A node by name, of one of the kinds where some are wanted; UsageError else."""
        known = [n.name for n in self.network.nodes if not kinds or n.layer.kind in kinds]
        if name in known:
            return self.network.node(name)
        there = any(node.name == name for node in self.network.nodes)
        if there and not known:
            raise UsageError(f"{what or name}: the network has no layer of {', '.join(kinds)}")
        if there:
            raise UsageError(
                f"'{name}' is a {self.network.node(name).layer.kind}; "
                f"{what or 'this'} is for {', '.join(known[:12])}"
            )
        raise UsageError(f"no layer '{name}'{did_you_mean(name, known)}")


@dataclass(frozen=True, eq=False)
class Look:
    """One input's way through a network: every number, by the direct plan and by the fast one."""

    subject: Subject
    inputs: Array
    """(1, *network.input)."""

    @classmethod
    def at(cls, subject: Subject, inputs: Array) -> Look:
        """Look at one input (*shape) or (1, *shape)."""
        return cls(subject, subject.batch(inputs))

    @cached_property
    def values(self) -> dict[str, Array]:
        """Every node's output (*output) by name, "input" first: unfused, unfolded, direct sums."""
        found = self.subject.engine.activations(self.inputs)
        return {name: array[0] for name, array in found.items()}

    @cached_property
    def fast(self) -> dict[str, Array]:
        """The same by the plan that predicts, for the nodes whose output that plan writes."""
        found = self.subject.engine.fast_activations(self.inputs)
        return {name: array[0] for name, array in found.items()}

    @cached_property
    def logits(self) -> Array:
        """What stands before the final softmax, flat."""
        return self.subject.engine.logits(self.inputs).ravel()

    @cached_property
    def outputs(self) -> Array:
        """The network's answers, flat."""
        return self.subject.engine.forward(self.inputs).ravel()


def cell_name(node: str, index: tuple[int, ...]) -> str:
    """What a cell is called.

    >>> cell_name("conv1", (3, 0, 7))
    'conv1[3, 0, 7]'
    """
    return f"{node}[{', '.join(map(str, index))}]"


def checked_cell(subject: Subject, node: str, index: tuple[int, ...]) -> tuple[int, ...]:
    """The place of a cell in a node's output; UsageError where there is none such."""
    shape = subject.network.input if node == "input" else subject.node(node).output
    if len(index) == len(shape) and all(0 <= i < n for i, n in zip(index, shape, strict=True)):
        return tuple(int(i) for i in index)
    last = ",".join(str(n - 1) for n in shape)
    raise UsageError(
        f"no cell {list(index)} in {node}, which is {shape_text(shape)}; "
        f"{','.join('0' * len(shape))} to {last} are there"
    )
