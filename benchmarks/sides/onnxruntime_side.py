"""ONNX Runtime: all graph optimisations, spinning threads or not."""

from __future__ import annotations

import itertools

import onnxruntime
from works import Work, batches_of

from sides import Settings
from sides.onnx_graph import onnx_model


def version() -> str:
    return f"ONNX Runtime {onnxruntime.__version__}"


def steps(work: Work, threads: int) -> Settings:
    if work.purpose == "train":
        return []
    model = onnx_model(work.network, work.batch)
    found: Settings = []
    for spin in ("1", "0"):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.graph_optimization_level = level
        options.add_session_config_entry("session.intra_op.allow_spinning", spin)
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        turn = itertools.cycle([x for x, _ in batches_of(work)])

        def step(session=session, turn=turn):
            return session.run(None, {"input": next(turn)})

        found.append((f"spinning {'on' if spin == '1' else 'off'}", step))
    return found
