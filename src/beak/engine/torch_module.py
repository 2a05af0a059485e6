"""A network as one torch module, whose ``state_dict`` has the network's own parameter names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from beak.engine.interface import Array
from beak.engine.torch_parts import FUNCTIONS, Dropout, pad_of, part_of
from beak.network import layers
from beak.network.network import Network, Node
from beak.network.opaque import refuse_boxes

FRESH = (layers.Conv1D, layers.Conv2D, layers.Dense, layers.BatchNorm, layers.Add)
"""Kinds whose output no backward needs, so that a function behind them may work in place."""


@dataclass(frozen=True, eq=False)
class Step:
    """A node at work: padding, its module, its activation."""

    name: str
    inputs: tuple[str, ...]
    part: nn.Module
    pad: Callable[[Tensor], Tensor] | None
    function: str | None
    fresh: bool
    """Whether the function may write over what the module gives."""
    done: tuple[str, ...]
    """Values that nobody reads after it."""


class TorchNetwork(nn.Module):
    """Nodes in order, each a module; (B, *network.input) -> (B, *network.output).

    Parameters start as torch's own first weights; ``load_parameters`` gives it a network's.
    """

    def __init__(self, network: Network, *, logits: bool = False, sparse: bool = False) -> None:
        """``logits``: without the final softmax, as training wants it; as for ``part_of``."""
        super().__init__()
        self.network = network
        self.logits = logits and network.classifies
        self.steps: list[Step] = []
        readers = Counter(name for node in network.nodes for name in node.inputs)
        last = {name: node.name for node in network.nodes for name in node.inputs}
        for node in network.nodes:
            part = part_of(node, sparse)
            _place(self, node.name.split("."), part)
            done = tuple(name for name, reader in last.items() if reader == node.name)
            fresh = _works_in_place(node, network, readers)
            function = getattr(node.layer, "activation", getattr(node.layer, "function", None))
            if getattr(node.layer, "slope", None) is not None:
                function = None  # its part is the function, with that slope
            step = Step(node.name, node.inputs, part, pad_of(node), function, fresh, done)
            self.steps.append(step)

    def forward(self, x: Tensor, kept: Mapping[str, Tensor] | None = None) -> Tensor:
        """The answers, or the logits; ``kept``: by dropout node, what it keeps."""
        values = {"input": x}
        for step in self.steps:
            x = _before(step, values, kept)
            if step.function is not None and not (self.logits and step is self.steps[-1]):
                x = FUNCTIONS[step.function](x, step.fresh)
            values[step.name] = x
            for name in step.done:
                del values[name]
        return x

    def values(self, x: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """Every node's output by name, and the logits; nothing is written over."""
        values = {"input": x}
        for step in self.steps:
            x = _before(step, values, None)
            values[step.name] = x if step.function is None else FUNCTIONS[step.function](x, False)
        return values, x if self.network.classifies else values[self.steps[-1].name]


def _before(step: Step, values: Mapping[str, Tensor], kept: Mapping[str, Tensor] | None) -> Tensor:
    """What a node gives before its activation."""
    read = [values[name] for name in step.inputs]
    if step.pad is not None:
        read = [step.pad(one) for one in read]
    if kept is not None and isinstance(step.part, Dropout):
        read.append(kept[step.name])
    out: Tensor = step.part(*read)
    return out


def _works_in_place(node: Node, network: Network, readers: Counter[str]) -> bool:
    """Whether an activation may write over its input: nobody else, and no backward, reads that."""
    if not isinstance(node.layer, layers.Activation):
        return isinstance(node.layer, FRESH)
    before = None if node.inputs == ("input",) else network.node(node.inputs[0])
    return (
        before is not None
        and readers[before.name] == 1
        and isinstance(before.layer, FRESH)
        and getattr(before.layer, "activation", None) is None
    )


def _place(root: nn.Module, path: list[str], part: nn.Module) -> None:
    """Hang a module under a dotted name, so that its parameters have the node's full name.

    ``add_module`` refuses names that nn.Module uses itself, such as "type"; nodes may bear them.
    """
    for name in path[:-1]:
        root = root._modules.setdefault(name, nn.Module()) or root
    own = root._modules.get(path[-1])
    if own is not None:  # "res1.conv1" came before a node "res1"
        part._modules.update(own._modules)
    root._modules[path[-1]] = part


def torch_module(network: Network, *, logits: bool = False, sparse: bool = False) -> TorchNetwork:
    """The network as a torch module with torch's own first weights; see ``TorchNetwork``."""
    refuse_boxes(network.nodes, "it is no torch module")
    return TorchNetwork(network, logits=logits, sparse=sparse)


def load_parameters(module: nn.Module, parameters: Mapping[str, Array]) -> None:
    """Give a module that ``torch_module`` made the network's parameters, under their names."""
    own = module.state_dict(keep_vars=True)
    with torch.no_grad():
        for name, values in parameters.items():
            own[name].copy_(torch.from_numpy(np.ascontiguousarray(values)))


def parameters_of(module: TorchNetwork) -> dict[str, Array]:
    """Copies of a module's parameters, channels first, in the network's order."""
    own = module.state_dict()
    return {name: to_numpy(own[name]) for name in module.network.parameters}


def to_numpy(tensor: Tensor) -> Array:
    """A tensor's numbers as a new C-contiguous float32 array on the host."""
    values: Array = tensor.detach().to("cpu", torch.float32, copy=True).contiguous().numpy()
    return values
