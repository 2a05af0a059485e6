"""The processes of a training, joined by torch.distributed: torchrun, Slurm, Kubernetes."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable, Iterator
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
            self._store = store = PrefixStore(common_name(held, rank, size), held)
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

    def finish(self) -> None:
        """Wait until the first process, too, is done."""
        self._speak(lambda: wait_for_first(self._store, self.rank))
        self.told(None)  # the first may hold the store: it leaves no earlier than all have looked

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
    under that number, to late comers again, until all have said that they heard it. Only then is
    the name taken: one that a first process gave who died since, or is about to, is not.

    Raises RuntimeError when one does not come within ``PATIENCE``.
    """
    own = uuid.uuid4().hex
    search = _name_heard(store, rank, own) if rank else _name_given(store, size, own)
    end = time.monotonic() + PATIENCE.total_seconds()
    for found in search:
        if found:
            return found
        if time.monotonic() > end:
            raise RuntimeError(f"of {size} processes not all came")
        time.sleep(0.01)
    raise AssertionError("a search goes on until it has found")


def _name_given(store: Store, size: int, own: str) -> Iterator[str]:
    """The first process's side, look by look: "" until all others have heard ``own``."""
    answered: dict[int, bytes] = {}
    missing = set(range(1, size))
    while missing:
        for other in sorted(missing):
            if store.check([f"beak/heard/{own}/{other}"]):
                missing.remove(other)
            elif store.check([f"beak/here/{other}"]):
                number = store.get(f"beak/here/{other}")
                if answered.get(other) != number:
                    store.set(f"beak/answer/{number.decode()}", own)
                    answered[other] = number
        if missing:
            yield ""
    store.set(f"beak/taken/{own}", "")
    yield own


def _name_heard(store: Store, rank: int, own: str) -> Iterator[str]:
    """Another process's side: "" until a name that it heard is taken."""
    store.set(f"beak/here/{rank}", own)
    heard: set[str] = set()
    while True:
        if store.check([f"beak/answer/{own}"]):
            name = store.get(f"beak/answer/{own}").decode()
            if name not in heard:
                store.set(f"beak/heard/{name}/{rank}", "")
                heard.add(name)
        yield next((name for name in heard if store.check([f"beak/taken/{name}"])), "")


def wait_for_first(store: Store, rank: int) -> None:
    """Stay until the first process comes here too, however long its work takes alone.

    Raises RuntimeError when the store is gone, and with it the first process or its machine.
    """
    if rank == 0:
        store.set("beak/done", "")
    while not store.check(["beak/done"]):
        time.sleep(0.1)


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
