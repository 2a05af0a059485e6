"""beak's native engine, as it comes."""

from __future__ import annotations

from works import Work, batches_of

from beak.engine.measure import answering, training_step
from beak.engine.native import NativeEngine
from beak.ops.kernel import instruction_set
from sides import Settings


def version() -> str:
    return f"beak ({instruction_set()})"


def steps(work: Work, threads: int) -> Settings:
    engine = NativeEngine(work.network, threads=threads)
    make = training_step if work.purpose == "train" else answering
    return [("native", make(engine, batches_of(work)))]
