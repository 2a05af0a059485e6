"""Which nodes one kernel does together: convolution, norm, ReLU and pooling in a row."""

from __future__ import annotations

from dataclasses import dataclass, field

from beak.network.layers import (
    Activation,
    Add,
    BatchNorm,
    Conv1D,
    Conv2D,
    Dense,
    GlobalMaxPool,
    MaxPool1D,
    MaxPool2D,
)
from beak.network.network import Network, Node
from beak.ops.convolution.kernels import PooledShape, pooled_takes

ROOTS = (Conv1D, Conv2D, Dense, BatchNorm, Add)
"""Layers whose kernels can do more than the layer itself."""


@dataclass(frozen=True)
class Fused:
    """What a node's kernel does besides the node itself."""

    norm: Node | None = None
    """A batch norm whose running statistics are folded into the weights."""
    relu: bool = False
    pool: Node | None = None
    """A max pooling of 2x2 windows side by side."""
    largest: Node | None = None
    """The maximum over all places."""
    relu_later: bool = False
    """Of a ReLU before a max pooling of its own: the pooling's gradient passes living places alone,
    a fraction of those that the ReLU would look at."""
    relu_before: bool = False
    """Of that pooling."""
    summand: Node | None = None
    """A batch norm before a sum of two, which alone reads it."""


@dataclass(frozen=True)
class Fusions:
    """``at``: by node, what its kernel does besides; ``done``: {node: the node that does it}."""

    at: dict[str, Fused] = field(default_factory=dict)
    done: dict[str, str] = field(default_factory=dict)

    def hides(self, node: str) -> bool:
        """Whether this node's own output is never written: its kernel went on from there."""
        root = self.done.get(node, node)
        chain = [root, *(name for name, other in self.done.items() if other == root)]
        summand = self.at[root].summand if root in self.at else None
        return node in chain[:-1] or (summand is not None and summand.name == node)

    def leaves_gradient(self, node: str) -> bool:
        """Whether going back from this node's output, its ReLU would be left to the node behind."""
        return self.at.get(self.done.get(node, node), Fused()).relu_later


def fuse(network: Network, fold_norms: bool) -> Fusions:
    """Find what can be fused; ``fold_norms``: batch norms too, where statistics are fixed."""
    nodes = {node.name: node for node in network.nodes}
    readers: dict[str, list[Node]] = {}
    for node in network.nodes:
        for name in node.inputs:
            readers.setdefault(name, []).append(node)
    found = Fusions()
    for root in network.nodes:
        if root.name not in found.done and isinstance(root.layer, ROOTS):
            summand = _summand(root, nodes, readers, found)
            _follow(root, readers, fold_norms, summand, found)
    return found


def _follow(
    root: Node,
    readers: dict[str, list[Node]],
    fold_norms: bool,
    summand: Node | None,
    found: Fusions,
) -> None:
    """Walk from a node along its only readers for as long as its kernel can do them too."""
    at = root
    function = getattr(root.layer, "activation", None)
    norm = pool = largest = None
    if summand is not None:
        found.done[summand.name] = root.name
    after = _only_reader(at, readers)
    folds = fold_norms and function is None and isinstance(root.layer, Conv1D | Conv2D)
    if folds and after is not None and isinstance(after.layer, BatchNorm):
        norm = at = after
        found.done[at.name] = root.name
        after = _only_reader(at, readers)
    relu = function == "relu"
    if function is None and after is not None and _is_relu(after):
        relu, at = True, after
        found.done[at.name] = root.name
        after = _only_reader(at, readers)
    if relu and after is not None and _pools(root, after):
        pool = after
        found.done[pool.name] = root.name
    elif (relu or function is None) and after is not None and _takes_largest(root, after):
        largest = at = after
        found.done[at.name] = root.name
        after = _only_reader(at, readers)
        if not relu and after is not None and _is_relu(after):  # the same after the maximum
            relu = True
            found.done[after.name] = root.name
    later = pool is None and largest is None and _is_convolution(root) and _takes_relu(relu, after)
    if later and after is not None:
        found.at[after.name] = Fused(relu_before=True)
    if norm or relu or pool or largest or summand:
        found.at[root.name] = Fused(norm, relu, pool, largest, later, summand=summand)


def _is_convolution(node: Node) -> bool:
    return isinstance(node.layer, Conv1D | Conv2D)


def _takes_relu(relu: bool, after: Node | None) -> bool:
    return relu and after is not None and isinstance(after.layer, MaxPool1D | MaxPool2D)


def _summand(
    root: Node, nodes: dict[str, Node], readers: dict[str, list[Node]], found: Fusions
) -> Node | None:
    """A batch norm with kernels of its own that is one of the two inputs of a sum."""
    if not isinstance(root.layer, Add) or len(root.inputs) != 2:
        return None
    for node in (nodes[name] for name in root.inputs if name in nodes):
        free = node.name not in found.done and node.name not in found.at
        if isinstance(node.layer, BatchNorm) and free and len(readers[node.name]) == 1:
            return node
    return None


def _is_relu(node: Node) -> bool:
    return isinstance(node.layer, Activation) and node.layer.function == "relu"


def _only_reader(node: Node, readers: dict[str, list[Node]]) -> Node | None:
    after = readers.get(node.name, [])
    return after[0] if len(after) == 1 else None


def _pools(root: Node, after: Node) -> bool:
    """Whether a convolution's kernel can pool: stride 1, and 2x2 windows side by side."""
    layer, pool = root.layer, after.layer
    if not isinstance(layer, Conv2D) or not isinstance(pool, MaxPool2D):
        return False
    plain = layer.groups == 1 and layer.stride == (1, 1) and layer.dilation == (1, 1)
    shape = pool.geometry(after.input_shapes[0])
    sizes = after.input_shapes[0][1:]
    side_by_side = shape.kernel == shape.stride == (2, 2) and not any(map(any, shape.padding))
    whole = all(2 * n <= size for n, size in zip(shape.outputs, sizes, strict=True))
    return plain and side_by_side and whole and pooled_takes(pooled_shape(root))


def _takes_largest(root: Node, after: Node) -> bool:
    """Whether a convolution's kernel can take the maximum over all places."""
    layer = root.layer
    return (
        isinstance(layer, Conv1D | Conv2D)
        and layer.groups == 1
        and isinstance(after.layer, GlobalMaxPool)
    )


def pooled_shape(node: Node) -> PooledShape:
    """What the choice of a convolution's kernel with pooling hangs on."""
    layer = node.layer
    assert isinstance(layer, Conv2D)
    return PooledShape(layer.kernel, node.input_shapes[0][0], layer.filters)
