"""The processes of a training, joined by torch.distributed: torchrun, Slurm, Kubernetes."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import numpy as np
import torch
from torch import Tensor, distributed

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
            distributed.init_process_group(backend, timeout=PATIENCE)
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
