"""PyTorch at its best on a network: what `beak bench` and the benchmarks set beside the engine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from beak.engine.interface import Array
from beak.engine.torch_module import torch_module
from beak.network import layers
from beak.network.network import Network


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
