"""A network as torch modules: what `beak bench` and the benchmarks set beside the native engine.

The only file of this room that imports torch; it is itself imported only when it is wanted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from beak.engine.interface import Array
from beak.network import layers
from beak.network.network import Network, Node
from beak.ops.spectrogram.reference import FLOOR, fixed_filters
from beak.ops.spectrogram.settings import MelSettings

FUNCTIONS: dict[str, Any] = {
    "relu": lambda inplace: nn.ReLU(inplace=inplace),
    "leaky_relu": lambda inplace: nn.LeakyReLU(0.01, inplace=inplace),
    "gelu": lambda inplace: nn.GELU(),
    "silu": lambda inplace: nn.SiLU(inplace=inplace),
    "hard_swish": lambda inplace: nn.Hardswish(inplace=inplace),
    "tanh": lambda inplace: nn.Tanh(),
    "sigmoid": lambda inplace: nn.Sigmoid(),
    "softmax": lambda inplace: nn.Softmax(dim=1),
}
FRESH = (layers.Conv1D, layers.Conv2D, layers.Dense, layers.BatchNorm, layers.Add)
"""Kinds whose output no backward needs, so that a function behind them may work in place."""


class GlobalMax(nn.Module):
    """The largest number of each channel."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, …) -> (B, C)."""
        return x.flatten(2).amax(2)


class GlobalMean(nn.Module):
    """The mean of each channel."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, …) -> (B, C)."""
        return x.flatten(2).mean(2)


class WordVectors(nn.Embedding):
    """Words (B, L), or a stretch of them, to vectors (B, dimensions, L)."""

    def __init__(self, layer: layers.Embedding, sparse: bool) -> None:
        super().__init__(
            layer.words, layer.dimensions, padding_idx=layer.padding_index, sparse=sparse
        )
        end = None if layer.places is None else layer.begin + layer.places
        self.stretch = slice(layer.begin, end)
        self.weight.requires_grad_(layer.trainable)

    def forward(self, x: Tensor) -> Tensor:
        """Channels first."""
        return super().forward(x[:, self.stretch]).transpose(1, 2)


class LogMel(nn.Module):
    """Samples as a log-mel spectrogram: a convolution with fixed filters and a fixed map."""

    def __init__(self, layer: layers.LogMel) -> None:
        super().__init__()
        self.hop = layer.hop
        for name, values in zip(
            ("filters", "mel"), fixed_filters(MelSettings.of(layer)), strict=True
        ):
            self.register_buffer(name, torch.tensor(values, dtype=torch.float32), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, n) or (B, 1, n) to (B, 1, frames, bands)."""
        filters, mel = cast(Tensor, self.filters), cast(Tensor, self.mel)
        waves = functional.conv1d(x.reshape(len(x), 1, -1), filters, stride=self.hop)
        power = waves.reshape(len(x), 2, -1, waves.shape[2]).square().sum(1)
        return torch.log(power.transpose(1, 2) @ mel.T + FLOOR)[:, None]


class PositionBias(nn.Module):
    """One bias for each place."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(shape))

    def forward(self, x: Tensor) -> Tensor:
        """The same shape."""
        return x + self.bias


class ChannelNorm(nn.LayerNorm):
    """LayerNorm over channels."""

    def forward(self, input: Tensor) -> Tensor:
        """(B, C, …)."""
        return super().forward(input.movedim(1, -1)).movedim(-1, 1)


class Join(nn.Module):
    """Add, Concat or Multiply."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    def forward(self, *inputs: Tensor) -> Tensor:
        """All inputs as one."""
        if self.kind == "Concat":
            return torch.cat(inputs, 1)
        total = inputs[0]
        for other in inputs[1:]:
            if self.kind == "Add":
                total = total + other
                continue
            deep = max(total.ndim, other.ndim)
            a, b = (t.reshape(*t.shape, *(1,) * (deep - t.ndim)) for t in (total, other))
            total = a * b
        return total


class Graph(nn.Module):
    """Nodes in order, each a module; a value is let go behind its last reader."""

    def __init__(self, nodes: list[tuple[str, tuple[str, ...], nn.Module]]) -> None:
        super().__init__()
        self.parts = nn.ModuleList(module for _, _, module in nodes)
        self.names = [(name, inputs) for name, inputs, _ in nodes]
        last = {read: i for i, (_, inputs) in enumerate(self.names) for read in inputs}
        self.done = [[r for r, at in last.items() if at == i] for i in range(len(nodes))]

    def forward(self, x: Tensor) -> Tensor:
        """(B, *input) -> (B, *output)."""
        values = {"input": x}
        for (name, inputs), done, part in zip(self.names, self.done, self.parts, strict=True):
            x = part(*(values[read] for read in inputs))
            values[name] = x
            for read in done:
                del values[read]
        return x


def torch_module(network: Network, *, logits: bool = False, sparse: bool = False) -> nn.Module:
    """The network as a torch module with torch's own first weights.

    ``logits``: without the final softmax, as training wants it. ``sparse``: embeddings have
    sparse gradients. A chain of nodes becomes one ``nn.Sequential``.
    """
    readers = Counter(name for node in network.nodes for name in node.inputs)
    final = network.nodes[-1] if logits and network.classifies else None
    made = []
    for node in network.nodes:
        before = None if node.inputs == ("input",) else network.node(node.inputs[0])
        alone = before is not None and readers[before.name] == 1
        fresh = alone and isinstance(before.layer if before else None, FRESH)
        modules = list(_modules(node, sparse, fresh, with_function=node is not final))
        made.append((node.name, node.inputs, modules))
    chain = all(inputs == (made[i - 1][0],) for i, (_, inputs, _) in enumerate(made) if i)
    if chain:
        return nn.Sequential(*(module for _, _, modules in made for module in modules))
    return Graph([(n, i, m[0] if len(m) == 1 else nn.Sequential(*m)) for n, i, m in made])


def _modules(node: Node, sparse: bool, fresh: bool, with_function: bool) -> Iterator[nn.Module]:
    layer, shape = node.layer, node.input_shapes[0]
    function = getattr(layer, "activation", None)
    match layer:
        case layers.Conv1D() | layers.Conv2D() | layers.Windowed():
            yield from _windowed(layer, shape)
        case layers.Dense():
            yield nn.Linear(shape[0], layer.units, layer.bias)
        case layers.GlobalMaxPool():
            yield GlobalMax()
        case layers.GlobalAvgPool():
            yield GlobalMean()
        case layers.Flatten():
            yield nn.Flatten()
        case layers.BatchNorm():
            kinds = {1: nn.BatchNorm1d, 2: nn.BatchNorm1d, 3: nn.BatchNorm2d}
            yield kinds[len(shape)](shape[0], layer.epsilon, layer.momentum)
        case layers.LayerNorm():
            yield ChannelNorm(shape[0], layer.epsilon)
        case layers.Dropout():
            whole = {2: nn.Dropout1d, 3: nn.Dropout2d} if layer.maps else {}
            yield whole.get(len(shape), nn.Dropout)(layer.rate)
        case layers.Embedding():
            yield WordVectors(layer, sparse)
        case layers.LogMel():
            yield LogMel(layer)
        case layers.PositionBias():
            yield PositionBias(node.parameters[f"{node.name}.bias"].shape)
        case layers.Activation():
            if with_function:
                slope = layer.slope
                yield FUNCTIONS[layer.function](fresh) if slope is None else nn.LeakyReLU(slope)
            else:
                yield nn.Identity()
        case _:
            yield Join(layer.kind)
    if function is not None and with_function:
        yield FUNCTIONS[function](True)


def _windowed(layer: layers.Windowed, shape: tuple[int, ...]) -> Iterator[nn.Module]:
    """A convolution or a pooling; uneven padding is done by hand before it."""
    g = layer.geometry(shape)
    even = all(before == after for before, after in g.padding)
    padding = tuple(before for before, _ in g.padding) if even else (0,) * len(g.padding)
    kinds: tuple[Any, Any, Any, Any] = (
        (nn.ConstantPad1d, nn.Conv1d, nn.MaxPool1d, nn.AvgPool1d)
        if len(shape) == 2
        else (nn.ConstantPad2d, nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d)
    )
    pad, convolution, max_pool, mean_pool = kinds
    if not even:
        sides = tuple(side for pair in reversed(g.padding) for side in pair)
        yield pad(sides, -torch.inf if layer.kind.startswith("Max") else 0.0)
    if isinstance(layer, layers.Conv1D | layers.Conv2D):
        sizes = shape[0], layer.filters, g.kernel, g.stride, padding, g.dilation
        yield convolution(*sizes, layer.groups, layer.bias)
    elif layer.kind.startswith("Max"):
        yield max_pool(g.kernel, g.stride, padding)
    else:
        yield mean_pool(g.kernel, g.stride, padding, count_include_pad=False)


def load_parameters(network: Network, module: nn.Module, parameters: Mapping[str, Array]) -> None:
    """Give a module that ``torch_module`` made the network's parameters."""
    own = [m for m in module.modules() if any(True for _ in m.parameters(recurse=False))]
    nodes = [node for node in network.nodes if node.parameters]
    with torch.no_grad():
        for part, node in zip(own, nodes, strict=True):
            for name in node.parameters:
                to = getattr(part, name.rpartition(".")[2])
                to.copy_(torch.from_numpy(np.ascontiguousarray(parameters[name])))


def torch_steps(
    network: Network,
    batches: list[tuple[Array, Array]],
    purpose: str,
    *,
    threads: int | None = None,
    compiled: bool = False,
) -> Iterator[tuple[str, Any]]:
    """(setting, function that does one step) for each way that is worth trying.

    ``purpose``: "train" (fused Adam, cross-entropy) or "forward". ``compiled``: by torch.compile
    too, after the plain ones. Uneven batches are not wanted: all have one size.
    """
    if threads:
        torch.set_num_threads(threads)
    words = isinstance(network.nodes[0].layer, layers.Embedding)
    pictures = len(network.input) == 3
    layouts = [False, True] if pictures else [False]
    for compile_it in (False, True) if compiled else (False,):
        for last in layouts:
            for sparse in (False, True) if words and purpose == "train" else (False,):
                if compile_it and sparse:
                    continue  # its optimiser cannot be compiled around
                said = ["compiled" if compile_it else "eager"]
                said += ["channels_last" if last else "channels_first"] if pictures else []
                said += ["sparse" if sparse else "dense"] if words and purpose == "train" else []
                step = _step(network, batches, purpose, last, sparse, compile_it)
                yield " ".join(said), step


def _step(
    network: Network,
    batches: list[tuple[Array, Array]],
    purpose: str,
    last: bool,
    sparse: bool,
    compile_it: bool,
) -> Any:
    train = purpose == "train"
    module = torch_module(network, logits=train, sparse=sparse).train(train)
    order = torch.channels_last if last else torch.contiguous_format
    module = module.to(memory_format=order)  # type: ignore[call-overload]
    ready = [
        (torch.from_numpy(x).to(memory_format=order), torch.from_numpy(y).long())
        for x, y in batches
    ]
    parameters = [p for p in module.parameters() if p.requires_grad]
    vectors = {id(m.weight) for m in module.modules() if isinstance(m, nn.Embedding)}
    rest = [p for p in parameters if not (sparse and id(p) in vectors)]
    optimisers: list[torch.optim.Optimizer] = [torch.optim.Adam(rest, lr=1e-4, fused=True)]
    if sparse:
        rows = [p for p in parameters if id(p) in vectors]
        optimisers.append(torch.optim.SparseAdam(rows, lr=1e-4))
    run: Any = torch.compile(module) if compile_it else module
    count = 0

    def step() -> None:
        nonlocal count
        inputs, labels = ready[count % len(ready)]
        count += 1
        if not train:
            with torch.inference_mode():
                run(inputs)
            return
        for optimiser in optimisers:
            optimiser.zero_grad(set_to_none=True)
        loss: Any = functional.cross_entropy(run(inputs), labels)
        loss.backward()
        for optimiser in optimisers:
            optimiser.step()

    return step
