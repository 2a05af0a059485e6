"""On what a run was made: enough to understand its speed and bytes, nothing that names a person."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

import numpy as np


def beak_version() -> str:
    """The installed version of beak; "source" where it runs from its sources uninstalled."""
    # imported here: it brings the parsers of mail along, and who only predicts needs none
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("beak")
    except PackageNotFoundError:
        return "source"


def describe_machine(
    *,
    threads: int | None = None,
    instructions: str | None = None,
    engine: str | None = None,
    device: str | None = None,
) -> dict[str, Any]:
    """CPU, cores, memory, system and versions; never host or user names, nor paths.

    ``instructions``: the instruction set whose kernels ran; ``threads``: how many the run used;
    ``engine`` and ``device``: what computed.
    """
    found: dict[str, Any] = {
        "cpu": _cpu_model(),
        "architecture": platform.machine(),
        "cores": os.cpu_count() or 1,
        "instruction_set": instructions,
        "threads": threads,
        "engine": engine,
        "device": device,
        "memory_bytes": _memory_bytes(),
        "system": _system(),
        "python": platform.python_version(),
        "beak": beak_version(),
        "numpy": np.__version__,
    }
    return {key: value for key, value in found.items() if value is not None}


def _cpu_model() -> str:
    """The processor's name as it gives it, or the architecture where it gives none."""
    try:
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    for line in lines:
        key, _, value = line.partition(":")
        if key.strip() in ("model name", "Model") and value.strip():
            return " ".join(value.split())
    return platform.processor() or platform.machine() or "unknown"


def _memory_bytes() -> int | None:
    """The machine's memory, where the system tells."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def _system() -> str:
    """The operating system by name and version, without the machine's own name."""
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError, AttributeError):
        return f"{platform.system()} {platform.release()}".strip()
