"""PyTorch: eager and compiled, channels first and last, fused Adam, sparse word vectors or not.

The modules are those that ``beak/engine/torch_module.py`` makes: nn.Conv2d, ReLU
in place, nn.Linear and so on. Training: zero_grad(set_to_none=True), cross_entropy on logits,
Adam(fused=True); answers: eval() under inference_mode.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator

import torch
from works import Work, batches_of

from beak.engine.torch_bench import torch_steps
from sides import Step

COMPILES = (shutil.which("g++") or shutil.which("c++")) is not None
WANTED = "BEAK_BENCH_NO_COMPILE" not in os.environ


def version() -> str:
    return f"PyTorch {torch.__version__.partition('+')[0]}"


def steps(work: Work, threads: int) -> Iterator[tuple[str, Step]]:
    if WANTED and not COMPILES:
        print("torch.compile left out: no C++ compiler here", file=sys.stderr)
    batches = batches_of(work)
    purpose = "train" if work.purpose == "train" else "forward"
    compiled = WANTED and COMPILES
    return torch_steps(work.network, batches, purpose, threads=threads, compiled=compiled)
