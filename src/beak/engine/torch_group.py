"""The processes of a training, joined by torch.distributed: torchrun, Slurm, Kubernetes."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import numpy as np
import torch
from torch import Tensor, distributed
from torch.distributed import PrefixStore, Store, rendezvous  # type: ignore[attr-defined]

from beak.engine.group import LostProcessError

Array = np.ndarray[Any, Any]
PATIENCE = timedelta(minutes=10)
"""How long a process waits for the others before it gives up."""


class TorchGroup:
    """All processes that torchrun (or what sets its variables) has started; see ``Group``."""

    def __init__(self, device: str = "cpu") -> None:
        """Join: RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT say where."""
        backend = "cuda:nccl,cpu:gloo" if device.startswith("cuda") else "gloo"
        try:
            held, rank, size = next(rendezvous("env://", timeout=PATIENCE))
            store = PrefixStore(common_name(held, rank, size), held)
            distributed.init_process_group(
                backend, timeout=PATIENCE, store=store, rank=rank, world_size=size
            )
        except (RuntimeError, ValueError) as error:
            raise LostProcessError(f"the other processes cannot be reached: {error}") from None
        self.rank, self.size = distributed.get_rank(), distributed.get_world_size()
        self.asked: Callable[[], bool] = lambda: False
        self.stopped = False

    def add_up(self, values: Array) -> None:
        """Replace the values by their sum over all processes."""
        self._speak(lambda: distributed.all_reduce(torch.from_numpy(values)))

    def told(self, what: Any) -> Any:
        """What process 0 gives, in every process."""
        held = [what if self.rank == 0 else None]
        self._speak(lambda: distributed.broadcast_object_list(held, device=torch.device("cpu")))
        return held[0]

    def leave(self) -> None:
        """End the connection."""
        distributed.destroy_process_group()

    def _speak(self, say: Callable[[], object]) -> None:
        try:
            say()
        except RuntimeError as error:
            first = str(error).strip().splitlines()[0] if str(error).strip() else "no answer"
            raise LostProcessError(
                f"process {self.rank}: another process of the training is gone ({first[:120]}); "
                "torchrun starts them again from the last checkpoint with --max-restarts"
            ) from None


def common_name(store: Store, rank: int, size: int) -> str:
    """A name that only the processes alive now share, for what they leave in the store.

    torchrun keeps one store over its restarts, so what an earlier start left is still there, the
    addresses of its processes, too (pytorch issue 135712), and its count of restarts differs from
    machine to machine. So each other process leaves a number of its own, and the first answers
    under that number, to late comers again, until all have said that they heard it.

    Raises RuntimeError when one does not come within ``PATIENCE``.
    """
    own = uuid.uuid4().hex
    if rank:
        store.set(f"beak/here/{rank}", own)
        name: str = store.get(f"beak/answer/{own}").decode()
        store.set(f"beak/heard/{name}/{rank}", "")
        return name
    answered: dict[int, bytes] = {}
    missing = set(range(1, size))
    end = time.monotonic() + PATIENCE.total_seconds()
    while missing:
        if time.monotonic() > end:
            raise RuntimeError(f"{len(missing)} of {size} processes did not come")
        for other in sorted(missing):
            if store.check([f"beak/heard/{own}/{other}"]):
                missing.remove(other)
            elif store.check([f"beak/here/{other}"]):
                number = store.get(f"beak/here/{other}")
                if answered.get(other) != number:
                    store.set(f"beak/answer/{number.decode()}", own)
                    answered[other] = number
        time.sleep(0.01)
    return own


def local_device(device: str) -> str:
    """A GPU of its own for each process of a machine."""
    return f"cuda:{os.environ.get('LOCAL_RANK', '0')}" if device == "cuda" else device


class _Summed(torch.autograd.Function):
    """A sum over all processes through which gradients flow: each gets the sum of them."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, add_up: Callable[[Array], None]) -> Tensor:
        """Each process's values, added up."""
        ctx.add_up = add_up
        return _summed(values, add_up)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        """The same of the gradients."""
        return _summed(gradients[0], ctx.add_up), None


def summed(values: Tensor, add_up: Callable[[Array], None]) -> Tensor:
    """The sum over all processes, differentiable."""
    result: Tensor = _Summed.apply(values, add_up)  # type: ignore[no-untyped-call]
    return result


def _summed(values: Tensor, add_up: Callable[[Array], None]) -> Tensor:
    host = values.detach().cpu().contiguous().numpy().copy()
    add_up(host)
    return torch.from_numpy(host).to(values.device)
