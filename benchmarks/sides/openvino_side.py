"""OpenVINO in float32: for latency or for throughput."""

from __future__ import annotations

import itertools

import openvino
from works import Work, batches_of

from sides import Settings
from sides.onnx_graph import onnx_model


def version() -> str:
    return f"OpenVINO {openvino.__version__.partition('-')[0]}"


def steps(work: Work, threads: int) -> Settings:
    if work.purpose == "train":
        return []
    core = openvino.Core()
    model = core.read_model(onnx_model(work.network, work.batch))
    found: Settings = []
    for hint in ("LATENCY", "THROUGHPUT"):
        settings = {
            "PERFORMANCE_HINT": hint,
            "INFERENCE_NUM_THREADS": threads,
            "INFERENCE_PRECISION_HINT": "f32",
        }
        compiled = core.compile_model(model, "CPU", settings)
        turn = itertools.cycle([x for x, _ in batches_of(work)])
        request = compiled.create_infer_request()

        def step(request=request, turn=turn):
            return request.infer({0: next(turn)}, share_inputs=True, share_outputs=True)

        found.append((hint.lower(), step))
    return found
