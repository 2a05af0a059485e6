"""A network in a table: shapes, parameters, multiply-adds, receptive fields, dense twins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from beak.network.layer import Shape
from beak.network.network import Network, Node
from beak.network.opaque import Opaque
from beak.network.receptive import Field, receptive_fields


@dataclass(frozen=True)
class Row:
    """One node of the table."""

    name: str
    kind: str
    output: Shape
    parameters: int
    """How many numbers are trained."""
    multiply_adds: int
    receptive_field: tuple[int, ...]
    """[height, width] in input steps; [length] for sequences; empty for plain rows of numbers."""
    jump: tuple[int, ...]
    """How far the fields of neighbouring places stand apart."""
    dense_parameters: int
    """What the same map costs fully connected; equal to ``parameters`` but for convolutions."""
    operator: str | None = None
    """ONNX's name of what beak does not open."""

    @property
    def times_smaller(self) -> float | None:
        """dense_parameters / parameters of a convolution; None where there is nothing to save."""
        if self.dense_parameters == self.parameters or not self.parameters:
            return None
        return self.dense_parameters / self.parameters

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "name": self.name,
            "kind": self.kind,
            "output": list(self.output),
            "parameters": self.parameters,
            "multiply_adds": self.multiply_adds,
            "receptive_field": list(self.receptive_field),
            "dense_parameters": self.dense_parameters,
        }


@dataclass(frozen=True)
class Summary:
    """All rows and their sums."""

    input: Shape
    rows: tuple[Row, ...]
    parameters: int
    multiply_adds: int
    dense_parameters: int
    """What the whole network costs with every convolution written fully connected."""

    @property
    def times_smaller(self) -> float | None:
        """dense_parameters / parameters; None where the network has no parameters."""
        return self.dense_parameters / self.parameters if self.parameters else None

    def to_json(self) -> dict[str, Any]:
        """Plain data, as ``beak summary --json`` prints it."""
        return {
            "input": list(self.input),
            "layers": [row.to_json() for row in self.rows],
            "parameters": self.parameters,
            "multiply_adds": self.multiply_adds,
        }


def summarise(network: Network) -> Summary:
    """The network's table.

    >>> from beak.network.catalogue import make_network
    >>> summary = summarise(make_network("lecture", (1, 28, 28), 10))
    >>> row = summary.rows[0]
    >>> row.name, row.parameters, row.dense_parameters, round(row.times_smaller)
    ('conv1', 250, 13266500, 53066)
    """
    fields = receptive_fields(network)
    rows = tuple(_row(node, fields[node.name]) for node in network.nodes)
    return Summary(
        input=network.input,
        rows=rows,
        parameters=network.parameter_count,
        multiply_adds=network.multiply_adds,
        dense_parameters=sum(row.dense_parameters for row in rows),
    )


def _row(node: Node, fields: tuple[Field, ...]) -> Row:
    return Row(
        name=node.name,
        kind=node.layer.kind,
        output=node.output,
        parameters=node.parameter_count,
        multiply_adds=node.multiply_adds,
        receptive_field=tuple(field.size for field in fields),
        jump=tuple(field.jump for field in fields),
        dense_parameters=node.layer.dense_parameters(*node.input_shapes),
        operator=node.layer.operator if isinstance(node.layer, Opaque) else None,
    )
