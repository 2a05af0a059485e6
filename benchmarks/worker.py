"""A process in which one side works: it prepares works and runs so many steps when told to.

Started by ``peers.py`` as ``worker.py SIDE THREADS``; commands and answers are JSON, one a line:

    {"work": NAME, "seconds": S}   make the work's steps, try each setting for S, keep the fastest
    {"run": N}                     run N steps and say how long they took
    {"peak": S}                    the machine's peak of multiply-adds (of beak's side only)
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys
import time
from typing import Any

from sides import CannotError


def timed(step, times: int) -> float:
    began = time.perf_counter()
    for _ in range(times):
        step()
    return time.perf_counter() - began


def per_step(step, seconds: float) -> float:
    """Seconds a step, the best of three, after warming up (and compiling)."""
    step()
    step()
    once = timed(step, 1)
    times = max(1, round(seconds / 3 / max(once, 1e-7)))
    return min(once, *(timed(step, times) / times for _ in range(3))) if once < seconds else once


class Worker:
    """One side and the step that was found to be its fastest for the present work."""

    def __init__(self, name: str, threads: int) -> None:
        self.side: Any = importlib.import_module(f"sides.{name}_side")
        self.threads = threads
        self.step: Any = None

    def prepare(self, name: str, seconds: float) -> dict[str, Any]:
        from works import WORKS

        self.step = None
        gc.collect()
        work = next(work for work in WORKS if work.name == name)
        best, tried = None, {}
        for setting, step in self.side.steps(work, self.threads):
            try:
                took = per_step(step, seconds)
            except Exception as error:  # such as a compiler that fails on this network
                tried[setting] = f"{type(error).__name__}: {error}".splitlines()[0][:120]
                continue
            tried[setting] = work.batch / took
            if best is None or took < best:
                best, self.step, chosen = took, step, setting
        if best is None:
            return {"left_out": "; ".join(f"{s}: {why}" for s, why in tried.items()) or "no way"}
        return {"setting": chosen, "seconds": best, "tried": tried}

    def answer(self, told: dict[str, Any]) -> dict[str, Any]:
        if "work" in told:
            return self.prepare(told["work"], told["seconds"])
        if "run" in told:
            return {"seconds": timed(self.step, told["run"])}
        from beak.ops.peak.kernels import fma_peak

        return {"peak": fma_peak(self.threads, told["peak"])}


def reply(worker: Worker, told: dict[str, Any]) -> dict[str, Any]:
    """The answer to what was told, or in a line why there is none."""
    try:
        return worker.answer(told)
    except CannotError as error:
        return {"left_out": str(error)}
    except Exception as error:
        return {"left_out": f"{type(error).__name__}: {error}".splitlines()[0][:200]}


def main() -> None:
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what libraries print must not come between the answers
    try:
        worker = Worker(sys.argv[1], int(sys.argv[2]))
        print(json.dumps({"version": worker.side.version()}), file=answers)
    except Exception as error:
        why = f"{type(error).__name__}: {error}".splitlines()[0]
        print(json.dumps({"left_out": why}), file=answers)
        return
    for line in sys.stdin:
        print(json.dumps(reply(worker, json.loads(line))), file=answers)


if __name__ == "__main__":
    main()
