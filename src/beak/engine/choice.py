"""Which engine computes, on which device, and why: asked once, printed by whoever asked."""

from __future__ import annotations

import importlib.util
import os
import sys
from dataclasses import dataclass

from beak.errors import MissingExtraError, UsageError, did_you_mean

KINDS = ("auto", "native", "torch", "reference")
DEVICES = ("auto", "cpu", "cuda", "mps")


@dataclass(frozen=True)
class Choice:
    """An engine on a device."""

    kind: str
    """"native", "torch" or "reference"."""
    device: str
    """"cpu", "cuda", "cuda:1", "mps"."""
    why: str

    def line(self) -> str:
        """'torch on cuda: the GPU is faster', as it is printed."""
        return f"{self.kind} on {self.device}: {self.why}"


def choose_engine(kind: str = "auto", device: str = "auto") -> Choice:
    """The engine and device for what was asked.

    Auto takes native on a CPU and torch on a GPU, where torch is installed and sees one. Raises
    UsageError for what cannot be, MissingExtraError where torch was asked for and is missing.

    >>> choose_engine("native")
    Choice(kind='native', device='cpu', why='it was asked for')
    """
    if kind not in KINDS:
        raise UsageError(f"no engine '{kind}'{did_you_mean(kind, KINDS)}")
    family = device.partition(":")[0]
    if family not in DEVICES:
        raise UsageError(f"no device '{device}'{did_you_mean(family, DEVICES)}")
    if kind in ("native", "reference"):
        if family in ("cuda", "mps"):
            raise UsageError(
                f"the {kind} engine computes on the CPU alone; for {device}: --engine torch"
            )
        return Choice(kind, "cpu", "it was asked for")
    if kind == "auto" and family == "cpu":
        return Choice("native", "cpu", "the fastest on a CPU")
    if not has_torch():
        if kind == "torch" or family in ("cuda", "mps"):
            wish = "the torch engine" if kind == "torch" else f"device {device}"
            raise MissingExtraError(wish, "torch")
        seen = "a GPU is here, but its engine is not: pip install beak[torch]"
        return Choice("native", "cpu", seen if _gpu_files() else "the fastest on a CPU")
    if kind == "auto" and family == "auto" and not _gpu_files():
        return Choice("native", "cpu", "no GPU here, and it is the fastest on a CPU")
    return _by_torch(kind, device)


def _by_torch(kind: str, device: str) -> Choice:
    """What torch itself says about its devices."""
    from beak.engine.torch_device import best_device, check_device

    if device == "auto":
        found = best_device()
        if kind == "torch":
            more = "" if found == "cpu" else ", on the GPU that it sees"
            return Choice("torch", found, f"it was asked for{more}")
        if found == "cpu":
            return Choice("native", "cpu", "torch sees no GPU here")
        return Choice("torch", found, "a GPU is here")
    check_device(device)
    return Choice("torch", device, "it was asked for")


def has_torch() -> bool:
    """Whether PyTorch is installed; it is not loaded for this."""
    return importlib.util.find_spec("torch") is not None


def _gpu_files() -> bool:
    """Whether this machine may have a GPU at all: without loading torch, which takes seconds."""
    return sys.platform == "darwin" or any(
        os.path.exists(path) for path in ("/dev/nvidiactl", "/dev/nvidia0", "/dev/dxg", "/dev/kfd")
    )
