"""The choice of an engine; each is imported only when it is wanted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from beak.engine.choice import choose_engine
from beak.engine.group import Group
from beak.engine.interface import Engine
from beak.network.layers import Opaque
from beak.network.network import Network
from beak.network.opaque import refuse_boxes


def make_engine(
    network: Network,
    parameters: Mapping[str, np.ndarray[Any, Any]] | None = None,
    *,
    seed: int = 0,
    threads: int | None = None,
    kind: str = "auto",
    device: str = "cpu",
    exact: bool = False,
    beside: Engine | None = None,
    group: Group | None = None,
) -> Engine:
    """An engine that holds this network.

    ``parameters``: None starts from ``initial_parameters(network, seed)``. ``threads``: None is as
    many as this process may use cores; the reference engine takes one. ``kind``: "auto", "native",
    "torch" or "reference"; ``device``: "cpu", "auto", "cuda", "mps"; see ``choose_engine``.
    ``exact``: direct sums on weights as they are, without Winograd's kernels and folded batch
    norms, slower; on a GPU, float32 throughout; the reference is always so. ``beside``: an engine
    that never runs while this one does, whose working memory is shared. ``group``:
    processes that share each training step; not for the reference.
    """
    choice = choose_engine(kind, device)
    if any(isinstance(node.layer, Opaque) for node in network.nodes):
        from beak.engine.boxed import BoxedEngine

        if choice.kind != "native" and kind != "auto":
            refuse_boxes(network.nodes, f"the {choice.kind} engine has no such layer; native has")
        boxed: Engine = BoxedEngine(network, parameters, seed, threads, exact)
        return boxed
    if choice.kind == "reference":
        from beak.engine.reference import ReferenceEngine

        return ReferenceEngine(network, parameters, seed)
    if choice.kind == "torch":
        from beak.engine.torch import TorchEngine

        other: Engine = TorchEngine(network, parameters, seed, threads, exact, choice.device, group)
        return other
    from beak.engine.native import NativeEngine

    before = beside if isinstance(beside, NativeEngine) else None
    engine: Engine = NativeEngine(network, parameters, seed, threads, exact, before, group)
    return engine
