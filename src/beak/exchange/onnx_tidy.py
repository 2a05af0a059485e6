"""Last steps of reading: nodes that nothing reads go, sums and activations join their layers."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from beak.exchange.onnx_building import Building
from beak.exchange.onnx_views import Array
from beak.network.layer import Layer
from beak.network.layers import Activation, Conv1D, Conv2D, Dense, Multiply
from beak.network.network import Network

WEIGHTED = (Conv1D, Conv2D, Dense)


def finished(net: Building, last: str) -> tuple[Network, dict[str, Array]]:
    """The network that ends in this node, and its parameters."""
    tidy = _Tidy(net, last)
    for step in (tidy.drop_unread, tidy.shorten_silu, tidy.join_sums, tidy.join_activations):
        step()
    names = _renumbered(net)
    layers = [
        dataclasses.replace(layer, name=names[old], inputs=tuple(names[i] for i in net.inputs[old]))
        for old, layer in net.layers.items()
    ]
    network = Network(net.input, layers)
    parameters = {
        f"{names[old]}.{key}": np.ascontiguousarray(array, np.float32)
        for old in net.layers
        for key, array in net.arrays[old].items()
    }
    return network, {name: parameters[name] for name in network.parameters}


def _renumbered(net: Building) -> dict[str, str]:
    """What each node is called at last: numbers of made names without the gaps of those gone."""
    taken = {name for name in net.layers if name not in net.made}
    names = {"input": "input"}
    for old in net.layers:
        number, new = 0, old
        while old in net.made and (not number or new in taken):
            number += 1
            new = f"{net.made[old]}{number}"
        taken.add(new)
        names[old] = new
    return names


class _Tidy:
    def __init__(self, net: Building, last: str) -> None:
        self.net, self.last = net, last

    def readers(self, node: str) -> list[str]:
        """Who reads a node, each as often as it does; "" for the network's own answer."""
        found = [name for name, inputs in self.net.inputs.items() for i in inputs if i == node]
        return [*found, ""] if node == self.last else found

    def drop_unread(self) -> None:
        """Only what leads to the answer stays."""
        needed, waiting = {"input"}, [self.last]
        while waiting:
            node = waiting.pop()
            if node not in needed:
                needed.add(node)
                waiting.extend(self.net.inputs[node])
        for name in [name for name in self.net.layers if name not in needed]:
            self._remove(name)

    def shorten_silu(self) -> None:
        """X sigmoid(x) is one activation."""
        for name, layer in list(self.net.layers.items()):
            if not isinstance(layer, Multiply):
                continue
            x, gate = self.net.inputs[name]
            if self._function(x) == "sigmoid":
                x, gate = gate, x
            alone = self._function(gate) == "sigmoid" and len(self.readers(gate)) == 1
            if alone and self.net.inputs[gate] == (x,):
                self.net.layers[name], self.net.inputs[name] = Activation("silu"), (x,)
                self._remove(gate)

    def join_sums(self) -> None:
        """A plain sum becomes its layer's bias; two scales and shifts in a row become one."""
        for name in [name for name in self.net.layers if name in self.net.plain]:
            before = self.net.inputs[name][0]
            if before == "input" or self.readers(before) != [name]:
                continue
            own, layer = self.net.arrays[name], self.net.layers[before]
            arrays = self.net.arrays[before]
            if before in self.net.plain:
                arrays["bias"] = arrays["bias"] * own["weight"] + own["bias"]
                arrays["weight"] = arrays["weight"] * own["weight"]
            elif isinstance(layer, WEIGHTED) and (own["weight"] == 1).all():
                arrays["bias"] = arrays.get("bias", np.float32(0)) + own["bias"]
                self.net.layers[before] = dataclasses.replace(layer, bias=True)
            else:
                continue
            self._bypass(name, before)

    def join_activations(self) -> None:
        """An activation right behind a layer with weights becomes that layer's own."""
        for name, layer in list(self.net.layers.items()):
            if not isinstance(layer, Activation):
                continue
            before = self.net.inputs[name][0]
            own: Any = self.net.layers.get(before)
            if (
                isinstance(own, WEIGHTED)
                and own.activation is None
                and (self.readers(before) == [name])
            ):
                self.net.layers[before] = dataclasses.replace(own, activation=layer.function)
                self._bypass(name, before)

    def _function(self, node: str) -> str | None:
        layer: Layer | None = self.net.layers.get(node)
        return layer.function if isinstance(layer, Activation) else None

    def _bypass(self, name: str, before: str) -> None:
        """Whoever read this node reads the one before."""
        for other, inputs in self.net.inputs.items():
            self.net.inputs[other] = tuple(before if i == name else i for i in inputs)
        self.last = before if self.last == name else self.last
        self._remove(name)

    def _remove(self, name: str) -> None:
        for table in (self.net.layers, self.net.inputs, self.net.arrays, self.net.shapes):
            table.pop(name)
        self.net.plain.discard(name)
