"""Modules of PyTorch that beak cannot take whole: the rest of them as boxes that PyTorch computes.

A box is a stretch of the exported graph, run by PyTorch on one example after another. It lives as
long as its module does: a network with such boxes is looked at, not written.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.fx import Node

from beak.errors import RunError
from beak.exchange.onnx_given import Given
from beak.exchange.onnx_views import Array, Bent, LackingError, Value
from beak.exchange.torch_read import Reading, place_of
from beak.network.layer import Shape, count
from beak.network.opaque import Opaque
from beak.runs.safe import one_line

LARGEST = 1 << 26
"""Numbers that a box may give."""


@dataclass(frozen=True, eq=False)
class Computation:
    """What a box computes: some nodes of a graph, in order, on one example after another."""

    nodes: Sequence[Node]
    last: Node
    program: Any
    """Where the graph's inner graphs lie."""
    constants: Mapping[Node, Any]
    reads: Mapping[Node, tuple[int, Array]]
    """For each value from outside: which of the box's inputs, and the places of its numbers."""
    device: torch.device

    def __call__(self, inputs: Sequence[Array]) -> Array:
        """The box's inputs (B, …) -> its output (B, numbers), float32."""
        flat = [np.asarray(one, np.float32).reshape(len(one), -1) for one in inputs]
        rows = [self._example([one[i] for one in flat]) for i in range(len(flat[0]))]
        return np.stack(rows)

    def _example(self, flat: Sequence[Array]) -> Array:
        known: dict[Node, Any] = dict(self.constants)
        for node, (which, places) in self.reads.items():
            numbers = np.where(places < 0, np.float32(0), flat[which][places])
            known[node] = torch.from_numpy(numbers).to(self.device, node.meta["val"].dtype)
        try:
            with torch.no_grad():
                for node in self.nodes:
                    known[node] = _computed(node, known, self.program)
        except (RuntimeError, ValueError, TypeError, IndexError) as error:
            raise RunError(f"PyTorch's {self.last.name}: {one_line(error, 200)}") from None
        found = known[self.last]
        return np.asarray(found.detach().cpu().float().numpy()).ravel()


def _computed(node: Node, known: Mapping[Node, Any], program: Any) -> Any:
    """One node's value, by PyTorch."""
    if node.op == "get_attr":
        held: Any = program
        for part in str(node.target).split("."):
            held = getattr(held, part)
        return held
    args, kwargs = torch.fx.node.map_arg((node.args, node.kwargs), lambda one: known[one])
    target: Any = node.target
    return target(*args, **kwargs)


class BoxedReading(Reading):
    """The graph's values; what has no layer is a box."""

    def __init__(self, program: Any, name: str) -> None:
        super().__init__(program, name)
        self.nodes: list[Node] = list(program.graph.nodes)
        self.at = {node: place for place, node in enumerate(self.nodes)}
        self.constants: dict[Node, Any] = {}
        """Tensors, and whatever else does not follow from the input."""
        held = {**program.state_dict, **program.constants}
        for node in self.nodes:
            if node.name in self.names:
                self.constants[node] = held[self.names[node.name]]
        tensors = [one for one in self.constants.values() if isinstance(one, torch.Tensor)]
        self.device = tensors[0].device if tensors else torch.device("cpu")

    def outcome(self) -> Given:
        """What the graph gives."""
        place = 0
        while place < len(self.nodes):
            node = self.nodes[place]
            place += 1
            if node.op == "output":
                return self.answer(node)
            if node.op in ("call_function", "get_attr") and not self._folded(node):
                try:
                    self.known[node.name] = self.step(node)
                except LackingError as error:
                    place = self._boxed(node, error)
        raise RunError(f"{self.name}: it gives nothing")

    def _folded(self, node: Node) -> bool:
        """Compute what does not follow from the input; whether it was that."""
        if not all(one in self.constants for one in node.all_input_nodes):
            return False
        if node.op == "call_function":
            _refuse_drawing(node)
        with torch.no_grad():
            found = _computed(node, self.constants, self.program.graph_module)
        self.constants[node] = found
        if isinstance(found, torch.Tensor) and found.is_floating_point():
            self.known[node.name] = found.detach().cpu().float().numpy()
        else:
            self.known[node.name] = found
        return True

    def _boxed(self, node: Node, lacking: LackingError) -> int:
        """A box for this node and what must go with it; the place behind the box."""
        for first, end in self._stretches(node):
            inside = [one for one in self.nodes[first:end] if one not in self.constants]
            inside = [one for one in inside if one.op != "placeholder"]
            gives = [one for one in inside if self._read_later(one, end)]
            if gives and all(map(_is_plain, gives)):
                for one in inside:
                    _refuse_drawing(one)
                path, kind = self._named(node, first, end)
                for one in gives:
                    self._add(one, inside, self._free(path), kind)
                return end
        raise lacking

    def _stretches(self, node: Node) -> list[tuple[int, int]]:
        """Parts of the graph that may become the box, the smallest first: the call of a module
        that has no modules in it, the node with more and more behind it, the modules around it.
        """
        place, depth = self.at[node], len(_calls(node))
        spans = [self._span(place, one) for one in range(depth, 0, -1)]
        spans = spans or [(0, len(self.nodes) - 1)]
        found = spans[:1] if depth > 1 and self._is_leaf(*spans[0], depth) else []
        found += [(place, end) for end in range(place + 1, spans[0][1] + 1)]
        bent = [self.at[one] for one in node.all_input_nodes
                if isinstance(self.known.get(one.name), Bent)]  # fmt: skip
        return [(min([first, *bent]), end) for first, end in (*found, *spans)]

    def _span(self, place: int, depth: int) -> tuple[int, int]:
        """Where the call begins and ends that a node stands in, so many modules deep."""
        wanted = _calls(self.nodes[place])[:depth]
        first, end = place, place + 1
        while first > 0 and _calls(self.nodes[first - 1])[:depth] == wanted:
            first -= 1
        while end < len(self.nodes) and _calls(self.nodes[end])[:depth] == wanted:
            end += 1
        return first, end

    def _is_leaf(self, first: int, end: int, depth: int) -> bool:
        return all(len(_calls(one)) == depth for one in self.nodes[first:end])

    def _named(self, node: Node, first: int, end: int) -> tuple[str, str]:
        """A box's path, and what it is called: its module where it is all of one, else its first
        operator.
        """
        stack = list((node.meta.get("nn_module_stack") or {}).values())
        for depth in range(len(stack), 0, -1):
            path, module = stack[depth - 1]
            if path and self._span(self.at[node], depth) == (first, end):
                kind = str(module).rpartition(".")[2].rstrip("'>")
                return path, kind if kind.isidentifier() else "module"
        target: Any = node.target
        kind = getattr(getattr(target, "_schema", None), "name", str(target)).rpartition(":")[2]
        kind = kind if kind.isidentifier() else "operator"
        return f"{stack[-1][0]}.{kind}".lstrip(".") if stack else kind, kind

    def _free(self, name: str) -> str:
        """The name, with a number behind it where it is taken."""
        numbered = (name if number == 1 else f"{name}{number}" for number in itertools.count(1))
        return next(one for one in numbered if one not in self.net.layers)

    def _read_later(self, node: Node, end: int) -> bool:
        return any(self.at[user] >= end for user in node.users)

    def _add(self, last: Node, inside: Sequence[Node], name: str, kind: str) -> None:
        """A box that gives this node's value."""
        needed, held = {last}, set(inside)
        for one in reversed(inside):
            if one in needed:
                needed |= {before for before in one.all_input_nodes if before in held}
        nodes = [one for one in inside if one in needed]
        outside = dict.fromkeys(b for one in nodes for b in one.all_input_nodes if b not in needed)
        constants = {one: self.constants[one] for one in outside if one in self.constants}
        values = {one: self._value(one) for one in outside if one not in constants}
        sources = list(dict.fromkeys(value.node for value in values.values()))
        reads = {one: (sources.index(v.node), v.places) for one, v in values.items()}
        run = Computation(nodes, last, self.program.graph_module, constants, reads, self.device)
        shape = tuple(int(n) for n in last.meta["val"].shape)
        weights = [one.detach().cpu().float().numpy() for one in constants.values() if _weighs(one)]
        arguments = (
            *(("read", self.net.shapes[one]) for one in sources),
            *(("own", one.shape) for one in weights),
        )
        layer = Opaque(kind, 1, _sizes(shape), arguments, by="PyTorch", run=run)
        arrays = {f"argument{len(sources) + i}": one for i, one in enumerate(weights)}
        node = self.net.add(layer, sources, arrays, name)
        self.known[last.name] = Value(node, np.arange(count(shape)).reshape(shape))

    def _value(self, node: Node) -> Value:
        found = self.known.get(node.name)
        if not isinstance(found, Value):
            raise LackingError(f"{self.name}: {place_of(node)}{node.name} gives no floats")
        return found


def _calls(node: Node) -> list[str]:
    """The calls of modules that a node stands in, the outermost first."""
    return list(node.meta.get("nn_module_stack") or {})


def _is_plain(node: Node) -> bool:
    """Whether it gives one tensor of floats, and no more than beak takes."""
    value = node.meta.get("val")
    return (
        isinstance(value, torch.Tensor)
        and value.dtype in (torch.float32, torch.float64, torch.float16, torch.bfloat16)
        and all(isinstance(size, int) for size in value.shape)
        and 0 < value.numel() <= LARGEST
    )


def _weighs(constant: Any) -> bool:
    return (
        isinstance(constant, torch.Tensor)
        and constant.is_floating_point()
        and constant.ndim > 0
        and constant.numel() > 0
    )


def _sizes(shape: Shape) -> Shape:
    """One to three sizes, as layers give them, of a shape with the batch of one."""
    rest = shape[1:] if len(shape) > 1 and shape[0] == 1 else shape
    if len(rest) > 3:
        rest = (*rest[:2], count(rest[2:]))
    return rest if count(rest[1:]) > 1 else (count(rest),)


def _refuse_drawing(node: Node) -> None:
    """RunError for what draws random numbers: its values are none that could be looked at."""
    if torch.Tag.nondeterministic_seeded in getattr(node.target, "tags", ()):
        train = "dropout" in node.name
        more = "; call it with training=self.training" if train else ""
        raise RunError(f"{place_of(node)}{node.name}: it draws random numbers{more}")
