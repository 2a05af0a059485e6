"""What torch can compute on here."""

from __future__ import annotations

import torch

from beak.errors import UsageError


def best_device() -> str:
    """A GPU of NVIDIA or Apple ("cuda", "mps") where torch sees one, else "cpu"."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def check_device(device: str) -> None:
    """Raise UsageError unless torch can compute on it."""
    family, _, number = device.partition(":")
    there = {
        "cpu": 1,
        "cuda": torch.cuda.device_count() if torch.cuda.is_available() else 0,
        "mps": int(torch.backends.mps.is_available()),
    }[family]
    if not there:
        raise UsageError(f"torch sees no {family} device here; --device auto takes what there is")
    if number and (not number.isdigit() or int(number) >= there):
        raise UsageError(f"no device '{device}': there are {there}, from {family}:0 on")


def has_bfloat16(device: torch.device) -> bool:
    """Whether the device multiplies in bfloat16 at full speed."""
    return device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
